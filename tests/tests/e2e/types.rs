//! Any JSON value comes through a whole playbook as it went in: payload,
//! variable, python step, PostgreSQL, python step.

use noetl_tests::{Reply, Server, root, server};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Map, Number, Value, json};

use crate::flow::playbook;

/// Executions, and values in each.
const CASES: u32 = 24;
const VALUES: usize = 60;

const ROUND: &str = r"
workload: {values: []}
workflow:
  - step: start
    next: [{step: first}]
  - step: first
    tool: python
    code: |
      def main(values): return values
    args: {values: '{{ workload.values }}'}
    vars: {values: '{{ result.data }}'}
    next: [{step: kept}]
  - step: kept
    tool: postgres
    auth: pg_demo
    query: |
      CREATE TEMP TABLE kept (j json, b jsonb) ON COMMIT DROP;
      INSERT INTO kept VALUES ({{ vars.values }}, '{{ vars.values }}');
      SELECT j, b FROM kept;
    vars: {row: '{{ result.data.command_3[0] }}'}
    next: [{step: second}]
  - step: second
    tool: python
    code: |
      def main(sent, row):
          return {'json': row['j'], 'jsonb': row['b'], 'equal': sent == row['j']}
    args: {sent: '{{ workload.values }}', row: '{{ vars.row }}'}
";

/// Quotes, braces, escapes and everything else but NUL, which jsonb can't hold.
fn text() -> impl Strategy<Value = String> {
    let tokens = [
        "'", "''", "\"", "\\", "\\u0000", "{{ x }}", "{% if %}", "{#", "}}", "{", "$1", "$$", "--",
        ";", "\n", "\r\n", "\t", "\u{1}", "\u{7f}", "\u{2028}", "\u{feff}", "é", "e\u{301}", "😀",
        "null", "1", " ", "a",
    ];
    let tokens = prop::collection::vec(prop::sample::select(tokens.to_vec()), 0..8);
    let any = any::<String>().prop_map(|text| text.replace('\0', ""));
    prop_oneof![tokens.prop_map(|parts| parts.concat()), any]
}

fn number() -> impl Strategy<Value = Number> {
    let whole = prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        any::<i8>().prop_map(Number::from),
        prop::sample::select(vec![i64::MIN, -1, 0, 1 << 31, (1 << 53) + 1]).prop_map(Number::from),
    ];
    let float = prop_oneof![
        any::<f64>(),
        (-1000_i32..1000).prop_map(|n| f64::from(n) / 8.0),
        prop::sample::select(vec![0.0, -0.0, 0.1, 1e16, 1e22, 1e300, 5e-324, f64::MAX]),
    ];
    prop_oneof![
        whole,
        float.prop_filter_map("JSON has it", Number::from_f64)
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        4 => number().prop_map(Value::from),
        4 => text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6)
                .prop_map(|entries| Value::from(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// As jsonb gives a value back: a whole float from 1e16 on is an integer there,
/// as far as JSON has integers.
fn in_jsonb(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(in_jsonb).collect(),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| (key.clone(), in_jsonb(value)));
            Value::from(entries.collect::<Map<_, _>>())
        }
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().unwrap_or_default();
            match format!("{float}").parse::<i128>() {
                Ok(whole) if float.abs() >= 1e16 => i64::try_from(whole)
                    .map(Value::from)
                    .or_else(|_| u64::try_from(whole).map(Value::from))
                    .unwrap_or_else(|_| value.clone()),
                _ => value.clone(),
            }
        }
        other => other.clone(),
    }
}

async fn comes_back(server: &Server, values: &[Value]) -> Result<(), TestCaseError> {
    let reply = server
        .execute("test/types_round", json!({"values": values}))
        .await;
    prop_assert_eq!(reply.status, 200, "{:#?}", reply);
    for (index, sent) in values.iter().enumerate() {
        // As text, so that the order of keys and the kind of a number count.
        prop_assert_eq!(reply.body["json"][index].to_string(), sent.to_string());
        prop_assert_eq!(&reply.body["jsonb"][index], &in_jsonb(sent));
    }
    prop_assert_eq!(&reply.body["equal"], true, "python's equality");
    Ok(())
}

#[test]
fn any_value_comes_through_python_and_postgresql() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let server = runtime.block_on(server());
    let registered = runtime.block_on(server.register(&playbook("types_round", ROUND)));
    assert_eq!(registered.status, 201, "{registered:#?}");
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let strategy = prop::collection::vec(value(), VALUES);
    TestRunner::new(config)
        .run(&strategy, |values| {
            runtime.block_on(comes_back(&server, &values))
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

/// The rows of the table under `heading` in docs/templates.md.
fn documented(heading: &str) -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(root().join("docs/templates.md")).expect("the page");
    let (_, section) = page
        .split_once(&format!("\n### {heading}\n"))
        .expect("the heading");
    section
        .lines()
        .skip(1)
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .map_while(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| {
            let cells = line.split('|');
            cells
                .map(|cell| cell.trim().trim_matches('`').to_owned())
                .collect()
        })
        .collect()
}

/// A value that a python step makes of the payload, in SQL, in a python step.
async fn one(server: &Server, payload: &str, code: &str, sql: &str) -> Reply {
    let rest = format!(
        r#"
workload: {{x: null}}
workflow:
  - step: start
    next: [{{step: first}}]
  - step: first
    tool: python
    code: |
      import datetime, decimal
      def main(x): return {{'x': {code}, 'kind': type(x).__name__}}
    args: {{x: '{{{{ workload.x }}}}'}}
    vars: {{x: '{{{{ result.data.x }}}}', kind: '{{{{ result.data.kind }}}}'}}
    next: [{{step: sql}}]
  - step: sql
    tool: postgres
    auth: pg_demo
    query: |
      SELECT {sql} AS v
    next: [{{step: last}}]
  - step: last
    tool: python
    code: |
      def main(kind, v): return {{'first': kind, 'v': v, 'last': type(v).__name__}}
    args: {{kind: '{{{{ vars.kind }}}}', v: '{{{{ sql.data.command_1[0].v }}}}'}}
"#
    );
    let registered = server.register(&playbook("types_one", &rest)).await;
    assert_eq!(registered.status, 201, "{rest}: {registered:#?}");
    let body = format!(r#"{{"path": "test/types_one", "payload": {{"x": {payload}}}}}"#);
    server
        .send("POST", "/api/execute", "application/json", body)
        .await
}

#[tokio::test]
async fn the_documented_types_are_those_that_come_through() {
    let server = server().await;
    let rows = documented("Through a playbook");
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        let [payload, first, sql, value, last] = row.as_slice() else {
            panic!("five cells: {row:?}");
        };
        let reply = one(&server, payload, "x", sql).await;
        assert_eq!(reply.status, 200, "{row:?}: {reply:#?}");
        assert_eq!(reply.body["first"], *first, "{row:?}");
        assert_eq!(reply.body["last"], *last, "{row:?}");
        let value: Value = serde_json::from_str(value).expect("JSON");
        assert_eq!(reply.body["v"].to_string(), value.to_string(), "{row:?}");
    }
}

#[tokio::test]
async fn what_can_not_come_through_is_told() {
    let server = server().await;
    let rows = documented("What can't come through");
    assert!(rows.len() > 5, "{rows:?}");
    for row in rows {
        let [payload, code, sql, told] = row.as_slice() else {
            panic!("four cells: {row:?}");
        };
        let reply = one(&server, payload, code, sql).await;
        assert_eq!(reply.status, 422, "{row:?}: {reply:#?}");
        assert!(reply.body.to_string().contains(told), "{row:?}: {reply:#?}");
    }
}
