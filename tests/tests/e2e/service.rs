//! The service under load: what it takes on at once, and how an execution ends
//! that can't go on.

use std::time::Duration;

use noetl_tests::{Database, Reply, Server};
use serde_json::{Value, json};

/// A playbook of one python step.
fn python(path: &str, code: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: p, path: {path}}}\nworkflow:\n  - step: start\n    next: [{{step: one}}]\n  - step: one\n    tool: python\n    code: |\n      {}\n",
        code.replace('\n', "\n      ")
    )
}

const SLEEP: &str = "import time\ndef main():\n    time.sleep(4)\n    return {'slept': True}";

async fn running(server: &Server) -> i64 {
    let mut connection = server.store.connect().await;
    noetl_tests::scalar(
        &mut connection,
        "SELECT count(*) FROM executions WHERE status = 'running'",
    )
    .await
}

/// Starts executions of `path` and waits until they run.
async fn start(
    server: &Server,
    path: &'static str,
    count: i64,
) -> Vec<tokio::task::JoinHandle<reqwest::Response>> {
    let http = reqwest::Client::new();
    let url = format!("{}/api/execute", server.url);
    let started = (0..count)
        .map(|_| {
            let request = http.post(&url).json(&json!({"path": path}));
            tokio::spawn(async move { request.send().await.expect("the server answers") })
        })
        .collect();
    while running(server).await < count {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    started
}

async fn turned_away(server: &Server, status: u16, limit: &str) {
    let response = reqwest::Client::new()
        .post(format!("{}/api/execute", server.url))
        .header("accept", "text/event-stream")
        .json(&json!({"path": "test/sleep"}))
        .send()
        .await
        .expect("the server answers");
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let problem: Value = response.json().await.expect("a problem");
    assert_eq!(problem["type"], "urn:noetl:problem:overloaded");
    let detail = problem["detail"].as_str().expect("text");
    assert!(detail.contains(limit), "{problem:#}");
}

#[tokio::test]
async fn a_tenants_further_executions_are_turned_away_and_nothing_is_stored() {
    let server = Server::start_limited(&["--tenant-executions", "2"]).await;
    assert_eq!(
        server.register(&python("test/sleep", SLEEP)).await.status,
        201
    );
    let started = start(&server, "test/sleep", 2).await;
    turned_away(&server, 429, "tenant-executions = 2").await;
    let health = server.request("GET", "/health", None).await;
    assert_eq!(health.status, 200);
    for answer in started {
        let answer: Value = answer.await.expect("no panic").json().await.expect("JSON");
        assert_eq!(answer["slept"], true, "what was accepted runs: {answer:#}");
    }
    let mut connection = server.store.connect().await;
    let stored: i64 = noetl_tests::scalar(&mut connection, "SELECT count(*) FROM executions").await;
    assert_eq!(stored, 2);
    assert_eq!(server.execute("test/sleep", json!({})).await.status, 200);
}

#[tokio::test]
async fn the_server_has_a_limit_of_its_own() {
    let server = Server::start_limited(&["--executions", "1"]).await;
    assert_eq!(
        server.register(&python("test/sleep", SLEEP)).await.status,
        201
    );
    let started = start(&server, "test/sleep", 1).await;
    turned_away(&server, 503, "executions = 1").await;
    for answer in started {
        assert_eq!(answer.await.expect("no panic").status(), 200);
    }
}

#[tokio::test]
async fn steps_wait_for_their_turn_and_say_so() {
    let server =
        Server::start_limited(&["--tenant-steps", "1", "--tenant-queued-steps", "1"]).await;
    let code = "import time\ndef main():\n    time.sleep(0.3)";
    assert_eq!(server.register(&python("test/nap", code)).await.status, 201);
    let answers =
        futures_util::future::join_all((0..3).map(|_| server.execute("test/nap", json!({})))).await;
    let (done, refused): (Vec<&Reply>, Vec<_>) = answers.iter().partition(|a| a.status == 200);
    assert_eq!((done.len(), refused.len()), (2, 1), "{answers:#?}");
    assert_eq!(refused[0].status, 503);
    assert_eq!(refused[0].body["error"]["category"], "overloaded");
    let waits = done
        .iter()
        .map(|a| a.body["steps"][0]["queued_ms"].as_f64());
    let longest = waits.flatten().fold(0.0, f64::max);
    assert!(longest > 0.0, "{done:#?}");
}

async fn failed(server: &Server, reply: &Reply, kind: &str, parts: &[&str]) -> Value {
    let problem = &reply.body;
    assert_eq!(
        problem["type"],
        format!("urn:noetl:problem:{kind}"),
        "{problem:#}"
    );
    for part in parts {
        assert!(
            problem["detail"].as_str().is_some_and(|d| d.contains(part)),
            "{part}: {problem:#}"
        );
    }
    let id = problem["execution_id"].as_str().expect("an id");
    let record = server
        .request("GET", &format!("/api/executions/{id}"), None)
        .await
        .body;
    assert_eq!(record["status"], "failed", "{record:#}");
    let events = record["events"].as_array().expect("events");
    assert_eq!(
        events.last().expect("one")["event"],
        "execution_finished",
        "{record:#}"
    );
    record
}

#[tokio::test]
async fn an_execution_ends_at_its_deadline() {
    let server = Server::start_limited(&["--execution-time", "1"]).await;
    let reply = server
        .run("test/sleep", &python("test/sleep", SLEEP), json!({}))
        .await;
    assert_eq!(reply.status, 504);
    let record = failed(
        &server,
        &reply,
        "timeout",
        &["step `one`", "execution-time = 1 s", "--execution-time"],
    )
    .await;
    assert_eq!(record["events"][2]["event"], "step_finished", "{record:#}");
    assert_eq!(record["events"][2]["data"]["status"], "failed");
}

#[tokio::test]
async fn an_executions_data_is_bounded() {
    let server = Server::start_limited(&["--execution-bytes", "20000000"]).await;
    let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: grow, path: test/grow}
workload: {text: ''}
workflow:
  - step: start
    next: [{step: more}]
  - step: more
    tool: python
    code: |
      def main(): return 'x' * 1000000
    vars:
      all: '{{ (vars.all or []) + [result.data] }}'
    next:
      - when: '{{ vars.all | length > 1000 }}'
        then: [{step: end}]
      - step: more
  - step: end
";
    let reply = server.run("test/grow", yaml, json!({})).await;
    let parts = ["step `more`", "execution-bytes = 20000000", "return less"];
    let record = failed(&server, &reply, "limit", &parts).await;
    let steps = record["events"].as_array().expect("events").len();
    assert!((20..50).contains(&steps), "{steps} events");

    let numbers = vec![1; 1_000_000];
    let reply = server
        .execute("test/grow", json!({ "text": numbers }))
        .await;
    failed(&server, &reply, "limit", &["execution-bytes"]).await;
}

