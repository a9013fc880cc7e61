//! Playbooks that call others.

use std::time::Duration;

use noetl_tests::{Database, Server, server};
use serde_json::{Value, json};

use crate::executions::{ended, killed_to_go_on, record, start, wait};
use crate::flow::playbook;

const ADD: &str = r#"
workload: {a: 0, b: 0, sleep: 0, fail: false}
workflow:
  - step: start
    next: [{step: add}]
  - step: add
    tool: python
    code: |
      import time
      def main(a, b, sleep, fail):
          time.sleep(sleep)
          if fail:
              raise ValueError("can't add")
          return a + b
    args: {a: "{{ workload.a }}", b: "{{ workload.b }}", sleep: "{{ workload.sleep }}", fail: "{{ workload.fail }}"}
    next: [{step: end}]
  - step: end
output: {sum: "{{ add.data }}"}
"#;

fn caller(name: &str, called: &str, args: &str) -> String {
    playbook(
        name,
        &format!(
            r#"
workload: {{path: none, sleep: 0}}
workflow:
  - step: start
    next: [{{step: call}}]
  - step: call
    tool: playbook
    path: {called}
    args: {args}
    vars: {{sum: "{{{{ result.data.sum }}}}"}}
    next: [{{step: end}}]
  - step: end
"#
        ),
    )
}

async fn executions_of(server: &Server, path: &str) -> Vec<Value> {
    let list = server
        .request("GET", &format!("/api/executions?path={path}"), None)
        .await;
    list.body["executions"]
        .as_array()
        .expect("executions")
        .clone()
}

#[tokio::test]
async fn a_called_playbook_is_an_execution_of_its_own() {
    let server = server().await;
    assert_eq!(
        server.register(&playbook("calls-add", ADD)).await.status,
        201
    );
    let yaml = caller("calls-caller", "test/calls-add", "{a: 2, b: 3}");
    let reply = server.run("test/calls-caller", &yaml, json!({})).await;
    assert_eq!(
        (reply.status, &reply.body["sum"]),
        (200, &json!(5)),
        "{reply:#?}"
    );
    let children = executions_of(&server, "test/calls-add").await;
    assert_eq!(children.len(), 1, "{children:#?}");
    assert_eq!(children[0]["parent"], reply.body["execution_id"]);
    assert_eq!(
        (&children[0]["parent_step"], &children[0]["status"]),
        (&json!("call"), &json!("success"))
    );

    let yaml = caller("calls-fails", "test/calls-add", "{a: 2, b: 3, fail: true}");
    let reply = server.run("test/calls-fails", &yaml, json!({})).await;
    assert_eq!(
        (reply.status, &reply.body["error"]["kind"]),
        (422, &json!("ValueError")),
        "{reply:#?}"
    );
    let detail = reply.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("playbook `test/calls-add`: step `add`: ") && detail.contains("can't add"),
        "{detail}"
    );
}

