//! Rows of a step's result on their way into a table.

use noetl_tests::{Reply, Server, server};
use serde_json::{Value, json};

use crate::control::refused;
use crate::flow::playbook;

const SINK: &str = r#"
workload: {rows: [], table: none}
workflow:
  - step: start
    next: [{step: prepare}]
  - step: prepare
    tool: postgres
    auth: pg_demo
    query: |
      CREATE TABLE IF NOT EXISTS sunk (id int PRIMARY KEY, name text, price numeric, at timestamptz,
        tags text[], more jsonb, made text DEFAULT 'by default');
    next: [{step: make}]
  - step: make
    tool: python
    code: |
      def main(rows): return rows
    args: {rows: "{{ workload.rows }}"}
    sink:
      tool: postgres
      auth: pg_demo
      table: public.sunk
      MORE
    next: [{step: look}]
  - step: look
    tool: postgres
    auth: pg_demo
    query: SELECT id, name, price::text, at::text, tags, more, made FROM sunk ORDER BY id
    next: [{step: end}]
  - step: end
output: {rows: "{{ look.data.command_1 }}", sink: "{{ make.sink }}"}
"#;

async fn run(server: &Server, more: &str, rows: Value) -> Reply {
    let yaml = playbook("sink", &SINK.replace("MORE", more));
    server.run("test/sink", &yaml, json!({"rows": rows})).await
}

#[tokio::test]
async fn rows_go_into_a_table_with_their_types() {
    let server = server().await;
    let rows = json!([
        {"id": 1, "name": "O'Brien, \"x\"\t\\N\n", "price": 12.50, "at": "2026-01-02T03:04:05Z",
         "tags": ["a", "b c"], "more": {"deep": [1, null, "{{ 7*7 }}"]}},
        {"id": 2, "name": null, "price": "0.1"},
    ]);
    let reply = run(&server, "", rows).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    assert_eq!(
        reply.body["sink"],
        json!({"table": "public.sunk", "rows": 2})
    );
    let rows = &reply.body["rows"];
    assert_eq!(rows[0]["name"], "O'Brien, \"x\"\t\\N\n");
    assert_eq!(rows[0]["tags"], json!(["a", "b c"]));
    assert_eq!(rows[0]["more"], json!({"deep": [1, null, "{{ 7*7 }}"]}));
    assert_eq!(
        (&rows[0]["price"], &rows[0]["made"]),
        (&json!("12.5"), &json!("by default"))
    );
    assert_eq!(
        (&rows[1]["name"], &rows[1]["price"]),
        (&json!(null), &json!("0.1"))
    );
    // A second time the key is there.
    let again = run(&server, "", json!([{"id": 3}, {"id": 1}])).await;
    assert_eq!(again.status, 422, "{again:#?}");
    assert_eq!(again.body["error"]["code"], "23505");
    assert!(
        again.body["detail"]
            .as_str()
            .unwrap()
            .contains("field `sink`: "),
        "{again:#?}"
    );
    let none = run(&server, "", json!([])).await;
    assert_eq!(none.body["sink"]["rows"], 0, "{none:#?}");
    assert_eq!(
        none.body["rows"].as_array().unwrap().len(),
        2,
        "all or none: 3 is not there"
    );
}

#[tokio::test]
async fn an_upsert_replaces_what_has_the_key() {
    let server = server().await;
    let upsert = "mode: upsert\n      key: id\n      rows: \"{{ result.data }}\"";
    let first = run(
        &server,
        upsert,
        json!([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]),
    )
    .await;
    assert_eq!(first.status, 200, "{first:#?}");
    let second = run(
        &server,
        upsert,
        json!([{"id": 2, "name": "c"}, {"id": 3, "name": "d"}]),
    )
    .await;
    assert_eq!(second.body["sink"]["rows"], 2, "{second:#?}");
    let names: Vec<&str> = second.body["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["name"].as_str())
        .collect();
    assert_eq!(names, ["a", "c", "d"]);
}

#[tokio::test]
async fn what_is_no_row_or_no_table_is_told() {
    let server = server().await;
    for (rows, told) in [
        (json!(7), "rows are objects in a list, this is a number"),
        (
            json!([{"id": 1}, 2]),
            "a row is an object, item 2 is a number",
        ),
        (json!([{"id": 1, "nme": "x"}]), "nme"),
        (json!([{"id": "one"}]), "one"),
    ] {
        let reply = run(&server, "", rows).await;
        assert_eq!(reply.status, 422, "{reply:#?}");
        assert!(
            reply.body["detail"].as_str().unwrap().contains(told),
            "{reply:#?}"
        );
    }
    let told = async |more: &str| {
        let told = refused(&server, "sink", &SINK.replace("MORE", more)).await;
        told[0].clone()
    };
    assert_eq!(told("mode: upsert").await, "`mode: upsert` needs a `key`");
    assert_eq!(told("key: id").await, "`key` is for `mode: upsert`");
    assert_eq!(
        told("mode: replace").await,
        "this must be `insert` or `upsert`"
    );
}
