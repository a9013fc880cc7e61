//! Executions that are walked once more from their record.

use noetl_tests::{Database, Server, noetl};
use serde_json::{Value, json};

use crate::flow::playbook;

const WORK: &str = r#"
workload: {items: [1, 2, 3], fail: false}
workflow:
  - step: start
    next: [{step: count}]
  - step: count
    tool: python
    code: |
      import random
      def main(n): return {"n": n + 1, "luck": random.random()}
    args: {n: "{{ vars.n or 0 }}"}
    vars: {n: "{{ result.data.n }}", luck: "{{ result.data.luck }}"}
    next:
      - when: "{{ vars.n < 3 }}"
        then: [{step: count}]
      - step: each
  - step: each
    tool: postgres
    auth: pg_demo
    loop: {collection: "{{ workload.items }}", element: item, mode: parallel, on_failure: continue}
    retry: {attempts: 2, delay: 1ms}
    query: |
      CREATE TABLE IF NOT EXISTS ran (item int);
      INSERT INTO ran VALUES (10 / (2 - {{ item }}));
    args: {}
    next: [{step: breaks}]
  - step: breaks
    tool: python
    code: |
      def main(luck): raise ValueError(f"no luck: {luck}")
    args: {luck: "{{ vars.luck }}"}
    on_error: [{step: tell}]
  - step: tell
    tool: python
    code: |
      def main(message, fail):
          if fail:
              raise KeyError("told badly")
          return {"message": message}
    args: {message: "{{ error.message }}", fail: "{{ workload.fail }}"}
    next: [{step: end}]
  - step: end
finally:
  - step: last
    tool: python
    code: |
      def main(failed): return failed
    args: {failed: "{{ error is defined }}"}
output: {told: "{{ tell.data.message }}", failed_items: "{{ each.errors | length }}"}
"#;

async fn ran(demo: &Database) -> i64 {
    let mut connection = demo.connect().await;
    sqlx::query_scalar("SELECT count(*) FROM ran")
        .fetch_one(&mut connection)
        .await
        .expect("a number")
}

async fn replay(server: &Server, id: &str) -> Value {
    let path = format!("/api/executions/{id}/replay");
    let replayed = server.request("GET", &path, None).await;
    assert_eq!(replayed.status, 200, "{replayed:#?}");
    replayed.body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_comes_out_and_nothing_is_done() {
    let (store, demo) = (Database::create().await, Database::create().await);
    let server = Server::start_with(store, demo).await;
    let yaml = playbook("replayed", &WORK.replace("    args: {}\n", ""));
    let good = server.run("test/replayed", &yaml, json!({})).await;
    assert_eq!(good.status, 200, "{good:#?}");
    assert_eq!(good.body["failed_items"], 1);
    let bad = server.execute("test/replayed", json!({"fail": true})).await;
    assert_eq!(bad.status, 422, "{bad:#?}");
    for reply in [&good, &bad] {
        let id = reply.body["execution_id"].as_str().expect("an id");
        let replayed = replay(&server, id).await;
        assert_eq!(replayed["same"], true, "{replayed:#?}");
        let steps = replayed["steps"].as_array().expect("steps");
        assert_eq!(steps.len(), 7, "{steps:#?}");
        assert_eq!(
            (&steps[2]["step"], &steps[2]["visit"]),
            (&json!("count"), &json!(3))
        );
        assert_eq!(steps[2]["next"], json!(["each"]));
        let address = format!("http://{}", server.address());
        let mut command = noetl();
        let output = command
            .args(["replay", id, "--server", &address])
            .output()
            .await;
        let output = output.expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("count (3): success → each"), "{text}");
        assert!(
            text.contains("everything came out as it is recorded"),
            "{text}"
        );
    }
    let (store, demo) = server.stop().await;
    assert_eq!(
        ran(&demo).await,
        4,
        "two items of two executions, and none again"
    );

    // Had it been another record, something else would come of it.
    let id = good.body["execution_id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let mut connection = store.connect().await;
    sqlx::query("SELECT set_config('noetl.tenant', '*', false)")
        .execute(&mut connection)
        .await
        .expect("a setting");
    let changed = sqlx::query(
        "UPDATE events SET data = jsonb_set(data::jsonb, '{result,n}', '7')::json
         WHERE execution_id = $1::uuid AND step = 'count' AND event = 'step_finished'
             AND data->'result'->>'n' = '1'",
    )
    .bind(&id)
    .execute(&mut connection)
    .await
    .expect("a change");
    assert_eq!(changed.rows_affected(), 1);
    let server = Server::start_with(store, demo).await;
    let replayed = replay(&server, &id).await;
    assert_eq!(replayed["same"], false, "{replayed:#?}");
    let first: Vec<&Value> = replayed["steps"][0]["differences"]
        .as_array()
        .expect("differences")
        .iter()
        .map(|difference| &difference["field"])
        .collect();
    assert_eq!(first, ["vars", "next"]);
    server.stop().await;
}
