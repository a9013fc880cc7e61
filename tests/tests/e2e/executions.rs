//! Executions that nobody waits for, that are sent twice, cancelled, watched,
//! looked up, run again.

use std::time::Duration;

use noetl_tests::{Database, Server, server};
use serde_json::{Value, json};
use sqlx::PgConnection;

/// A playbook of two python steps; the second is `code`.
fn python(path: &str, code: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: p, path: {path}}}\nworkload: {{n: 1, password: secret}}\nworkflow:\n  - step: start\n    next: [{{step: one}}]\n  - step: one\n    tool: python\n    args: {{n: '{{{{ workload.n }}}}'}}\n    code: |\n      def main(n):\n          print('one got', n)\n          return {{'n': n + 1}}\n    vars: {{n: '{{{{ result.data.n }}}}'}}\n    next: [{{step: two}}]\n  - step: two\n    tool: python\n    args: {{n: '{{{{ vars.n }}}}'}}\n    code: |\n      {}\n",
        code.replace('\n', "\n      ")
    )
}

const QUICK: &str = "def main(n): return {'n': n, 'status': 'done'}";
const LOOP: &str = "def main(n):\n    while True: pass";

pub async fn start(server: &Server, path: &str, payload: Value) -> String {
    let request = server
        .builder("POST", "/api/execute")
        .header("prefer", "wait=10, respond-async")
        .json(&json!({"path": path, "payload": payload}));
    let reply = Server::reply(request).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let id = reply.body["execution_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    assert_eq!(reply.headers["location"], format!("/api/executions/{id}"));
    id
}

pub async fn record(server: &Server, id: &str) -> Value {
    server
        .request("GET", &format!("/api/executions/{id}"), None)
        .await
        .body
}

pub async fn wait(server: &Server, id: &str, until: impl Fn(&Value) -> bool) -> Value {
    loop {
        let record = record(server, id).await;
        if until(&record) {
            return record;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A server after this one was killed, and a connection to the database of its playbooks,
/// which now has the table `go_on` that a step waits for.
pub async fn killed_to_go_on(server: Server) -> (Server, PgConnection) {
    let (store, demo) = server.kill().await;
    let mut connection = demo.connect().await;
    sqlx::query("CREATE TABLE go_on ()")
        .execute(&mut connection)
        .await
        .expect("a table");
    (Server::start_with(store, demo).await, connection)
}

pub fn ended(record: &Value) -> bool {
    record["status"] != "running"
}

#[tokio::test]
async fn nobody_has_to_wait() {
    let server = server().await;
    assert_eq!(server.register(&python("t/p", QUICK)).await.status, 201);
    let id = start(&server, "t/p", json!({"n": 4})).await;
    let record = wait(&server, &id, ended).await;
    assert_eq!(record["status"], "success", "{record:#}");
    assert_eq!(record["result"], json!({"n": 5, "status": "done"}));
    assert_eq!(record["payload"], json!({"n": 4}));
    assert_eq!(record["started_by"], "local");
    let steps = record["steps"].as_array().expect("a list");
    assert_eq!(steps.len(), 2, "{steps:#?}");
    let one = &steps[0];
    assert_eq!(
        (&one["step"], &one["tool"], &one["status"]),
        (&json!("one"), &json!("python"), &json!("success"))
    );
    assert_eq!(one["args"], json!({"n": 4}));
    assert_eq!(one["result"], json!({"n": 5}));
    assert_eq!(one["vars"], json!({"n": 5}));
    assert_eq!(one["log"][0]["message"], "one got 4");
    assert!(
        one["memory_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 1 << 20),
        "{one:#}"
    );
    assert!(
        one["finished_at"].is_string() && one["duration_ms"].is_number(),
        "{one:#}"
    );
    let finished = record["events"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|e| e["event"] == "step_finished")
        .expect("it is there");
    assert_eq!(finished["data"]["next"], json!(["two"]));

    let logs = server
        .request("GET", &format!("/api/executions/{id}/logs?step=one"), None)
        .await
        .body;
    assert_eq!(logs["logs"][0]["message"], "one got 4", "{logs}");
    let logs = server
        .request("GET", &format!("/api/executions/{id}/logs?step=two"), None)
        .await
        .body;
    assert_eq!(logs, json!({"logs": []}));
    // What can't even be accepted is told at once.
    let request = server
        .builder("POST", "/api/execute")
        .header("prefer", "respond-async");
    let reply = Server::reply(request.json(&json!({"path": "t/none"}))).await;
    assert_eq!(reply.status, 404, "{reply:?}");
}

#[tokio::test]
async fn a_request_that_is_sent_twice_is_done_once() {
    let server = server().await;
    assert_eq!(
        server
            .register(&python(
                "t/p",
                "import time\ndef main(n):\n    time.sleep(0.5)\n    return {'n': n}"
            ))
            .await
            .status,
        201
    );
    let send = |key: &'static str, payload: Value| {
        let request = server
            .builder("POST", "/api/execute")
            .header("idempotency-key", key);
        Server::reply(request.json(&json!({"path": "t/p", "payload": payload})))
    };
    let replies = futures_util::future::join_all((0..20).map(|_| send("a", json!({"n": 1})))).await;
    let first = &replies[0].body;
    assert_eq!(first["n"], 2, "{first:#}");
    for reply in &replies {
        assert_eq!((reply.status, &reply.body), (200, first));
    }
    let replayed = replies
        .iter()
        .filter(|r| r.headers.contains_key("idempotent-replayed"))
        .count();
    assert_eq!(replayed, 19);
    let other = send("a", json!({"n": 2})).await;
    assert_eq!(other.status, 422, "{other:?}");
    assert_eq!(
        other.body["type"],
        "urn:noetl:problem:idempotency-key-reused"
    );
    assert_ne!(
        send("b", json!({"n": 1})).await.body["execution_id"],
        first["execution_id"]
    );
    let list = server.request("GET", "/api/executions", None).await.body;
    assert_eq!(
        list["executions"].as_array().map(Vec::len),
        Some(2),
        "{list:#}"
    );
    // Failures are answers too.
    assert_eq!(
        server
            .register(&python("t/p", "def main(n): raise ValueError('no')"))
            .await
            .status,
        201
    );
    let (failed, again) = (send("c", json!({})).await, send("c", json!({})).await);
    let but_request = |reply: &noetl_tests::Reply| {
        let mut body = reply.body.clone();
        body["request_id"].take();
        body
    };
    assert_eq!(failed.status, 422);
    assert_eq!(but_request(&failed), but_request(&again));
    assert_eq!(failed.body["error"]["kind"], "ValueError");
    for key in ["", " "] {
        let request = server
            .builder("POST", "/api/execute")
            .header("idempotency-key", key);
        let reply = Server::reply(request.json(&json!({"path": "t/p"}))).await;
        assert_eq!(reply.status, 400, "{reply:?}");
    }
}

#[tokio::test]
async fn a_running_sandbox_is_stopped_at_once() {
    let server = server().await;
    assert_eq!(server.register(&python("t/loop", LOOP)).await.status, 201);
    let waiting = server
        .builder("POST", "/api/execute")
        .json(&json!({"path": "t/loop"}));
    let waiting = tokio::spawn(Server::reply(waiting));
    let id = loop {
        let list = server
            .request("GET", "/api/executions?status=running", None)
            .await
            .body;
        if let Some(id) = list["executions"][0]["execution_id"].as_str() {
            break id.to_owned();
        }
    };
    wait(&server, &id, |record| {
        record["steps"][1]["status"] == "running"
    })
    .await;
    let delete = server
        .request("DELETE", &format!("/api/executions/{id}"), None)
        .await;
    assert_eq!(delete.status, 409, "{delete:?}");
    let cancelled = server
        .request("POST", &format!("/api/executions/{id}/cancel"), None)
        .await;
    assert_eq!(
        cancelled.body,
        json!({"execution_id": id, "status": "cancelled"})
    );
    let record = record(&server, &id).await;
    assert_eq!(record["status"], "cancelled", "{record:#}");
    assert_eq!(record["error"]["category"], "cancelled");
    assert_eq!(record["steps"][1]["status"], "cancelled");
    let answer = waiting.await.expect("no panic");
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(answer.body["type"], "urn:noetl:problem:cancelled");
    let again = server
        .request("POST", &format!("/api/executions/{id}/cancel"), None)
        .await;
    assert_eq!(
        (again.status, &again.body["type"]),
        (409, &json!("urn:noetl:problem:not-running"))
    );
    let delete = server
        .request("DELETE", &format!("/api/executions/{id}"), None)
        .await;
    assert_eq!(delete.status, 204, "{delete:?}");
    assert_eq!(
        server
            .request("GET", &format!("/api/executions/{id}"), None)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn another_server_is_told_to_cancel() {
    let (store, demo) = (Database::create().await, Database::create().await);
    let twin = Database {
        url: store.url.clone(),
        password: store.password.clone(),
    };
    let one = Server::start_with(store, demo).await;
    let two = Server::start_with(twin, Database::create().await).await;
    assert_eq!(one.register(&python("t/loop", LOOP)).await.status, 201);
    let live = two.builder("GET", "/api/executions/live").send().await;
    let live = live.expect("it answers");
    let id = start(&one, "t/loop", json!({})).await;
    wait(&two, &id, |record| {
        record["steps"][1]["status"] == "running"
    })
    .await;
    let cancelled = two
        .request("POST", &format!("/api/executions/{id}/cancel"), None)
        .await;
    assert_eq!(cancelled.body["status"], "cancelled", "{cancelled:?}");
    let record = record(&one, &id).await;
    assert_eq!(
        (&record["status"], &record["resumed"]),
        (&json!("cancelled"), &json!(0))
    );
    // Who watches one server sees what another runs.
    let heard = hear(live, "cancelled").await;
    assert_eq!(
        heard.last().map(|(_, data)| &data["execution_id"]),
        Some(&json!(id))
    );
}

#[tokio::test]
async fn the_list_has_filters_and_pages() {
    let server = server().await;
    for (path, code) in [
        ("t/good", QUICK),
        ("t/bad", "def main(n): return 1 / 0"),
        ("u/good", QUICK),
    ] {
        assert_eq!(server.register(&python(path, code)).await.status, 201);
    }
    for path in ["t/good", "t/bad", "u/good", "t/good", "t/bad"] {
        server.execute(path, json!({})).await;
    }
    let list = async |query: &str| {
        let reply = server
            .request("GET", &format!("/api/executions?{query}"), None)
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let entries = reply.body["executions"].as_array().expect("a list").clone();
        (entries, reply.body["next_cursor"].clone())
    };
    let paths = |entries: &[Value]| {
        entries
            .iter()
            .map(|e| e["path"].as_str().expect("text").to_owned())
            .collect::<Vec<_>>()
    };
    let (all, next) = list("").await;
    assert_eq!(
        paths(&all),
        ["t/bad", "t/good", "u/good", "t/bad", "t/good"]
    );
    assert!(next.is_null());
    assert_eq!(
        (&all[0]["status"], &all[0]["step_count"]),
        (&json!("failed"), &json!(2))
    );
    assert_eq!(all[0]["error"]["kind"], "ZeroDivisionError");
    assert_eq!(all[0]["error"]["step"], "two");
    assert_eq!(
        paths(&list("status=success").await.0),
        ["t/good", "u/good", "t/good"]
    );
    assert_eq!(
        paths(&list("path=t/&status=failed,cancelled").await.0),
        ["t/bad", "t/bad"]
    );
    let middle = all[2]["started_at"].as_str().expect("a time");
    assert_eq!(list(&format!("since={middle}")).await.0.len(), 3);
    assert_eq!(list(&format!("until={middle}")).await.0.len(), 2);
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let (page, next) = list(&format!("limit=2{cursor}")).await;
        pages.extend(page);
        match next.as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(pages, all);
    for query in [
        "status=good",
        "limit=x",
        "since=yesterday",
        "cursor=1",
        "unknown=1",
        "path=%00",
    ] {
        let reply = server
            .request("GET", &format!("/api/executions?{query}"), None)
            .await;
        assert_eq!(reply.status, 400, "{query}: {reply:?}");
    }
}

/// The events of a stream, until `until` is one of them.
async fn hear(mut response: reqwest::Response, until: &str) -> Vec<(String, Value)> {
    let mut text = String::new();
    loop {
        let events: Vec<(String, Value)> = text
            .split("\n\n")
            .filter(|block| block.contains("data: "))
            .filter_map(|block| {
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                let data = serde_json::from_str(field("data: ")?).ok()?;
                Some((field("event: ")?.to_owned(), data))
            })
            .collect();
        if events
            .iter()
            .any(|(name, data)| name == until || data["status"] == until)
        {
            return events;
        }
        let chunk = response
            .chunk()
            .await
            .expect("a stream")
            .expect("it has not ended");
        text += &String::from_utf8_lossy(&chunk);
    }
}

#[tokio::test]
async fn who_watches_hears_what_happens() {
    let server = server().await;
    assert_eq!(
        server
            .register(&python("t/p", "import time\ndef main(n): time.sleep(1)"))
            .await
            .status,
        201
    );
    let live = server
        .builder("GET", "/api/executions/live")
        .send()
        .await
        .expect("it answers");
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let id = start(&server, "t/p", json!({})).await;
    let watch = async |after: Option<&str>| {
        let mut request = server
            .builder("GET", &format!("/api/executions/{id}/events"))
            .header("accept", "text/event-stream");
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        request.send().await.expect("it answers")
    };
    let names = |events: &[(String, Value)]| {
        events
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    let all = [
        "execution_started",
        "step_started",
        "step_finished",
        "step_started",
        "step_finished",
        "execution_finished",
    ];
    let heard = hear(watch(None).await, "execution_finished").await;
    assert_eq!(names(&heard), all);
    assert_eq!(heard[2].1["data"]["result"], json!({"n": 2}));
    assert_eq!(
        names(&hear(watch(Some("2")).await, "execution_finished").await),
        all[3..]
    );
    let mut rest = watch(Some("5")).await;
    assert_eq!(
        rest.chunk().await.expect("a stream"),
        None,
        "there is nothing to come"
    );
    let events = server
        .request("GET", &format!("/api/executions/{id}/events"), None)
        .await
        .body;
    assert_eq!(events["events"].as_array().map(Vec::len), Some(6));

    let heard = hear(live, "success").await;
    let states: Vec<_> = heard
        .iter()
        .map(|(name, data)| {
            (
                name.as_str(),
                &data["execution_id"],
                data["status"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            ("execution", &json!(id), Some("running")),
            ("execution", &json!(id), Some("success"))
        ]
    );
}

#[tokio::test]
async fn an_execution_can_be_run_again() {
    let server = server().await;
    assert_eq!(server.register(&python("t/p", QUICK)).await.status, 201);
    let first = server.execute("t/p", json!({"n": 7})).await.body;
    let id = first["execution_id"].as_str().expect("an id").to_owned();
    let newer = QUICK.replace("done", "newer");
    assert_eq!(server.register(&python("t/p", &newer)).await.status, 201);
    for (body, version, status) in [
        (None, 1, "done"),
        (Some(json!({"version": "same"})), 1, "done"),
        (Some(json!({"version": "latest"})), 2, "newer"),
    ] {
        let reply = server
            .request("POST", &format!("/api/executions/{id}/rerun"), body)
            .await;
        assert_eq!(reply.status, 202, "{reply:?}");
        let new = reply.body["execution_id"].as_str().expect("an id");
        let record = wait(&server, new, ended).await;
        assert_eq!(record["result"], json!({"n": 8, "status": status}));
        assert_eq!(
            (&record["rerun_of"], &record["version"]),
            (&json!(id), &json!(version))
        );
    }
    let bad = server
        .request(
            "POST",
            &format!("/api/executions/{id}/rerun"),
            Some(json!({"version": 3})),
        )
        .await;
    assert_eq!(bad.status, 400, "{bad:?}");
}

#[tokio::test]
async fn old_executions_are_removed_if_the_operator_says_so() {
    let server = server().await;
    assert_eq!(server.register(&python("t/p", QUICK)).await.status, 201);
    let done = server.execute("t/p", json!({})).await.body;
    let path = format!(
        "/api/executions/{}",
        done["execution_id"].as_str().expect("an id")
    );
    let (store, demo) = server.stop().await;
    let server = Server::start_as(store, demo, &["--retention", "1h"], None).await;
    assert_eq!(server.request("GET", &path, None).await.status, 200);
    let (store, demo) = server.stop().await;
    let server = Server::start_as(store, demo, &["--retention", "1ms"], None).await;
    while server.request("GET", &path, None).await.status != 404 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
