//! The postgres tool from a playbook to the database and back.

use noetl_tests::{Reply, Server, server};
use serde_json::{Value, json};
use sqlx::Row;

/// A playbook of one postgres step.
fn playbook(name: &str, workload: Value, query: &str) -> String {
    let query: String = query
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    format!(
        "apiVersion: noetl.io/v1
kind: Playbook
metadata: {{name: {name}, path: test/{name}}}
workload: {workload}
workflow:
  - step: start
    next: [{{step: sql}}]
  - step: sql
    tool: postgres
    auth: {{type: postgres, credential: pg_demo}}
    query: |
{query}    next: [{{step: end}}]
  - step: end
"
    )
}

async fn run(server: &Server, workload: Value, query: &str) -> Reply {
    server
        .run(
            "test/sql",
            &playbook("sql", workload.clone(), query),
            workload,
        )
        .await
}

async fn rows(server: &Server, workload: Value, query: &str) -> Value {
    let reply = run(server, workload, query).await;
    assert_eq!(reply.status, 200, "{query}: {reply:#?}");
    reply.body["command_1"].clone()
}

#[tokio::test]
async fn every_common_type_reaches_json_without_loss() {
    let server = server().await;
    let cases = [
        ("9007199254740993::int8", json!(9007199254740993_i64)),
        ("(-9223372036854775808)::int8", json!(i64::MIN)),
        ("7::int2", json!(7)),
        ("true", json!(true)),
        ("1.50::numeric", json!("1.50")),
        (
            "123456789012345678901234567890.123456789::numeric",
            json!("123456789012345678901234567890.123456789"),
        ),
        ("'NaN'::numeric", json!("NaN")),
        ("0.1::float8", json!(0.1)),
        ("'Infinity'::float8", json!("Infinity")),
        ("'x'::text", json!("x")),
        ("'ab'::char(4)", json!("ab  ")),
        ("'2026-11-24'::date", json!("2026-11-24")),
        (
            "'2026-11-24 01:02:03.000004'::timestamp",
            json!("2026-11-24T01:02:03.000004"),
        ),
        (
            "'2026-11-24 01:02:03+02'::timestamptz",
            json!("2026-11-23T23:02:03+00:00"),
        ),
        (
            "'6f9619ff-8b86-d011-b42d-00c04fc964ff'::uuid",
            json!("6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ),
        ("'\\x00ff'::bytea", json!("\\x00ff")),
        (
            "'{\"a\": [1, null, {\"b\": \"x\"} ]}'::jsonb",
            json!({"a": [1, null, {"b": "x"}]}),
        ),
        ("'[1, 2]'::json", json!([1, 2])),
        ("ARRAY[1, NULL, 3]", json!([1, null, 3])),
        (
            "ARRAY[['a', 'b'], ['c', NULL]]",
            json!([["a", "b"], ["c", null]]),
        ),
        ("ARRAY[1.50::numeric]", json!(["1.50"])),
        ("'{}'::int[]", json!([])),
        ("NULL::int", json!(null)),
        ("'happy'::mood", json!("happy")),
        ("ARRAY['happy']::mood[]", json!(["happy"])),
    ];
    sqlx::query("CREATE TYPE mood AS ENUM ('happy', 'sad')")
        .execute(&mut server.demo.connect().await)
        .await
        .expect("a type can be made");
    for (sql, expected) in cases {
        let rows = rows(&server, json!({}), &format!("SELECT {sql} AS v")).await;
        assert_eq!(rows[0]["v"].to_string(), expected.to_string(), "{sql}");
    }
}

#[tokio::test]
async fn a_script_runs_in_one_transaction_and_keeps_each_statements_rows() {
    let server = server().await;
    let reply = run(
        &server,
        json!({"who": "O'Brien"}),
        "CREATE TABLE notes (id serial PRIMARY KEY, body text); -- a comment; with a semicolon
INSERT INTO notes (body) VALUES ('{{ workload.who }}'), ('a;b'), ($$it's; $1$$) RETURNING id;
/* SELECT 'never'; /* nested */ */
SELECT body FROM notes ORDER BY id;",
    )
    .await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    assert_eq!(reply.body["command_1"], json!([]));
    assert_eq!(
        reply.body["command_2"],
        json!([{"id": 1}, {"id": 2}, {"id": 3}])
    );
    assert_eq!(
        reply.body["command_3"],
        json!([{"body": "O'Brien"}, {"body": "a;b"}, {"body": "it's; $1"}])
    );
    assert_eq!(reply.body["statements"][1]["row_count"], 3);
    assert_eq!(
        reply.body["statements"][2]["columns"],
        json!([{"name": "body", "type": "text"}])
    );

    let failing = run(
        &server,
        json!({}),
        "INSERT INTO notes (body) VALUES ('gone'); SELECT 1 / 0;",
    )
    .await;
    assert_eq!(failing.status, 422, "{failing:#?}");
    assert_eq!(failing.body["error"]["code"], "22012");
    assert_eq!(failing.body["step"], "sql");
    assert!(
        failing.body["detail"]
            .as_str()
            .expect("detail")
            .contains("statement 2"),
        "{failing:#?}"
    );
    let count: i64 = sqlx::query("SELECT count(*) FROM notes")
        .fetch_one(&mut server.demo.connect().await)
        .await
        .expect("the table is there")
        .get(0);
    assert_eq!(count, 3, "the failed script was rolled back");
}

#[tokio::test]
async fn a_value_takes_the_type_that_its_place_needs() {
    let server = server().await;
    sqlx::raw_sql(
        "CREATE TYPE mood AS ENUM ('happy', 'sad');
         CREATE DOMAIN short AS varchar(5);
         CREATE TABLE t (i int, b bigint, s smallint, n numeric(10,2), f float8, d date, ts timestamp, tz timestamptz, u uuid,
                         y bytea, o bool, v varchar(5), m mood, j json, jb jsonb, ti int[], tt text[], sh short)",
    )
    .execute(&mut server.demo.connect().await)
    .await
    .expect("the table can be made");
    for (column, value, expected) in [
        ("i", json!("42"), json!(42)),
        ("i", json!(42), json!(42)),
        (
            "b",
            json!(9007199254740993_i64),
            json!(9007199254740993_i64),
        ),
        ("s", json!("7"), json!(7)),
        ("n", json!("1.5"), json!("1.50")),
        ("n", json!(1.5), json!("1.50")),
        ("f", json!("0.1"), json!(0.1)),
        ("d", json!("2026-11-24"), json!("2026-11-24")),
        (
            "ts",
            json!("2026-11-24 01:02:03"),
            json!("2026-11-24T01:02:03"),
        ),
        (
            "tz",
            json!("2026-11-24T01:02:03Z"),
            json!("2026-11-24T01:02:03+00:00"),
        ),
        (
            "u",
            json!("6F9619FF-8B86-D011-B42D-00C04FC964FF"),
            json!("6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        ),
        ("y", json!("\\x00ff"), json!("\\x00ff")),
        ("o", json!("true"), json!(true)),
        ("o", json!(false), json!(false)),
        ("v", json!("O'B"), json!("O'B")),
        ("m", json!("sad"), json!("sad")),
        (
            "j",
            json!({"a": [1, "{{ 2 }}"]}),
            json!({"a": [1, "{{ 2 }}"]}),
        ),
        ("jb", json!([1, {"b": null}]), json!([1, {"b": null}])),
        ("ti", json!([1, null, 3]), json!([1, null, 3])),
        (
            "tt",
            json!(["a,b", "{\"}", "NULL", null, ""]),
            json!(["a,b", "{\"}", "NULL", null, ""]),
        ),
        ("sh", json!("abc"), json!("abc")),
        ("i", json!(null), json!(null)),
        ("v", json!(null), json!(null)),
    ] {
        for quote in ["'", ""] {
            let query = format!(
                "INSERT INTO t ({column}) VALUES ({quote}{{{{ workload.x }}}}{quote}) RETURNING {column} AS v"
            );
            let rows = rows(&server, json!({"x": value}), &query).await;
            assert_eq!(rows[0]["v"], expected, "{column} {value} {quote}");
        }
    }
    for (column, value, code) in [
        ("i", json!("x"), "22P02"),
        ("i", json!(3_000_000_000_i64), "22003"),
        ("v", json!("too long"), "22001"),
        ("sh", json!("too long"), "22001"),
        ("m", json!("angry"), "22P02"),
        ("u", json!("no uuid"), "22P02"),
        ("d", json!("2026-13-01"), "22008"),
    ] {
        let query = format!("INSERT INTO t ({column}) VALUES ('{{{{ workload.x }}}}')");
        let reply = run(&server, json!({"x": value}), &query).await;
        assert_eq!(reply.status, 422, "{column} {value}: {reply:#?}");
        assert_eq!(
            reply.body["error"]["code"], code,
            "{column} {value}: {reply:#?}"
        );
    }
}

#[tokio::test]
async fn expressions_stand_wherever_sql_has_values() {
    let server = server().await;
    let hostile = "x'); DROP TABLE t; --";
    let workload =
        json!({"x": hostile, "n": 2, "list": [1, 2, 3], "day": "3", "col": "we\"ird; --"});
    for (query, expected) in [
        ("SELECT '{{ workload.x }}' AS v", json!(hostile)),
        (
            "SELECT 'a {{ workload.x }} b' AS v",
            json!(format!("a {hostile} b")),
        ),
        ("SELECT 1 AS v WHERE '{{ workload.x }}' LIKE 'x%'", json!(1)),
        ("SELECT {{ workload.n }} + 1 AS v", json!(3)),
        (
            "SELECT generate_series(1, 9) AS v OFFSET {{ workload.n }} LIMIT 1",
            json!(3),
        ),
        (
            "SELECT '{{ workload.day }} days'::interval = INTERVAL '3 days' AS v",
            json!(true),
        ),
        (
            "SELECT 2 = ANY('{{ workload.list }}'::int[]) AS v",
            json!(true),
        ),
        ("SELECT '{{ workload.list }}'::jsonb -> 1 AS v", json!(2)),
        (
            "SELECT v FROM (SELECT 1 AS {{ workload.col | ident }}, 5 AS v) q WHERE {{ workload.col | ident }} = 1",
            json!(5),
        ),
        (
            "SELECT CASE WHEN '{{ workload.n }}' = '2' THEN E'a\\'b' ELSE 'no' END AS v",
            json!("a'b"),
        ),
    ] {
        let rows = rows(&server, workload.clone(), query).await;
        assert_eq!(rows[0]["v"], expected, "{query}");
    }
    for (query, line) in [
        ("SELECT 1\nFROM tbl_{{ workload.n }}", 14),
        ("SELECT $${{ workload.x }}$$", 13),
        ("SELECT 1 -- {{ workload.x }}", 13),
        ("SELECT 1 AS \"{{ workload.x }}\"", 13),
    ] {
        let reply = server
            .register(&playbook("bad", workload.clone(), query))
            .await;
        assert_eq!(reply.status, 422, "{query}: {reply:#?}");
        let error = &reply.body["errors"][0];
        assert!(
            error["line"]
                .as_u64()
                .is_some_and(|l| (12..=line).contains(&l)),
            "{query}: {error}"
        );
        assert_eq!(error["step"], "sql", "{query}: {error}");
    }
}

#[tokio::test]
async fn a_credential_that_is_not_there_is_denied() {
    let server = server().await;
    let yaml = playbook("sql", json!({}), "SELECT 1").replace("pg_demo", "someone_elses");
    let reply = server.run("test/sql", &yaml, json!({})).await;
    assert_eq!(reply.status, 403, "{reply:#?}");
    assert!(
        reply.body["detail"]
            .as_str()
            .expect("detail")
            .contains("someone_elses"),
        "{reply:#?}"
    );
}

#[tokio::test]
async fn nothing_of_a_session_reaches_the_next_step() {
    let server = server().await;
    for query in [
        "SELECT set_config('search_path', 'pg_catalog', false)",
        "SET statement_timeout = '2s'; SET TimeZone = 'Europe/Berlin'",
        "CREATE TEMP TABLE leak (x int)",
        "SELECT pg_advisory_lock(42)",
        "LISTEN leak",
        "PREPARE leak AS SELECT 1",
    ] {
        let reply = run(&server, json!({}), query).await;
        assert_eq!(reply.status, 200, "{query}: {reply:#?}");
    }
    for _ in 0..12 {
        let rows = rows(
            &server,
            json!({}),
            "SELECT current_setting('search_path') AS path, current_setting('TimeZone') AS zone,
       to_regclass('pg_temp.leak') IS NULL AS no_temp, (SELECT count(*) FROM pg_listening_channels()) AS listening,
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS locks,
       (SELECT count(*) FROM pg_prepared_statements WHERE name = 'leak') AS prepared",
        )
        .await;
        assert_eq!(
            rows[0],
            json!({"path": "\"$user\", public", "zone": "UTC", "no_temp": true, "listening": 0, "locks": 0, "prepared": 0})
        );
    }
}
