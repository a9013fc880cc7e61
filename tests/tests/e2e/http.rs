//! The HTTP service: shapes, and what it says to bad requests.

use std::time::Duration;

use noetl_tests::{Server, server};
use serde_json::json;

#[tokio::test]
async fn bad_requests_get_problems() {
    let server = server().await;
    let json_type = "application/json";
    let cases = [
        ("POST", "/api/execute", json_type, "{", 400),
        ("POST", "/api/execute", json_type, "{}", 422),
        (
            "POST",
            "/api/execute",
            json_type,
            r#"{"path": "x", "payload": [1]}"#,
            400,
        ),
        (
            "POST",
            "/api/execute",
            json_type,
            r#"{"path": "x", "payloud": {}}"#,
            422,
        ),
        ("POST", "/api/execute", "text/plain", "{}", 415),
        (
            "POST",
            "/api/execute",
            json_type,
            r#"{"path": "no/such"}"#,
            404,
        ),
        (
            "POST",
            "/api/execute",
            json_type,
            r#"{"path": "../../etc/passwd"}"#,
            404,
        ),
        ("GET", "/api/execute", json_type, "", 405),
        ("GET", "/api/executions/no-uuid", json_type, "", 400),
        (
            "GET",
            "/api/executions/00000000-0000-0000-0000-000000000000",
            json_type,
            "",
            404,
        ),
        ("GET", "/api/catalog/playbooks/no/such", json_type, "", 404),
        ("GET", "/no/such/route", json_type, "", 404),
        (
            "PUT",
            "/api/credentials/x",
            json_type,
            r#"{"type": "oracle", "url": "x"}"#,
            422,
        ),
    ];
    for (method, path, content_type, body, status) in cases {
        let reply = server
            .send(method, path, content_type, body.to_owned())
            .await;
        assert_eq!(reply.status, status, "{method} {path} {body}: {reply:#?}");
        assert_eq!(
            reply.content_type, "application/problem+json",
            "{method} {path}"
        );
        assert_eq!(reply.body["status"], status);
        assert!(
            reply.body["detail"].as_str().is_some_and(|d| !d.is_empty()),
            "{reply:#?}"
        );
    }
    let reply = server
        .send("POST", "/api/execute", json_type, vec![b' '; 5 << 20])
        .await;
    assert_eq!(reply.status, 413, "{reply:#?}");
    let reply = server
        .send(
            "POST",
            "/api/catalog/playbooks",
            "application/yaml",
            vec![0xff, 0xfe, 0xfd],
        )
        .await;
    assert_eq!(reply.status, 400, "{reply:#?}");
    assert_eq!(
        server.request("GET", "/health", None).await.body,
        json!({"status": "ok"})
    );
}

#[tokio::test]
async fn a_playbook_with_mistakes_is_refused_with_all_of_them() {
    let server = server().await;
    let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: wrong, path: test/wrong}
workflow:
  - step: start
    next: [{step: uspert}]
  - step: upsert
    tool: pyton
    code: |
      def main(): return 1
";
    let reply = server.register(yaml).await;
    assert_eq!(reply.status, 422, "{reply:#?}");
    let errors = reply.body["errors"].as_array().expect("errors");
    let has = |line: u64, part: &str| {
        errors
            .iter()
            .any(|e| e["line"] == line && e.to_string().contains(part))
    };
    assert!(has(6, "upsert"), "{errors:#?}");
    assert!(has(8, "python"), "{errors:#?}");
}

#[tokio::test]
async fn the_catalog_keeps_versions_and_credentials_keep_their_values() {
    let server = server().await;
    let text = |code: &str| {
        format!(
            "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: v, path: test/v}}\nworkflow:\n  - step: start\n    next: [{{step: one}}]\n  - step: one\n    tool: python\n    code: |\n      def main(): return {{'v': {code}}}\n"
        )
    };
    assert_eq!(
        server.register(&text("1")).await.body,
        json!({"path": "test/v", "version": 1})
    );
    assert_eq!(server.register(&text("1")).await.body["version"], 1);
    assert_eq!(server.execute("test/v", json!({})).await.body["v"], 1);
    assert_eq!(server.register(&text("2")).await.body["version"], 2);
    assert_eq!(server.execute("test/v", json!({})).await.body["v"], 2);
    let got = server
        .request("GET", "/api/catalog/playbooks/test/v", None)
        .await;
    assert_eq!(got.body["version"], 2);
    assert_eq!(got.body["content"], text("2"));
    let list = server
        .request("GET", "/api/catalog/playbooks", None)
        .await
        .body;
    assert!(
        list["playbooks"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|p| p["path"] == "test/v" && p["version"] == 2)
    );

    let mut credentials = server.request("GET", "/api/credentials", None).await.body;
    let updated = credentials["credentials"][0]["updated_at"].take();
    assert!(updated.is_string(), "{updated}");
    assert_eq!(
        credentials,
        json!({"credentials": [{"alias": "pg_demo", "type": "postgres", "allow_privileged": false, "updated_at": null}]})
    );
}

#[tokio::test]
async fn steps_are_told_as_they_happen() {
    let server = server().await;
    let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: sse, path: test/sse}
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: python
    code: |
      def main():
          print('hello')
          return {'x': 1}
";
    assert_eq!(server.register(yaml).await.status, 201);
    let text = reqwest::Client::new()
        .post(format!("{}/api/execute", server.url))
        .header("accept", "text/event-stream")
        .json(&json!({"path": "test/sse"}))
        .send()
        .await
        .expect("the server answers")
        .text()
        .await
        .expect("text");
    let names: Vec<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("event: "))
        .collect();
    assert_eq!(
        names,
        [
            "execution_started",
            "step_started",
            "step_finished",
            "execution_finished"
        ],
        "{text}"
    );
    assert!(text.contains("hello"), "{text}");
    assert!(text.contains(r#""x":1"#), "{text}");
}

#[tokio::test]
async fn an_execution_whose_server_was_killed_is_told_as_interrupted_if_it_wants_so() {
    let server = server().await;
    let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: slow, path: test/slow}
on_restart: fail
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: python
    code: |
      import time
      def main(): time.sleep(20)
";
    assert_eq!(server.register(yaml).await.status, 201);
    let mut started = reqwest::Client::new()
        .post(format!("{}/api/execute", server.url))
        .header("accept", "text/event-stream")
        .json(&json!({"path": "test/slow"}))
        .send()
        .await
        .expect("the server answers");
    let mut text = String::new();
    while !text.contains("step_started") {
        let chunk = started.chunk().await.expect("a stream").expect("an event");
        text += &String::from_utf8_lossy(&chunk);
    }
    let (_, id) = text.split_once(r#""execution_id":""#).expect("an id");
    let path = format!("/api/executions/{}", &id[..36]);
    assert_eq!(
        server.request("GET", &path, None).await.body["status"],
        "running"
    );

    let (store, demo) = server.kill().await;
    let server = Server::start_with(store, demo).await;
    let record = loop {
        let record = server.request("GET", &path, None).await.body;
        if record["status"] != "running" {
            break record;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(record["status"], "interrupted", "{record:#}");
    assert_eq!(record["events"][1]["event"], "step_started", "{record:#}");
}
