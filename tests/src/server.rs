//! The server as its users start it: the binary, over HTTP.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use super::Database;

/// The master key of all these servers: 32 bytes, in base64.
const MASTER_KEY: &str = "VGhlIG1hc3RlciBrZXkgb2YgdGhlIHRlc3RzLiAgICA=";

/// A running server. It is killed when dropped.
pub struct Server {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    /// The database behind the credential `pg_demo`.
    pub demo: Database,
    /// The server's own database.
    pub store: Database,
    /// The server's process.
    pub child: Child,
    /// What it has written to stdout and stderr.
    pub log: Log,
    /// The API key that requests show, if the server asks for one.
    pub key: Option<String>,
    http: reqwest::Client,
}

/// Lines that a server has written.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// The lines so far.
    ///
    /// # Panics
    /// If a reader of the server's output has.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic while it is held").clone()
    }

    fn push(&self, line: String) {
        println!("server: {line}");
        self.0.lock().expect("no panic while it is held").push(line);
    }

    /// Reads on until the server ends.
    fn follow(&self, from: impl AsyncRead + Send + Unpin + 'static) {
        let log = self.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(from).split(b'\n');
            while let Ok(Some(line)) = lines.next_segment().await {
                log.push(String::from_utf8_lossy(&line).into_owned());
            }
        });
    }
}

/// An answer over HTTP.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// All header fields.
    pub headers: reqwest::header::HeaderMap,
    /// The body.
    pub body: Value,
}

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests lie in the repository")
        .to_path_buf()
}

/// The command `noetl`, as `make build` leaves it.
pub fn noetl() -> Command {
    let binary = std::env::var_os("NOETL_BIN")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            let test = std::env::current_exe().expect("a test has a path");
            let dir = test
                .parent()
                .and_then(Path::parent)
                .expect("tests lie in target/release/deps");
            dir.join("noetl")
        });
    assert!(
        binary.exists(),
        "{} is missing; `make build` makes it",
        binary.display()
    );
    // Every test begins with this command, and many go on with an HTTP client.
    noetl::tls::choose_provider();
    let mut command = Command::new(binary);
    command
        .current_dir(root())
        .env_remove("DATABASE_URL")
        .kill_on_drop(true);
    command
}

impl Server {
    /// Starts a server on a free port, with two new databases.
    pub async fn start() -> Self {
        let store = Database::create().await;
        let demo = Database::create().await;
        Self::start_with(store, demo).await
    }

    /// Starts a server with these flags beside the usual ones.
    pub async fn start_limited(flags: &[&str]) -> Self {
        let store = Database::create().await;
        let demo = Database::create().await;
        Self::start_as(store, demo, flags, None).await
    }

    /// Starts a server on these databases.
    pub async fn start_with(store: Database, demo: Database) -> Self {
        Self::start_as(store, demo, &[], None).await
    }

    /// Starts a server with these flags, and with the tools in `components`, if
    /// they are not the usual ones.
    pub async fn start_as(
        store: Database,
        demo: Database,
        flags: &[&str],
        components: Option<&Path>,
    ) -> Self {
        let playbooks =
            std::env::var("NOETL_TEST_PLAYBOOKS").unwrap_or_else(|_| "playbooks".into());
        let mut command = noetl();
        if let Some(components) = components {
            command.env("NOETL_COMPONENTS", components);
        }
        let key = match flags.contains(&"--require-auth") {
            true => Some(make_key(&store, "default", "admin", &[]).await),
            false => None,
        };
        let mut child = command
            .args([
                "serve",
                "--dev",
                "--listen",
                "127.0.0.1:0",
                "--playbooks",
                &playbooks,
            ])
            .args(flags)
            .env("DATABASE_URL", &store.url)
            .env("NOETL_MASTER_KEY", MASTER_KEY)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let log = Log::default();
        log.follow(child.stderr.take().expect("it is piped"));
        let stdout = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(stdout).lines();
        let url = tokio::time::timeout(Duration::from_secs(120), async {
            while let Some(line) = lines
                .next_line()
                .await
                .expect("the server's output is text")
            {
                log.push(line.clone());
                if let Some((_, url)) = line.split_once("ready on ") {
                    let url = url.split_whitespace().next().unwrap_or_default();
                    return url.to_owned();
                }
            }
            panic!("the server ended before it was ready");
        })
        .await
        .expect("the server gets ready");
        log.follow(lines.into_inner());
        let server = Self {
            url,
            demo,
            store,
            child,
            log,
            key,
            http: reqwest::Client::new(),
        };
        let reply = server
            .request(
                "PUT",
                "/api/credentials/pg_demo",
                Some(json!({"type": "postgres", "url": server.demo.url})),
            )
            .await;
        assert_eq!(reply.status, 204, "{reply:?}");
        server
    }

