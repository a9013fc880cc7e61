//! What a server tells who runs it: metrics, health, logs, traces, request ids.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use noetl_tests::{Collector, Database, Server, Span, noetl, token};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

const PROVISION: &str = "api_integration/auth0/provision_auth_schema";
const LOGIN: &str = "api_integration/auth0/auth0_login";

/// A playbook of one step.
fn playbook(path: &str, step: &str) -> String {
    let step = step.replace('\n', "\n    ");
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: p, path: {path}}}\nworkflow:\n  - step: start\n    next: [{{step: one}}]\n  - step: one\n    {step}\n"
    )
}

async fn get(url: &str) -> reqwest::Response {
    reqwest::get(url).await.expect("the server answers")
}

async fn status(url: &str) -> (u16, Value) {
    let response = get(url).await;
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

/// Where the server's metrics and health are by themselves.
fn operating(server: &Server) -> String {
    let lines = server.log.lines();
    let line = lines
        .iter()
        .find(|line| line.starts_with("metrics and health on "));
    line.and_then(|line| line.rsplit(' ').next())
        .expect("an address")
        .to_owned()
}

/// The values by name and labels, as they are written.
async fn metrics(url: &str) -> BTreeMap<String, f64> {
    let response = get(&format!("{url}/metrics")).await;
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"]
        .to_str()
        .expect("text")
        .to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = response.text().await.expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect()
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let server = Server::start_limited(&["--metrics-listen", "127.0.0.1:0"]).await;
    let url = operating(&server);
    assert_ne!(url, server.url);
    assert_eq!(server.execute(PROVISION, json!({})).await.status, 200);
    let claims = json!({"sub": "auth0|1", "email": "ada@example.com", "name": "Ada"});
    let payload = json!({"auth0_token": token(&claims)});
    assert_eq!(server.execute(LOGIN, payload).await.status, 200);
    let denied = "tool: postgres\nauth: none\nquery: SELECT 1";
    let failing = "tool: python\ncode: |\n  def main():\n      raise ValueError('no')";
    for (path, step, status) in [("test/denied", denied, 403), ("test/fails", failing, 422)] {
        let reply = server.run(path, &playbook(path, step), json!({})).await;
        assert_eq!(reply.status, status, "{reply:#?}");
    }
    server.request("GET", "/no/such/route", None).await;

    let found = metrics(&url).await;
    let value = |name: &str| {
        let known = || panic!("{name}: {:#?}", found.keys());
        *found.get(name).unwrap_or_else(known)
    };
    let steps = |tool: &str, outcome: &str| {
        value(&format!(
            r#"noetl_steps_total{{tenant="default",tool="{tool}",outcome="{outcome}"}}"#
        ))
    };
    assert_eq!(steps("python", "success"), 2.0);
    assert_eq!(steps("python", "failed"), 1.0);
    assert_eq!(steps("postgres", "denied"), 1.0);
    assert_eq!(
        value(r#"noetl_step_duration_seconds_count{tool="python"}"#),
        3.0
    );
    assert!(value(r#"noetl_step_memory_bytes_sum{tool="python"}"#) > 3e7);
    assert!(value(r#"noetl_step_cpu_seconds_total{tenant="default",tool="python"}"#) > 0.0);
    assert_eq!(
        value("noetl_step_queue_wait_seconds_count"),
        steps("postgres", "success") + 4.0
    );
    assert_eq!(
        value(r#"noetl_executions_total{tenant="default",status="success"}"#),
        2.0
    );
    assert_eq!(
        value(r#"noetl_executions_total{tenant="default",status="failed"}"#),
        2.0
    );
    assert_eq!(
        value(r#"noetl_host_calls_total{kind="postgres.open",outcome="denied"}"#),
        1.0
    );
    assert!(value(r#"noetl_host_calls_total{kind="postgres.query",outcome="ok"}"#) >= 3.0);
    assert_eq!(
        value(r#"noetl_http_requests_total{method="POST",route="/api/execute",status="200"}"#),
        2.0
    );
    assert_eq!(
        value(r#"noetl_http_requests_total{method="GET",route="none",status="404"}"#),
        1.0
    );
    let workers = value("noetl_workers");
    assert!(workers >= 1.0);
    assert_eq!(
        value(r#"noetl_worker_starts_total{reason="start"}"#),
        workers
    );
    let loads = found
        .iter()
        .filter(|(name, _)| name.starts_with("noetl_component_loads_total"));
    assert_eq!(loads.map(|(_, count)| count).sum::<f64>(), 5.0);
    for process in ["server", "worker-0"] {
        let name = format!(r#"noetl_memory_bytes{{process="{process}",kind="rss"}}"#);
        assert!(value(&name) > 1e6, "{name}");
    }
    let idle = r#"noetl_postgres_connections{tenant="default",credential="pg_demo",state="idle"}"#;
    assert!(value(idle) >= 1.0);
    assert!(value(r#"noetl_store_connections{state="idle"}"#) >= 1.0);
    assert!(value("noetl_uptime_seconds") > 0.0);
    assert_eq!(value(r#"noetl_build_info{version="0.1.0"}"#), 1.0);
    assert!(
        !found
            .keys()
            .any(|name| name.starts_with("noetl_executions_running"))
    );

    let text = get(&format!("{url}/metrics"))
        .await
        .text()
        .await
        .expect("text");
    let documented = include_str!("../../../docs/operations.md");
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).expect("a name");
        assert!(documented.contains(&format!("| `{name}` |")), "{name}");
    }

    let main = metrics(&server.url).await;
    assert!(
        main.keys()
            .any(|name| name.starts_with("noetl_steps_total"))
    );
}

#[tokio::test]
async fn metrics_show_what_runs_and_waits_now() {
    let server = Server::start_limited(&["--tenant-steps", "1"]).await;
    let sleep = "tool: python\ncode: |\n  import time\n  def main():\n      time.sleep(2)";
    assert_eq!(
        server.register(&playbook("test/sleep", sleep)).await.status,
        201
    );
    let both = async {
        let (one, other) = tokio::join!(
            server.execute("test/sleep", json!({})),
            server.execute("test/sleep", json!({}))
        );
        assert_eq!((one.status, other.status), (200, 200));
    };
    let seen = async {
        loop {
            let found = metrics(&server.url).await;
            let now = ["executions_running", "steps_running", "steps_queued"].map(|name| {
                found
                    .get(&format!(r#"noetl_{name}{{tenant="default"}}"#))
                    .copied()
            });
            if now == [Some(2.0), Some(1.0), Some(1.0)] {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(both, seen) })
        .await
        .expect("both run, one after the other");
}

#[tokio::test]
async fn a_server_is_ready_while_its_database_and_workers_are() {
    let server = Server::start().await;
    let ready = format!("{}/health/ready", server.url);
    let live = format!("{}/health/live", server.url);
    let (code, body) = status(&ready).await;
    let checks = json!({"database": "ok", "migrations": "ok", "workers": "ok", "accepting": "ok"});
    assert_eq!((code, &body["checks"]), (200, &checks), "{body:#}");

    // A table's change that was never made.
    let mut store = server.store.connect().await;
    let taken = "UPDATE _sqlx_migrations SET success = false WHERE version = 1";
    sqlx::query(taken)
        .execute(&mut store)
        .await
        .expect("it is there");
    let (code, body) = status(&ready).await;
    assert_eq!(code, 503);
    assert_eq!(
        body["checks"]["migrations"],
        "1 missing; `noetl migrate` applies them"
    );
    assert_eq!(body["checks"]["database"], "ok");
    let given = "UPDATE _sqlx_migrations SET success = true";
    sqlx::query(given)
        .execute(&mut store)
        .await
        .expect("it is there");

    // The database lets nobody in any more, and puts out who is.
    drop(store);
    let (_, name) = server.store.url.rsplit_once('/').expect("a URL");
    let mut admin = Database::admin().await;
    for statement in [
        format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"),
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
    ] {
        let done = sqlx::query(AssertSqlSafe(statement))
            .execute(&mut admin)
            .await;
        done.expect("the superuser may");
    }
    let (code, body) = status(&ready).await;
    assert_eq!(code, 503, "{body:#}");
    assert_ne!(body["checks"]["database"], "ok", "{body:#}");
    assert_eq!(body["checks"]["workers"], "ok", "{body:#}");
    assert_eq!(status(&live).await.0, 200);
    let again = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
    let done = sqlx::query(AssertSqlSafe(again)).execute(&mut admin).await;
    done.expect("the superuser may");
    until(&ready, 200, |_| true).await;

    // Its workers die as soon as they are there, until that is told; then they are
    // replaced. One that dies young is not replaced at once, so there is time to see it.
    let dead = |body: &Value| body["checks"]["workers"] == "no sandbox worker runs";
    let killing = async {
        loop {
            for worker in workers_of(&server) {
                let _ = kill(Pid::from_raw(worker), Signal::SIGKILL);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let told = tokio::select! {
        told = until(&ready, 503, dead) => told,
        () = killing => unreachable!("it does not end"),
    };
    assert_eq!(told["checks"]["database"], "ok");
    until(&ready, 200, |_| true).await;
}

/// Asks until the answer is this one.
async fn until(url: &str, code: u16, fits: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let (found, body) = status(url).await;
            if found == code && fits(&body) {
                return body;
            }
        }
    };
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, asking)
        .await
        .expect("it comes to that")
}

fn workers_of(server: &Server) -> Vec<i32> {
    let server = server.child.id().expect("it runs");
    let of_threads = std::fs::read_dir(format!("/proc/{server}/task")).expect("it runs");
    let lists = of_threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

#[tokio::test]
async fn a_server_that_stops_is_alive_and_not_ready() {
    let mut server = Server::start_limited(&["--metrics-listen", "127.0.0.1:0"]).await;
    let url = operating(&server);
    let sleep = "tool: python\ncode: |\n  import time\n  def main():\n      time.sleep(3)\n      return {'slept': True}";
    assert_eq!(
        server.register(&playbook("test/sleep", sleep)).await.status,
        201
    );
    let execute = server.execute("test/sleep", json!({}));
    let stop = async {
        until_running(&server).await;
        let id = server.child.id().expect("it runs").cast_signed();
        kill(Pid::from_raw(id), Signal::SIGTERM).expect("it runs");
        let stopping = |body: &Value| body["checks"]["accepting"] == "the server is stopping";
        until(&format!("{url}/health/ready"), 503, stopping).await;
        assert_eq!(status(&format!("{url}/health/live")).await.0, 200);
        metrics(&url).await;
    };
    let (reply, ()) = tokio::join!(execute, stop);
    assert_eq!(reply.body["slept"], true, "{reply:#?}");
    assert!(server.child.wait().await.expect("it ends").success());
}

async fn until_running(server: &Server) {
    loop {
        let running = r#"noetl_steps_running{tenant="default"}"#;
        if metrics(&server.url).await.get(running) == Some(&1.0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let server = Server::start().await;
    let ask = async |path: &str, id: Option<&str>| {
        let mut request = reqwest::Client::new().get(format!("{}{path}", server.url));
        if let Some(id) = id {
            request = request.header("x-request-id", id);
        }
        let response = request.send().await.expect("the server answers");
        let id = response.headers()["x-request-id"]
            .to_str()
            .expect("text")
            .to_owned();
        (id, response.json::<Value>().await.expect("JSON"))
    };
    let (id, _) = ask("/health", Some("from-the-client/1")).await;
    assert_eq!(id, "from-the-client/1");
    let (one, problem) = ask("/no/such/route", None).await;
    assert_eq!(problem["request_id"], json!(one));
    let (other, problem) = ask("/api/executions/x", Some(&"x".repeat(129))).await;
    assert_eq!(problem["request_id"], json!(other));
    for made in [&one, &other] {
        let version = made
            .parse::<uuid::Uuid>()
            .expect("a UUID")
            .get_version_num();
        assert_eq!(version, 7);
    }
    assert_ne!(one, other);
}

#[tokio::test]
async fn a_line_of_the_log_is_json_that_says_what_it_is_about() {
    let server = Server::start_limited(&["--log-format", "json"]).await;
    let step = "tool: postgres\nauth: none\nquery: SELECT 1";
    assert_eq!(
        server.register(&playbook("test/denied", step)).await.status,
        201
    );
    let response = reqwest::Client::new()
        .post(format!("{}/api/execute", server.url))
        .header("x-request-id", "one-request")
        .json(&json!({"path": "test/denied"}))
        .send()
        .await
        .expect("the server answers");
    let problem: Value = response.json().await.expect("JSON");
    let lines = server.log.lines();
    let lines = lines.iter().filter(|line| line.starts_with('{'));
    let mut lines = lines.map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let denied = lines.find(|line| line["target"] == "noetl::denied");
    let denied = denied.expect("the denial was logged");
    assert_eq!(denied["level"], "WARN", "{denied:#}");
    let spans = denied["spans"].as_array().expect("spans");
    let of = |name: &str| {
        spans
            .iter()
            .find(|span| span["name"] == name)
            .expect("a span")
    };
    assert_eq!(of("request")["request_id"], "one-request", "{denied:#}");
    assert_eq!(of("execution")["execution_id"], problem["execution_id"]);
    assert_eq!(of("execution")["tenant"], "default");
    assert_eq!(of("step")["step"], "one");
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found.next();
    assert!(found.next().is_none(), "{name} is there twice: {spans:#?}");
    span.unwrap_or_else(|| panic!("no span `{name}`: {spans:#?}"))
}

#[tokio::test]
async fn a_login_is_one_trace_from_the_request_to_the_statement() {
    let collector = Collector::start().await;
    let server = Server::start_limited(&["--otlp-endpoint", &collector.url]).await;
    assert_eq!(server.execute(PROVISION, json!({})).await.status, 200);
    let claims = json!({"sub": "auth0|1", "email": "canary@example.com", "name": "Canary"});
    let auth0_token = token(&claims);
    let (trace, caller) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let response = reqwest::Client::new()
        .post(format!("{}/api/execute", server.url))
        .header("traceparent", format!("00-{trace}-{caller}-01"))
        .header("tracestate", "vendor=1")
        .json(&json!({"path": LOGIN, "payload": {"auth0_token": auth0_token}}))
        .send()
        .await
        .expect("the server answers");
    let own = response.headers()["traceresponse"]
        .to_str()
        .expect("text")
        .to_owned();
    let answer: Value = response.json().await.expect("JSON");
    assert_eq!(answer["status"], "success", "{answer:#}");

    // The request ends last, when all that it led to has.
    let spans = collector.trace(trace, "POST /api/execute").await;
    let request = named(&spans, "POST /api/execute");
    assert_eq!(request.parent, caller);
    assert_eq!(own, format!("00-{trace}-{}-01", request.id));
    assert_eq!(request.resource["service.name"], "noetl");
    assert_eq!(request.attributes["http.route"], "/api/execute");
    assert_eq!(request.attributes["http.response.status_code"], "200");

    let execution = named(&spans, &format!("execute {LOGIN}"));
    assert_eq!(execution.parent, request.id);
    assert_eq!(execution.attributes["tenant"], "default");
    assert_eq!(execution.attributes["version"], "1");
    assert_eq!(
        execution.attributes["execution_id"],
        answer["execution_id"].as_str().expect("an id")
    );
    let steps = ["decode_token", "upsert_user", "create_session", "success"];
    for step in steps {
        let span = named(&spans, &format!("step {step}"));
        assert_eq!(span.parent, execution.id, "{step}");
        assert!(!span.failed);
    }
    assert_eq!(
        named(&spans, "step decode_token").attributes["tool"],
        "python"
    );
    let upsert = named(&spans, "step upsert_user");
    let under: Vec<&Span> = spans
        .iter()
        .filter(|span| span.parent == upsert.id)
        .collect();
    assert!(
        under.iter().any(|span| span.name == "postgres.open"),
        "{under:#?}"
    );
    let insert = under
        .iter()
        .find(|span| span.name == "INSERT")
        .expect("the statement");
    assert_eq!(insert.attributes["db.system.name"], "postgresql");
    assert_eq!(insert.attributes["db.operation.name"], "INSERT");

    // What the caller sent and what the credential holds is nobody else's.
    let all = format!("{:?}", collector.spans());
    for secret in ["canary@example.com", &auth0_token, &server.demo.password] {
        assert!(!all.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn a_failed_step_is_an_error_and_the_database_sees_the_trace() {
    let collector = Collector::start().await;
    let server = Server::start_limited(&["--otlp-endpoint", &collector.url]).await;
    let seen = "tool: postgres\nauth: pg_demo\nquery: |\n  SELECT 1;\n  SELECT current_setting('application_name') AS name;\n  SELECT 1/0;";
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let look = seen.replace("SELECT 1/0;", "SELECT 2;");
    for (path, step) in [("test/look", &look[..]), ("test/fail", seen)] {
        assert_eq!(server.register(&playbook(path, step)).await.status, 201);
    }
    let execute = async |path: &str, sampled: &str| {
        let response = reqwest::Client::new()
            .post(format!("{}/api/execute", server.url))
            .header(
                "traceparent",
                format!("00-{trace}-00f067aa0ba902b7-{sampled}"),
            )
            .json(&json!({"path": path}))
            .send()
            .await
            .expect("the server answers");
        response.json::<Value>().await.expect("JSON")
    };
    let answer = execute("test/look", "01").await;
    let name = answer["command_2"][0]["name"].as_str().expect("a name");
    assert!(name.starts_with(&format!("noetl 00-{trace}-")), "{name}");
    // Who asked for no sample gets none.
    let answer = execute("test/look", "00").await;
    let name = answer["command_2"][0]["name"].as_str().expect("a name");
    assert!(name.ends_with("-00"), "{name}");

    execute("test/fail", "01").await;
    let spans = collector.trace(trace, "execute test/fail").await;
    let failed: Vec<&str> = spans
        .iter()
        .filter(|s| s.failed)
        .map(|s| &s.name[..])
        .collect();
    assert_eq!(
        failed,
        ["SELECT", "step one", "execute test/fail"],
        "{spans:#?}"
    );
    let statement = spans
        .iter()
        .find(|span| span.failed && span.name == "SELECT");
    let attributes = &statement.expect("it is there").attributes;
    assert_eq!(attributes["db.response.status_code"], "22012");
    let looks = spans.iter().filter(|span| span.name == "execute test/look");
    assert_eq!(looks.count(), 1, "{spans:#?}");

    // What was not sent yet is sent when the server ends.
    execute("test/look", "01").await;
    server.stop().await;
    let spans = collector.spans();
    let looks = spans.iter().filter(|span| span.name == "execute test/look");
    assert_eq!(looks.count(), 2);
}

#[tokio::test]
async fn a_collector_that_is_not_there_costs_nothing_but_its_spans() {
    let server = Server::start_limited(&["--otlp-endpoint", "http://127.0.0.1:9"]).await;
    assert_eq!(server.execute(PROVISION, json!({})).await.status, 200);
    let log = server.log.clone();
    server.stop().await;
    let lines = log.lines();
    let told = lines
        .iter()
        .filter(|line| line.contains("spans of traces can't be sent"));
    assert_eq!(told.count(), 1, "{lines:#?}");

    for (url, part) in [
        ("localhost", "is not the URL of a collector"),
        ("http://u:canary@localhost:4318", "has a password in it"),
    ] {
        let output = noetl()
            .args(["serve", "--otlp-endpoint", url])
            .output()
            .await;
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(part), "{said}");
        assert!(!said.contains("canary"), "{said}");
    }
}
