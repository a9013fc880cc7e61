//! Limits of steps, as a playbook sets them and as a caller hears of them.

use noetl_tests::{Reply, Server, server};
use serde_json::{Value, json};

fn playbook(limits: &str, tool: &str) -> String {
    let tool: String = tool.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: noetl.io/v1
kind: Playbook
metadata: {{name: limit, path: test/limit}}
workflow:
  - step: start
    next: [{{step: work}}]
  - step: work
    limits: {limits}
{tool}    next: [{{step: end}}]
  - step: end
"
    )
}

fn python(body: &str) -> String {
    format!("tool: python\ncode: |\n  import time\n  def main():\n      {body}\n")
}

fn postgres(query: &str) -> String {
    format!("tool: postgres\nauth: pg_demo\nquery: |\n  {query}\n")
}

async fn run(server: &Server, limits: &str, tool: &str) -> Reply {
    let yaml = playbook(limits, tool);
    server.run("test/limit", &yaml, json!({})).await
}

fn detail(reply: &Reply) -> &str {
    reply.body["detail"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn every_limit_of_a_step_ends_it_and_says_how_to_raise_it() {
    let server = server().await;
    let rows = "SELECT n, repeat('x', 100) FROM generate_series(1, 10) n";
    for (limit, value, tool) in [
        ("time", "100ms", python("time.sleep(60)")),
        ("time", "150ms", python("while True: pass")),
        ("time", "200ms", postgres("SELECT pg_sleep(60)")),
        ("cpu", "50ms", python("while True: pass")),
        ("memory", "40MiB", python("x = bytearray(64 << 20)")),
        ("table_elements", "10", python("return 1")),
        ("instances", "1", python("return 1")),
        ("output", "1KiB", python("return 'x' * 2000")),
        ("host_calls", "1000", python("while True: time.monotonic()")),
        ("host_call_bytes", "1KiB", python("return 'x' * 2000")),
        (
            "postgres_calls",
            "2",
            postgres("SELECT 1; SELECT 2; SELECT 3"),
        ),
        ("postgres_connections", "0", postgres("SELECT 1")),
        (
            "postgres_statement_bytes",
            "10B",
            postgres("SELECT 1, 2, 3"),
        ),
        ("postgres_rows", "9", postgres(rows)),
        ("postgres_bytes", "500B", postgres(rows)),
    ] {
        let reply = run(&server, &format!("{{{limit}: {value}}}"), &tool).await;
        let status = if limit == "time" { 504 } else { 422 };
        assert_eq!(reply.status, status, "{limit}: {reply:#?}");
        let kind = if limit == "time" { "timeout" } else { "limit" };
        assert_eq!(reply.body["type"], format!("urn:noetl:problem:{kind}"));
        let named = format!("limit {limit} = {value}");
        let raise = format!("raise `{limit}` in `limits` of the step in its playbook");
        // PostgreSQL's tool says itself that time is over.
        let told = detail(&reply);
        assert!(
            told.contains(&named) && told.contains(&raise),
            "{limit}: {told}"
        );
        let next = run(&server, "{}", &python("return {'sum': 1 + 1}")).await;
        assert_eq!(next.body["sum"], 2, "after {limit}: {next:#?}");
    }
}

#[tokio::test]
async fn a_full_log_drops_and_counts() {
    let server = server().await;
    let tool = python("for n in range(100): print('0123456789')");
    let reply = run(&server, "{log: 100B}", &tool).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    let id = reply.body["execution_id"].as_str().expect("an id");
    let path = format!("/api/executions/{id}");
    let record = server.request("GET", &path, None).await.body;
    let log = finished(&record)["log"].as_array().expect("a log").clone();
    let last = log.last().expect("an entry")["message"].to_string();
    assert!(log.len() <= 11, "{log:?}");
    assert!(
        last.contains("limit log = 100B") && last.contains("dropped"),
        "{last}"
    );
}

fn finished(record: &Value) -> &Value {
    let events = record["events"].as_array().expect("events");
    let finished = events.iter().find(|e| e["event"] == "step_finished");
    &finished.expect("a step has ended")["data"]
}

#[tokio::test]
async fn processor_time_is_told_of_every_step() {
    let server = server().await;
    let tool = python("time.sleep(0.3); return sum(range(100_000))");
    let reply = run(&server, "{}", &tool).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    let id = reply.body["execution_id"].as_str().expect("an id");
    let path = format!("/api/executions/{id}");
    let record = server.request("GET", &path, None).await.body;
    for step in [&reply.body["steps"][0], finished(&record)] {
        let (cpu, all) = (step["cpu_ms"].as_f64(), step["duration_ms"].as_f64());
        let (cpu, all) = (cpu.expect("cpu_ms"), all.expect("duration_ms"));
        assert!(cpu > 0.0 && cpu < all, "{step}");
    }
}

#[tokio::test]
async fn a_task_has_limits_and_its_step_can_set_others() {
    let server = server().await;
    let yaml = |step: &str| {
        format!(
            "apiVersion: noetl.io/v1
kind: Playbook
metadata: {{name: limit, path: test/limit}}
workbook:
  - name: long
    tool: python
    limits: {{output: 100B, time: 10s}}
    code: |
      def main(): return 'x' * 200
workflow:
  - step: start
    next: [{{step: work}}]
  - step: work
    tool: workbook
    name: long
    {step}
"
        )
    };
    let reply = server.run("test/limit", &yaml(""), json!({})).await;
    assert!(detail(&reply).contains("limit output = 100B"), "{reply:#?}");
    let yaml = yaml("limits: {output: 1KiB}");
    let reply = server.run("test/limit", &yaml, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
}

#[tokio::test]
async fn a_playbook_with_wrong_limits_is_not_registered() {
    let server = server().await;
    for (limits, place, told) in [
        (
            "{memory: 1GiB}",
            "8:22",
            "memory = 1GiB is more than its tenant has, 256MiB",
        ),
        ("{time: 5}", "8:20", "`5` is not a time such as `250ms`"),
        ("{memory: 1TiB}", "8:22", "write at most 4GiB"),
        ("{memry: 1MiB}", "8:14", "did you mean `memory`?"),
        ("{output: '{{ workload.n }}'}", "8:22", "is not a size"),
        ("[time]", "8:13", "must be a mapping"),
    ] {
        let reply = server
            .register(&playbook(limits, &python("return 1")))
            .await;
        assert_eq!(reply.status, 422, "{limits}: {reply:#?}");
        let told_is = detail(&reply);
        assert!(
            told_is.contains(told)
                && told_is.contains(&format!("yaml:{place}: step `work`: limits")),
            "{limits}: {told_is}"
        );
    }
}