    /// Ends the server as an operator does, and gives its databases back.
    pub async fn stop(mut self) -> (Database, Database) {
        let pid = nix::unistd::Pid::from_raw(self.child.id().expect("it runs").cast_signed());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)
            .expect("the server can be ended");
        let status = self.child.wait().await.expect("the server ends");
        assert!(status.success(), "{status}");
        (self.store, self.demo)
    }

    /// Ends the server as a power cut does, and gives its databases back.
    pub async fn kill(mut self) -> (Database, Database) {
        self.child.kill().await.expect("the server can be killed");
        (self.store, self.demo)
    }

    /// The address that it listens on.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Sends a request with a JSON body.
    pub async fn request(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let mut request = self.builder(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Self::reply(request).await
    }

    /// A request that shows the server's key.
    pub fn builder(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// The same server, as whoever has `key` sees it.
    pub fn of<'a>(&'a self, key: &'a str) -> Caller<'a> {
        Caller { server: self, key }
    }

    /// Sends a request with a body as it stands.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        let request = self
            .builder(method, path)
            .header("content-type", content_type)
            .body(body);
        Self::reply(request).await
    }

    /// Sends a request.
    pub async fn reply(request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let content_type = response
            .headers()
            .get("content-type")
            .map(|v| v.to_str().expect("a content type is text").to_owned())
            .unwrap_or_default();
        let text = response.text().await.expect("a body is text");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Reply {
            status,
            content_type,
            headers,
            body,
        }
    }

    /// Registers a playbook's text.
    pub async fn register(&self, yaml: &str) -> Reply {
        self.send(
            "POST",
            "/api/catalog/playbooks",
            "application/yaml",
            yaml.to_owned(),
        )
        .await
    }

    /// Executes a playbook.
    pub async fn execute(&self, path: &str, payload: Value) -> Reply {
        self.request(
            "POST",
            "/api/execute",
            Some(json!({"path": path, "payload": payload})),
        )
        .await
    }

    /// Registers a playbook, which must be right, and executes it.
    pub async fn run(&self, path: &str, yaml: &str, payload: Value) -> Reply {
        let reply = self.register(yaml).await;
        assert_eq!(reply.status, 201, "{reply:#?}");
        self.execute(path, payload).await
    }
}

/// A server, and a key of it.
pub struct Caller<'a> {
    server: &'a Server,
    key: &'a str,
}

impl Caller<'_> {
    /// A request that shows the caller's key.
    pub fn builder(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().expect("a method");
        let url = format!("{}{path}", self.server.url);
        self.server.http.request(method, url).bearer_auth(self.key)
    }

    /// Sends a request with a JSON body.
    pub async fn request(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let mut request = self.builder(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Server::reply(request).await
    }

    /// Registers a playbook's text.
    pub async fn register(&self, yaml: &str) -> Reply {
        let request = self.builder("POST", "/api/catalog/playbooks");
        Server::reply(request.body(yaml.to_owned())).await
    }

    /// Executes a playbook.
    pub async fn execute(&self, path: &str, payload: Value) -> Reply {
        let body = json!({"path": path, "payload": payload});
        self.request("POST", "/api/execute", Some(body)).await
    }
}

/// Makes an API key with `noetl key create`, in the database of a server that runs or
/// will.
pub async fn make_key(store: &Database, tenant: &str, role: &str, flags: &[&str]) -> String {
    let output = noetl()
        .args(["key", "create", "test", "--tenant", tenant, "--role", role])
        .args(flags)
        .env("DATABASE_URL", &store.url)
        .env("NOETL_MASTER_KEY", MASTER_KEY)
        .output()
        .await
        .expect("the command runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("a key is text")
        .trim()
        .to_owned()
}