#[tokio::test]
async fn a_loop_of_calls_gives_all_their_outputs() {
    let server = server().await;
    assert_eq!(
        server.register(&playbook("calls-many", ADD)).await.status,
        201
    );
    let yaml = playbook(
        "calls-loop",
        r#"
workflow:
  - step: start
    next: [{step: call}]
  - step: call
    tool: playbook
    path: test/calls-many
    loop: {collection: "{{ range(20) }}", element: n, mode: parallel}
    args: {a: "{{ n }}", b: 100}
    next: [{step: end}]
  - step: end
"#,
    );
    let reply = server.run("test/calls-loop", &yaml, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    let expected: Vec<Value> = (100..120).map(|sum| json!({"sum": sum})).collect();
    assert_eq!(reply.body["result"], json!(expected));
}

#[tokio::test]
async fn a_playbook_can_not_be_its_own_part() {
    let server = server().await;
    let told = |reply: &noetl_tests::Reply| {
        reply.body["errors"][0]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let reply = server
        .register(&caller("calls-self", "test/calls-self", "{}"))
        .await;
    assert_eq!(
        (reply.status, told(&reply).as_str()),
        (422, "the playbook calls itself")
    );
    let reply = server
        .register(&caller("calls-nobody", "test/no-such", "{}"))
        .await;
    assert_eq!(
        (reply.status, told(&reply).as_str()),
        (422, "no playbook `test/no-such` is registered"),
        "{reply:#?}"
    );

    // Two that call each other, in one request and one after the other.
    assert_eq!(server.register(&playbook("calls-a", ADD)).await.status, 201);
    assert_eq!(
        server
            .register(&caller("calls-b", "test/calls-a", "{}"))
            .await
            .status,
        201
    );
    let reply = server
        .register(&caller("calls-a", "test/calls-b", "{}"))
        .await;
    assert_eq!(
        told(&reply),
        "the playbook calls itself: `test/calls-a` → `test/calls-b` → `test/calls-a`",
        "{reply:#?}"
    );

    // What is only known when it runs.
    let yaml = caller(
        "calls-late",
        "\"{{ workload.path }}\"",
        "{path: \"{{ workload.path }}\"}",
    );
    let reply = server
        .run("test/calls-late", &yaml, json!({"path": "test/calls-late"}))
        .await;
    assert_eq!(reply.status, 422, "{reply:#?}");
    let detail = reply.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("the playbook `test/calls-late` calls itself"),
        "{detail}"
    );
    let reply = server
        .run("test/calls-late", &yaml, json!({"path": "test/gone"}))
        .await;
    assert!(
        reply.body["detail"]
            .as_str()
            .unwrap()
            .contains("no playbook `test/gone` is registered"),
        "{reply:#?}"
    );
}

#[tokio::test]
async fn who_cancels_the_caller_cancels_the_called() {
    let server = server().await;
    assert_eq!(
        server.register(&playbook("calls-slow", ADD)).await.status,
        201
    );
    let yaml = caller(
        "calls-cancel",
        "test/calls-slow",
        "{sleep: \"{{ workload.sleep }}\"}",
    );
    assert_eq!(server.register(&yaml).await.status, 201);
    let id = start(&server, "test/calls-cancel", json!({"sleep": 25})).await;
    while executions_of(&server, "test/calls-slow").await.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let cancelled = server
        .request("POST", &format!("/api/executions/{id}/cancel"), None)
        .await;
    assert_eq!(cancelled.body["status"], "cancelled", "{cancelled:#?}");
    loop {
        let called = executions_of(&server, "test/calls-slow").await;
        if called[0]["status"] != "running" {
            assert_eq!(called[0]["status"], "cancelled");
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_when_the_server_died() {
    let (store, demo) = (Database::create().await, Database::create().await);
    let server = Server::start_with(store, demo).await;
    let called = r#"
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: postgres
    auth: pg_demo
    query: SELECT pg_sleep(1000) WHERE NOT EXISTS (SELECT FROM pg_tables WHERE tablename = 'go_on')
    next: [{step: end}]
  - step: end
output: {sum: 7}
"#;
    assert_eq!(
        server
            .register(&playbook("calls-resumed", called))
            .await
            .status,
        201
    );
    let yaml = caller("calls-resumes", "test/calls-resumed", "{}");
    assert_eq!(server.register(&yaml).await.status, 201);
    let id = start(&server, "test/calls-resumes", json!({})).await;
    loop {
        let called = executions_of(&server, "test/calls-resumed").await;
        if let Some(called) = called.first() {
            let id = called["execution_id"].as_str().expect("an id");
            let record = record(&server, id).await;
            if record["events"].to_string().contains("step_started") {
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (server, _) = killed_to_go_on(server).await;
    let record = wait(&server, &id, ended).await;
    assert_eq!(record["status"], "success", "{record:#?}");
    let called = executions_of(&server, "test/calls-resumed").await;
    assert_eq!(called.len(), 1, "it was not begun anew: {called:#?}");
    server.stop().await;
}
