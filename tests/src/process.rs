//! A server whose whole output is kept.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// A running `noetl serve`. It is killed when dropped.
pub struct Process {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// The process.
    pub child: Child,
    output: tempfile::TempDir,
}

impl Process {
    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// If it ends before.
    pub async fn start(mut command: Command) -> Self {
        let output = tempfile::tempdir().expect("a temporary directory");
        let file = |name: &str| {
            let file = std::fs::File::create(output.path().join(name));
            Stdio::from(file.expect("a file of ours"))
        };
        command.stdout(file("stdout")).stderr(file("stderr"));
        let child = command.spawn().expect("the server starts");
        let mut process = Self {
            url: String::new(),
            child,
            output,
        };
        loop {
            let stdout = process.stdout();
            if let Some((_, ready)) = stdout.split_once("ready on ")
                && let Some((url, _)) = ready.split_once('\n')
            {
                process.url = url.to_owned();
                return process;
            }
            if let Some(status) = process.child.try_wait().expect("it is ours") {
                panic!("the server ended: {status}\n{}", process.stderr());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it has written to stdout.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// What it has written to stderr.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    fn read(&self, name: &str) -> String {
        let file: PathBuf = self.output.path().join(name);
        String::from_utf8_lossy(&std::fs::read(file).expect("a file of ours")).into_owned()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends a JSON body with PUT; the status.
    pub async fn put(&self, path: &str, body: &Value) -> u16 {
        let request = reqwest::Client::new().put(format!("{}{path}", self.url));
        let reply = request.json(body).send().await.expect("it answers");
        reply.status().as_u16()
    }

    /// Registers a playbook and executes it; the status and the answer.
    pub async fn run(&self, yaml: &str, path: &str) -> (u16, Value) {
        let client = reqwest::Client::new();
        let register = client.post(format!("{}/api/catalog/playbooks", self.url));
        let reply = register.body(yaml.to_owned()).send().await;
        assert_eq!(reply.expect("it answers").status(), 201, "{yaml}");
        let execute = client.post(format!("{}/api/execute", self.url));
        let reply = execute.json(&json!({"path": path})).send().await;
        let reply = reply.expect("it answers");
        (reply.status().as_u16(), reply.json().await.expect("JSON"))
    }

    /// Ends it as an operator does; what it has written.
    pub async fn stop(mut self) -> (String, String) {
        let id = Pid::from_raw(self.id().cast_signed());
        kill(id, Signal::SIGTERM).expect("it runs");
        let status = self.child.wait().await.expect("it ends");
        assert!(status.success(), "{status}");
        (self.stdout(), self.stderr())
    }
}
