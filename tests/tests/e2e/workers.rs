//! The second wall: processes that run steps, and what it takes to lose one.

use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use noetl::capabilities::postgres::{self, CredentialSource};
use noetl::grants::Grant;
use noetl::sandbox::{
    ErrorCategory, StepOutcome, StepRequest, StepRunner, WorkerSettings, Workers, worker_command,
};
use noetl::secrets::Secret;
use noetl_tests::{Database, noetl};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::sandbox::{CACHE, Sandbox, components, outside_with};

/// Something in this process's memory, which is the server's here.
static SECRET: [u8; 16] = *b"in the server's!";

/// The one credential `db`, or none.
struct Credential(Option<String>);

impl Credential {
    fn none() -> Self {
        Self(None)
    }

    fn db(database: &Database) -> Self {
        Self(Some(database.url.clone()))
    }
}

#[async_trait::async_trait]
impl CredentialSource for Credential {
    async fn find(&self, _: &str, alias: &str) -> anyhow::Result<Option<postgres::Credential>> {
        let url = self.0.clone().filter(|_| alias == "db");
        Ok(url.map(|url| postgres::Credential {
            url: Secret::new(url),
            allow_privileged: false,
        }))
    }
}

fn settings(workers: usize) -> WorkerSettings {
    WorkerSettings {
        program: noetl().as_std().get_program().into(),
        workers,
        cache_dir: CACHE.path().into(),
    }
}

async fn pool(workers: usize, credential: Credential) -> Workers {
    let settings = settings(workers);
    let tools = [
        ("python", "python.wasm"),
        ("postgres", "postgres.wasm"),
        ("probe", "test/probe.wasm"),
    ];
    let tools = tools.map(|(name, wasm)| {
        Workers::compile(&settings, name, &components().join(wasm)).expect("the tool compiles")
    });
    Workers::start(
        settings,
        tools.into(),
        outside_with(credential),
        noetl::metrics::Metrics::new(),
    )
    .await
    .expect("the workers start")
}

fn python(code: &str) -> StepRequest {
    StepRequest {
        tool: "python".into(),
        config: json!({"code": code, "file": "test.yaml", "line": 1}),
        args: json!({}),
        ..Sandbox::request()
    }
}

fn sql(sql: &str) -> StepRequest {
    StepRequest {
        tool: "postgres".into(),
        config: json!({"credential": "db", "statements": [{"text": sql, "params": []}]}),
        args: json!({}),
        grant: Arc::new(Grant::built_in()),
        ..Sandbox::request()
    }
}

fn end(pids: &[u32], signal: Signal) {
    for pid in pids {
        kill(Pid::from_raw(pid.cast_signed()), signal).expect("the worker lives");
    }
}

