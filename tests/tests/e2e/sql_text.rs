//! Whatever a value is, the SQL that reaches PostgreSQL is that of a harmless
//! one. PostgreSQL itself tells what it got; what is the same text has the same
//! syntax tree.

use noetl_tests::{Server, server};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};

const CASES: u32 = 150;

const SENT: &str = "SELECT (SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS sent,
        '{{ workload.x }}' AS quoted, 'a{{ workload.x }}b' AS inside, E'\\'{{ workload.x }}' AS escaped,
        ('{{ workload.x }}' LIKE '%{{ workload.x }}%' OR '{{ workload.x }}' IN ('1', '{{ workload.x }}')) AS held,
        {{ workload.x }} AS open
      -- it's ' a comment $$
      ORDER BY '{{ workload.x }}'::text LIMIT '1'";

const NAMED: &str = "SELECT 1 AS {{ workload.x | ident }}";

/// What ends, opens or escapes something in SQL, and what looks as if it did.
const TOKENS: &[&str] = &[
    "'",
    "''",
    "\"",
    "\\",
    "\\'",
    "$$",
    "$a$",
    "$1",
    "$2",
    "--",
    "/*",
    "*/",
    ";",
    "\n",
    "\r",
    "\t",
    "(",
    ")",
    "E'",
    "U&'",
    "::",
    "{{",
    "}}",
    "{%",
    "#}",
    "%",
    "_",
    "OR 1=1",
    " UNION SELECT ",
    "DROP TABLE x",
    "COMMIT",
    "’",
    "＇",
    "ʼ",
    "\u{202e}",
    "\u{feff}",
    "é",
    "😀",
    "\u{7f}",
    "\u{1}",
    " ",
    "a",
    "NULL",
    "?",
    ":x",
    "@",
    "\0",
];

fn text() -> impl Strategy<Value = String> {
    let tokens = prop::collection::vec(prop::sample::select(TOKENS), 0..12);
    prop_oneof![tokens.prop_map(|parts| parts.concat()), any::<String>()]
}

/// A value, and a harmless one of the same kind.
fn value() -> impl Strategy<Value = (Value, Value)> {
    prop_oneof![
        6 => text().prop_map(|x| (json!(x), json!("x"))),
        1 => any::<i32>().prop_map(|x| (json!(x), json!(7))),
        1 => (5_000_000_000_i64..i64::MAX).prop_map(|x| (json!(x), json!(5_000_000_000_i64))),
        1 => any::<bool>().prop_map(|x| (json!(x), json!(true))),
        1 => prop::collection::vec(text(), 0..4).prop_map(|x| (json!(x), json!(["x"]))),
        1 => (text(), text()).prop_map(|(key, x)| (json!({key: x}), json!({"k": "x"}))),
    ]
}

fn playbook(path: &str, query: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1
kind: Playbook
metadata: {{name: sql_text, path: {path}}}
workload: {{x: null}}
workflow:
  - step: start
    next: [{{step: sql}}]
  - step: sql
    tool: postgres
    auth: pg_demo
    query: |
      {query}
"
    )
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        // In JSON text it is an escape.
        _ => false,
    }
}

fn with_server<S: Strategy>(
    query: &str,
    strategy: S,
    check: impl AsyncFn(&Server, S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(server());
    let registered = runtime.block_on(server.register(&playbook("test/sql_text", query)));
    assert_eq!(registered.status, 201, "{registered:#?}");
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&strategy, |value| runtime.block_on(check(&server, value)))
        .unwrap_or_else(|error| panic!("{error}"));
}

async fn row(server: &Server, x: &Value) -> Result<Value, TestCaseError> {
    let reply = server.execute("test/sql_text", json!({"x": x})).await;
    prop_assert_eq!(reply.status, 200, "{}: {:#?}", x, reply);
    Ok(reply.body["command_1"][0].clone())
}

#[test]
fn a_value_never_changes_the_statement() {
    with_server(SENT, value(), async |server, (x, harmless)| {
        if holds_nul(&x) {
            let reply = server.execute("test/sql_text", json!({"x": x})).await;
            prop_assert_eq!(reply.status, 422, "{:#?}", reply);
            return Ok(());
        }
        let (got, reference) = (row(server, &x).await?, row(server, &harmless).await?);
        let sent = got["sent"].as_str().unwrap_or_default();
        prop_assert!(sent.len() > 300 && sent.len() < 1023, "{}", sent);
        prop_assert_eq!(&got["sent"], &reference["sent"]);
        // Each place has the value, and nothing but it.
        let text = match &x {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        prop_assert_eq!(got["quoted"].as_str(), Some(text.as_str()));
        prop_assert_eq!(&got["inside"], &json!(format!("a{text}b")));
        prop_assert_eq!(&got["escaped"], &json!(format!("'{text}")));
        prop_assert_eq!(&got["held"], true);
        if x.is_string() || x.is_boolean() || x.is_i64() {
            prop_assert_eq!(&got["open"], &x);
        }
        Ok(())
    });
}

#[test]
fn a_name_is_one_name() {
    with_server(NAMED, text(), async |server, name| {
        if name.is_empty() || name.contains('\0') {
            let reply = server.execute("test/sql_text", json!({"x": name})).await;
            prop_assert_eq!(reply.status, 422, "{:#?}", reply);
            return Ok(());
        }
        let row = row(server, &json!(name)).await?;
        let names: Vec<&String> = row
            .as_object()
            .into_iter()
            .flatten()
            .map(|(n, _)| n)
            .collect();
        // PostgreSQL keeps 63 bytes of a name.
        let kept = &name[..name.floor_char_boundary(63)];
        prop_assert_eq!(names, [kept]);
        Ok(())
    });
}