#[tokio::test]
async fn a_cycle_without_tools_ends() {
    let server = noetl_tests::server().await;
    let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: round, path: test/round}
workflow:
  - step: start
    next: [{step: a}]
  - step: a
    next: [{step: b}]
  - step: b
    next:
      - when: '{{ vars.never is defined }}'
        then: [{step: end}]
      - step: a
  - step: end
    tool: python
    code: |
      def main(): return 1
    vars: {never: 1}
";
    let reply = server.run("test/round", yaml, json!({})).await;
    failed(&server, &reply, "limit", &["10000 steps", "cycle"]).await;
}

#[tokio::test]
async fn an_execution_whose_tool_is_gone_is_marked_as_failed() {
    let tools = tempfile::tempdir().expect("a temporary directory");
    let components = std::path::PathBuf::from(std::env::var_os("NOETL_COMPONENTS").expect("set"));
    let link = |name: &str, as_name: &str| {
        std::os::unix::fs::symlink(components.join(name), tools.path().join(as_name))
            .expect("a link can be made");
    };
    link("python.wasm", "python.wasm");
    link("postgres.wasm", "postgres.wasm");
    link("test/probe.wasm", "probe.wasm");
    let grants = tools.path().join("grants.yaml");
    std::fs::write(&grants, "tenants:\n  default: {tools: all}\n").expect("a file can be written");
    let flags = ["--grants", grants.to_str().expect("a text")];
    let (store, demo) = (Database::create().await, Database::create().await);
    let server = Server::start_as(store, demo, &flags, Some(tools.path())).await;
    let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: probe, path: test/probe}
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: probe
    op: echo
";
    let reply = server.run("test/probe", yaml, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");

    let (store, demo) = server.stop().await;
    std::fs::remove_file(tools.path().join("probe.wasm")).expect("it is there");
    let server = Server::start_as(store, demo, &flags, Some(tools.path())).await;
    let reply = server.execute("test/probe", json!({})).await;
    assert_eq!(reply.status, 422, "{reply:#?}");
    let record = failed(&server, &reply, "invalid-playbook", &["probe"]).await;
    assert_eq!(record["error"]["kind"], "invalid-playbook");
    let message = record["error"]["message"].as_str().expect("text");
    assert!(message.contains("probe"), "{record:#}");
    assert_eq!(running(&server).await, 0);
}