/// Waits until as many workers live, none of them one of `before`.
async fn replaced(workers: &Workers, count: usize, before: &[u32]) -> Vec<u32> {
    let wait = async {
        loop {
            let pids = workers.pids();
            if pids.len() == count && !pids.iter().any(|pid| before.contains(pid)) {
                return pids;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait)
        .await
        .expect("workers are replaced")
}

fn works(outcome: StepOutcome) -> Value {
    outcome.result.expect("the step works")
}

/// Native code in a worker's place, and what it got.
async fn hostile(arguments: &[&str], port: u16, inherited: &OwnedFd) -> Value {
    let (ours, theirs) = StdUnixStream::pair().expect("a socket");
    ours.set_nonblocking(true).expect("a socket");
    let mut command = worker_command(Path::new(env!("CARGO_BIN_EXE_hostile")), theirs.into());
    command
        .args(arguments)
        .arg(std::process::id().to_string())
        .arg(port.to_string())
        .arg(inherited.as_raw_fd().to_string())
        .arg((SECRET.as_ptr() as usize).to_string());
    let mut child = command.spawn().expect("the program starts");
    drop(command);
    let mut report = String::new();
    tokio::net::UnixStream::from_std(ours)
        .expect("a socket")
        .read_to_string(&mut report)
        .await
        .expect("a report");
    child.wait().await.expect("the program ends");
    serde_json::from_str(&report).unwrap_or_else(|e| panic!("{e}: {report}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn native_code_in_a_worker_reaches_nothing() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    // A file that whoever started the server forgot to close.
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"left open").expect("a file");
    let inherited = nix::unistd::dup(&file).expect("a file that children get");

    // What the attempts are worth: unconfined, nearly all of them succeed.
    let free = hostile(&["--free"], port, &inherited).await;
    let got = free["got"].as_object().expect("attempts");
    let succeeded: Vec<_> = got.iter().filter(|(_, what)| !what.is_null()).collect();
    assert!(succeeded.len() > got.len() / 2, "{free:#}");
    assert_eq!(free["got"]["read an inherited file"], "left open");

    let confined = hostile(&[], port, &inherited).await;
    assert_eq!(confined["missing"], json!([]), "{confined:#}");
    assert_eq!(confined["environment"], json!([]), "{confined:#}");
    let got = confined["got"].as_object().expect("attempts");
    assert!(got.len() >= 30, "{confined:#}");
    for (attempt, what) in got {
        assert!(what.is_null(), "{attempt}: {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_has_no_environment_no_files_and_no_rights() {
    let workers = pool(1, Credential::none()).await;
    assert_eq!(workers.confinement().missing().count(), 0);
    let pid = workers.pids()[0];
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
    if nix::unistd::geteuid().is_root() {
        assert_eq!(read("environ").expect("readable by root"), "");
        let links = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("readable by root");
        for link in links {
            let path = std::fs::read_link(link.expect("a file").path()).expect("a link");
            let path = path.to_string_lossy();
            let ours = path.ends_with(".cwasm") || path.starts_with("/memfd:");
            let open = ours || !path.starts_with('/') || path == "/dev/null";
            assert!(open, "a worker has {path} open");
        }
    }
    let status = read("status").expect("readable by all");
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.expect(name).trim().to_owned()
    };
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
    assert_eq!(field("CapEff:").trim_matches('0'), "");
    assert_ne!(field("Uid:").split_whitespace().next(), Some("0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_all_tools_run_in_workers() {
    let database = Database::create().await;
    let workers = Arc::new(pool(2, Credential::db(&database)).await);
    let code = "import os, uuid\ndef main():\n    print('hello')\n    return [str(uuid.uuid4()), dict(os.environ)]\n";
    let steps = (0..64).map(|_| {
        let workers = Arc::clone(&workers);
        tokio::spawn(async move { workers.run(python(code)).await })
    });
    let mut ids = std::collections::HashSet::new();
    for step in steps.collect::<Vec<_>>() {
        let outcome = step.await.expect("no panic");
        assert_eq!(outcome.log[0].message.trim(), "hello");
        assert!(outcome.usage.memory_bytes > 0);
        let result = works(outcome);
        assert_eq!(result[1], json!({}));
        ids.insert(result[0].to_string());
    }
    assert_eq!(ids.len(), 64);
    let result = works(workers.run(sql("SELECT 9007199254740993::int8 AS n")).await);
    assert_eq!(
        result["command_1"][0]["n"].to_string(),
        "9007199254740993",
        "{result}"
    );
    works(workers.run(sql("CREATE TABLE t (a int, b int[])")).await);
    let rows = json!([{"a": 1, "b": [2]}, {"a": 3}]);
    let copy = json!({"table": ["t"]});
    let copied = works(workers.run(crate::copy::request(copy, rows)).await);
    assert_eq!(copied, json!({"table": "t", "rows": 2}));
    let denied = workers
        .run(StepRequest {
            config: json!({"op": "open", "text": "someone_elses"}),
            ..Sandbox::request()
        })
        .await;
    assert!(works(denied).to_string().contains("AccessDenied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_without_effect_survives_its_worker_once() {
    let workers = Arc::new(pool(1, Credential::none()).await);
    let sleep = || {
        let workers = Arc::clone(&workers);
        tokio::spawn(async move {
            let code = "import time\ndef main():\n    time.sleep(1)\n    return 'slept'\n";
            workers.run(python(code)).await
        })
    };
    let step = sleep();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let first = workers.pids();
    end(&first, Signal::SIGKILL);
    assert_eq!(works(step.await.expect("no panic")), "slept");
    let second = replaced(&workers, 1, &first).await;

    // A step that loses every worker it gets is what they die of.
    let step = sleep();
    tokio::time::sleep(Duration::from_millis(300)).await;
    end(&second, Signal::SIGKILL);
    let third = replaced(&workers, 1, &second).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    end(&third, Signal::SIGKILL);
    let error = step
        .await
        .expect("no panic")
        .result
        .expect_err("it is lost");
    assert_eq!(
        (error.category, error.kind.as_str()),
        (ErrorCategory::Internal, "worker_lost"),
        "{error}"
    );
    assert!(error.message.contains("signal: 9"), "{error}");
    replaced(&workers, 1, &third).await;
    assert_eq!(works(sleep().await.expect("no panic")), "slept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_with_an_effect_is_not_run_again() {
    let database = Database::create().await;
    let workers = Arc::new(pool(1, Credential::db(&database)).await);
    works(workers.run(sql("CREATE TABLE t (n int)")).await);
    let step = {
        let workers = Arc::clone(&workers);
        let insert = "INSERT INTO t SELECT 1 FROM pg_sleep(5)";
        tokio::spawn(async move { workers.run(sql(insert)).await })
    };
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = workers.pids();
    end(&before, Signal::SIGKILL);
    let error = step
        .await
        .expect("no panic")
        .result
        .expect_err("it is lost");
    assert_eq!(error.kind, "worker_lost", "{error}");
    replaced(&workers, 1, &before).await;
    let rows = works(workers.run(sql("SELECT count(*) AS n FROM t")).await);
    assert_eq!(rows["command_1"][0]["n"], 0, "what it did is undone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_is_ended() {
    let workers = pool(1, Credential::none()).await;
    let before = workers.pids();
    end(&before, Signal::SIGSTOP);
    // Runs in the worker that comes after it.
    assert_eq!(
        works(workers.run(python("def main(): return 1\n")).await),
        1
    );
    replaced(&workers, 1, &before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn components_are_compiled_apart_and_machine_code_is_refused() {
    let settings = settings(1);
    let file = tempfile::NamedTempFile::new().expect("a file");
    let compile = |bytes: &[u8]| {
        std::fs::write(file.path(), bytes).expect("a file");
        Workers::compile(&settings, "bad", file.path())
            .map(|tool| tool.name)
            .expect_err("it is refused")
    };
    let error = compile(b"not wasm");
    assert!(
        format!("{error:#}").contains("not a component"),
        "{error:#}"
    );
    let module = compile(b"\0asm\x01\0\0\0");
    assert!(
        format!("{module:#}").contains("not a component"),
        "{module:#}"
    );
    let probe = components().join("test/probe.wasm");
    Workers::compile(&settings, "probe", &probe).expect("the probe compiles");
    let compiled: PathBuf = std::fs::read_dir(CACHE.path())
        .expect("the cache")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|e| e == "cwasm"))
        .expect("the probe was compiled");
    let error = compile(&std::fs::read(compiled).expect("machine code"));
    assert!(format!("{error:#}").contains("machine code"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_outlives_its_workers() {
    let server = noetl_tests::server().await;
    let yaml = "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {name: one, path: test/one}\nworkflow:\n  - step: start\n    next: [{step: one}]\n  - step: one\n    tool: python\n    code: |\n      def main():\n          return {'one': 1}\n    next: [{step: end}]\n  - step: end\n";
    let reply = server.run("test/one", yaml, json!({})).await;
    assert_eq!(reply.body["one"], 1, "{reply:#?}");
    for _ in 0..3 {
        let children = children(server.child.id().expect("it runs"));
        assert!(!children.is_empty());
        end(&children, Signal::SIGKILL);
        let reply = server.execute("test/one", json!({})).await;
        assert_eq!(reply.body["one"], 1, "{reply:#?}");
    }
    let health = server.request("GET", "/health", None).await;
    assert_eq!(health.status, 200);
}

/// The processes that a process has started.
fn children(pid: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|pids| {
            pids.split_whitespace()
                .map(|pid| pid.parse().expect("a number"))
                .collect::<Vec<u32>>()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_how_steps_are_confined() {
    let output = noetl().arg("doctor").output().await.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for mechanism in ["seccomp", "Landlock", "no_new_privs", "rlimits"] {
        assert!(text.contains(&format!("ok       {mechanism}")), "{text}");
    }
}
