//! Parameters that behave like literals.

use super::*;

/// A column of each type, a literal for it, and how the server prints the value.
const LITERALS: &[(&str, &str, &str)] = &[
    ("int2", "42", "42"),
    ("int4", " -7 ", "-7"),
    ("int8", "9223372036854775807", "9223372036854775807"),
    ("numeric(10,2)", "1.005", "1.01"),
    ("float8", "1e-7", "1e-07"),
    ("bool", "yes", "true"),
    ("text", "O'Brien", "O'Brien"),
    ("varchar(9)", "'; DROP--", "'; DROP--"),
    ("char(3)", "ab", "ab"),
    ("name", "n", "n"),
    ("\"char\"", "x", "x"),
    ("bytea", "\\x00ff", "\\x00ff"),
    ("date", "January 8, 1999", "1999-01-08"),
    ("time", "04:05 PM", "16:05:00"),
    ("timestamp", "2026-01-01", "2026-01-01 00:00:00"),
    (
        "timestamptz",
        "2026-01-01 00:00+02",
        "2025-12-31 22:00:00+00",
    ),
    ("interval", "3 days ago", "-3 days"),
    (
        "uuid",
        "{A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11}",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
    ),
    ("json", "{\"a\":  1}", "{\"a\":  1}"),
    ("jsonb", "{\"a\":  1}", "{\"a\": 1}"),
    ("xml", "<a/>", "<a/>"),
    ("inet", "10.1.2.3", "10.1.2.3"),
    ("bit(3)", "101", "101"),
    ("varbit", "1", "1"),
    ("int4[]", "{1,NULL}", "{1,NULL}"),
    ("text[]", "{\"a b\",c}", "{\"a b\",c}"),
    ("int4range", "[1,3]", "[1,4)"),
    ("point", "1,2", "(1,2)"),
    ("regclass", "pg_class", "pg_class"),
    ("t_params.mood", "happy ☺", "happy ☺"),
    ("t_params.\"Odd \"\"name\"", "a", "a"),
    ("t_params.short", "abc", "abc"),
    ("t_params.pair", "(1,x)", "(1,x)"),
];

async fn types(bench: &Bench) {
    schema(bench, "t_params").await;
    for ddl in [
        "CREATE TYPE t_params.mood AS ENUM ('sad', 'happy ☺')",
        "CREATE TYPE t_params.\"Odd \"\"name\" AS ENUM ('a')",
        "CREATE DOMAIN t_params.short AS varchar(3)",
        "CREATE TYPE t_params.pair AS (a int, b text)",
    ] {
        run(bench, ddl, &[]).await.unwrap();
    }
}

#[tokio::test]
async fn literals_fit_every_column_in_and_out_of_transactions() {
    let bench = Bench::new();
    types(&bench).await;
    let mut step = bench.step();
    let connection = open(&mut step).await;
    for (index, (kind, written, printed)) in LITERALS.iter().enumerate() {
        let table = format!("t_params.c{index}");
        query(
            &mut step,
            &connection,
            &format!("CREATE TABLE {table} (v {kind})"),
            &[],
        )
        .await
        .unwrap();
        let insert = format!("INSERT INTO {table} VALUES ($1) RETURNING v::text");
        let alone = query(&mut step, &connection, &insert, &[literal(written)]).await;
        let transaction = begin(&mut step, &connection).await.unwrap();
        let inside = within(&mut step, &transaction, &insert, &[literal(written)]).await;
        commit(&mut step, &transaction).await.unwrap();
        let nothing = query(&mut step, &connection, &insert, &[ParameterValue::Null]).await;
        for answer in [alone, inside] {
            let answer = answer.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
            assert_eq!(
                format!("{:?}", answer.rows[0][0]),
                format!("{:?}", text(printed)),
                "{kind}"
            );
        }
        assert!(
            matches!(nothing.unwrap().rows[0][0], DbValue::Null),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn what_does_not_fit_is_an_error_and_not_cut_off() {
    let bench = Bench::new();
    schema(&bench, "t_long").await;
    run(&bench, "CREATE DOMAIN t_long.d AS varchar(3)", &[])
        .await
        .unwrap();
    run(
        &bench,
        "CREATE TABLE t_long.t (a varchar(3), b char(3), c t_long.d, d bit(3), e int)",
        &[],
    )
    .await
    .unwrap();
    for (column, written, code) in [
        ("a", "abcd", "22001"),
        ("b", "abcd", "22001"),
        ("c", "abcd", "22001"),
        ("d", "10101", "22026"),
        ("e", "x", "22P02"),
        ("e", "2147483648", "22003"),
    ] {
        let sql = format!("INSERT INTO t_long.t ({column}) VALUES ($1)");
        assert_eq!(
            failed(run(&bench, &sql, &[literal(written)]).await).code,
            code,
            "{column}"
        );
    }
}

#[tokio::test]
async fn hostile_strings_are_values() {
    let bench = Bench::new();
    schema(&bench, "t_hostile").await;
    run(&bench, "CREATE TABLE t_hostile.users (name text)", &[])
        .await
        .unwrap();
    for name in [
        "O'Brien",
        "'); DROP TABLE t_hostile.users; --",
        "$1 \\ \" {{ 1 }}",
        "𝄞☺é",
        "$$",
        "",
    ] {
        let sql = "INSERT INTO t_hostile.users VALUES ($1) RETURNING name";
        let stored = value(&bench, sql, &[literal(name)]).await;
        assert_eq!(format!("{stored:?}"), format!("{:?}", text(name)));
    }
    assert!(matches!(
        value(&bench, "SELECT count(*) FROM t_hostile.users", &[]).await,
        DbValue::Int64(6)
    ));
}

#[tokio::test]
async fn nul_is_refused_by_name() {
    let bench = Bench::new();
    let answer = run(&bench, "SELECT $1, $2", &[literal("a"), literal("b\0c")]).await;
    let Err(Error::BadParameter(message)) = answer else {
        panic!("{answer:?}")
    };
    assert!(
        message.contains("$2") && message.contains("NUL"),
        "{message}"
    );
    let answer = run(&bench, "SELECT 1\0; DROP TABLE x", &[]).await;
    assert!(matches!(answer, Err(Error::BadParameter(_))), "{answer:?}");
    let answer = run(&bench, "SELECT $1::text[]", &[document(r#"["a\u0000"]"#)]).await;
    assert!(matches!(answer, Err(Error::BadParameter(_))), "{answer:?}");
}

#[tokio::test]
async fn types_come_from_the_context() {
    let bench = Bench::new();
    let all: &[(&str, &[ParameterValue], &str)] = &[
        ("SELECT $1", &[literal("x")], "x"),
        ("SELECT $1 || $2", &[literal("a"), literal("b")], "ab"),
        (
            "SELECT (now() > $1)::text",
            &[literal("2020-01-01")],
            "true",
        ),
        (
            "SELECT jsonb_build_object('a', $1, 'b', $2)::text",
            &[literal("x"), literal("1")],
            r#"{"a": "x", "b": "1"}"#,
        ),
        (
            "SELECT format('%s-%s', $1, $2)",
            &[literal("x"), literal("y")],
            "x-y",
        ),
        ("SELECT (3 = ANY($1))::text", &[literal("{1,3}")], "true"),
        ("SELECT (3 = ANY($1))::text", &[document("[1,3]")], "true"),
        (
            "SELECT coalesce($1, 'none')",
            &[ParameterValue::Null],
            "none",
        ),
        ("SELECT ($1::int + $1::int)::text", &[literal("2")], "4"),
        ("SELECT $1::int::text || $1", &[literal("2")], "22"),
        (
            "SELECT $1::jsonb ->> 'a'",
            &[document(r#"{"a": "ü"}"#)],
            "ü",
        ),
        (
            "SELECT array_to_string($1::jsonb[], '|')",
            &[document(r#"[{"a":[1]},"s"]"#)],
            r#"{"a": [1]}|"s""#,
        ),
        (
            "SELECT pg_typeof($1)::text",
            &[ParameterValue::Int64(5)],
            "integer",
        ),
        (
            "SELECT pg_typeof($1)::text",
            &[ParameterValue::Int64(5_000_000_000)],
            "bigint",
        ),
        (
            "SELECT pg_typeof($1)::text || $1",
            &[ParameterValue::Numeric("1.50".into())],
            "numeric1.50",
        ),
        (
            "SELECT pg_typeof($1)::text",
            &[ParameterValue::Float64(0.5)],
            "double precision",
        ),
        (
            "SELECT pg_typeof($1)::text",
            &[ParameterValue::Boolean(true)],
            "boolean",
        ),
        (
            "SELECT pg_typeof($1)::text",
            &[ParameterValue::Text("x".into())],
            "text",
        ),
        (
            "SELECT pg_typeof($1)::text",
            &[ParameterValue::Jsonb("{}".into())],
            "jsonb",
        ),
        (
            "SELECT encode($1, 'hex')",
            &[ParameterValue::Binary(vec![0, 171])],
            "00ab",
        ),
        (
            "SELECT x FROM (VALUES ('a'), ('b')) AS t (x) ORDER BY 1 DESC LIMIT $1",
            &[ParameterValue::Int64(1)],
            "b",
        ),
        (
            "SELECT date_trunc($1, t)::text FROM (VALUES ('2026-05-06'::timestamp)) v (t) GROUP BY date_trunc($2, t)",
            &[literal("month"), literal("month")],
            "2026-05-01 00:00:00",
        ),
    ];
    for (sql, parameters, expected) in all {
        // The second time from the plans that are kept.
        for _ in 0..2 {
            let found = value(&bench, sql, parameters).await;
            assert_eq!(
                format!("{found:?}"),
                format!("{:?}", text(expected)),
                "{sql}"
            );
        }
    }
    // One text, other kinds of parameters.
    for (parameter, expected) in [
        (ParameterValue::Int64(1), "integer"),
        (literal("1"), "text"),
    ] {
        let found = value(&bench, "SELECT pg_typeof($1)::text", &[parameter]).await;
        assert_eq!(format!("{found:?}"), format!("{:?}", text(expected)));
    }
    let sql = "SELECT date_trunc($1, t) FROM (VALUES ('2026-05-06'::timestamp)) v (t) GROUP BY date_trunc($2, t)";
    let other = [literal("month"), literal("year")];
    assert_eq!(failed(run(&bench, sql, &other).await).code, "42803");
}

#[tokio::test]
async fn one_parameter_for_columns_of_different_types() {
    let bench = Bench::new();
    schema(&bench, "t_twice").await;
    run(
        &bench,
        "CREATE TABLE t_twice.t (a int, b text, c date)",
        &[],
    )
    .await
    .unwrap();
    let sql = "INSERT INTO t_twice.t (a, b) VALUES ($1, $1) RETURNING a::text || b";
    let found = value(&bench, sql, &[literal("07")]).await;
    assert_eq!(format!("{found:?}"), format!("{:?}", text("707")));
}

#[tokio::test]
async fn documents_become_arrays_where_an_array_is_needed() {
    let bench = Bench::new();
    schema(&bench, "t_arrays").await;
    run(
        &bench,
        "CREATE TABLE t_arrays.t (a text[], b int[], c jsonb, d text, e jsonb[])",
        &[],
    )
    .await
    .unwrap();
    let json = r#"["a\"b", null, "{x}"]"#;
    let answer = run(
        &bench,
        "INSERT INTO t_arrays.t VALUES ($1, $2, $1, $1, $1) RETURNING *",
        &[document(json), document("[[1,2],[3,4]]")],
    )
    .await
    .unwrap();
    let found = format!("{:?}", answer.rows[0]);
    let expected = [
        DbValue::Array(r#"["a\"b",null,"{x}"]"#.into()),
        DbValue::Array("[[1,2],[3,4]]".into()),
        DbValue::Json(json.into()),
        text(json),
        DbValue::Array(r#"["a\"b",null,"{x}"]"#.into()),
    ];
    assert_eq!(found, format!("{expected:?}"));
}

#[tokio::test]
async fn errors_point_into_the_authors_text() {
    let bench = Bench::new();
    let error = failed(
        run(
            &bench,
            "SELECT 'é', $1::int, $2::date, nope",
            &[literal("1"), literal("2026-01-01")],
        )
        .await,
    );
    assert_eq!((&error.code[..], error.position), ("42703", Some(32)));
    let sql = "SELECT 1 + $1::int, length($2), nope2($1)";
    let error = failed(run(&bench, sql, &[literal("1"), literal("x")]).await);
    assert_eq!((&error.code[..], error.position), ("42883", Some(33)));
}

#[tokio::test]
async fn parameters_and_placeholders_have_to_match() {
    let bench = Bench::new();
    for (sql, count) in [
        ("SELECT $2", 1),
        ("SELECT $1", 0),
        ("SELECT 1", 1),
        ("SELECT $0", 1),
    ] {
        let answer = run(&bench, sql, &vec![literal("x"); count]).await;
        assert!(
            matches!(answer, Err(Error::BadParameter(_))),
            "{sql}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn several_commands_are_refused() {
    let bench = Bench::new();
    for (sql, parameters) in [
        ("SELECT 1; SELECT 2", vec![]),
        ("SELECT $1; SELECT 2", vec![literal("x")]),
    ] {
        assert_eq!(failed(run(&bench, sql, &parameters).await).code, "42601");
    }
}

#[tokio::test]
async fn a_changed_schema_is_noticed() {
    let bench = Bench::new();
    schema(&bench, "t_change").await;
    run(&bench, "CREATE TABLE t_change.t (a int)", &[])
        .await
        .unwrap();
    let insert = "INSERT INTO t_change.t VALUES ($1) RETURNING *";
    run(&bench, insert, &[literal("007")]).await.unwrap();
    // By this server …
    run(&bench, "ALTER TABLE t_change.t ALTER a TYPE text", &[])
        .await
        .unwrap();
    let found = value(&bench, insert, &[literal("007")]).await;
    assert_eq!(format!("{found:?}"), format!("{:?}", text("007")));
    // … and by another.
    let other = Bench::new();
    run(&other, "ALTER TABLE t_change.t ADD b int", &[])
        .await
        .unwrap();
    let answer = run(&bench, insert, &[literal("x")]).await.unwrap();
    assert_eq!(answer.columns.len(), 2);
    run(
        &other,
        "ALTER TABLE t_change.t ALTER b TYPE text, ALTER a TYPE int USING 1",
        &[],
    )
    .await
    .unwrap();
    assert_eq!(
        failed(run(&bench, insert, &[literal("x")]).await).code,
        "22P02"
    );
    run(&other, "ALTER TABLE t_change.t ALTER a TYPE text", &[])
        .await
        .unwrap();
    run(&bench, insert, &[literal("x")]).await.unwrap();
}

#[tokio::test]
async fn a_script_may_change_the_schema_that_it_uses() {
    let bench = Bench::new();
    schema(&bench, "t_script").await;
    run(&bench, "CREATE TABLE t_script.t (a int)", &[])
        .await
        .unwrap();
    let insert = "INSERT INTO t_script.t VALUES ($1) RETURNING a::text";
    run(&bench, insert, &[literal("1")]).await.unwrap();
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let transaction = begin(&mut step, &connection).await.unwrap();
    within(
        &mut step,
        &transaction,
        "ALTER TABLE t_script.t ALTER a TYPE text",
        &[],
    )
    .await
    .unwrap();
    within(
        &mut step,
        &transaction,
        "CREATE TYPE t_script.e AS ENUM ('v')",
        &[],
    )
    .await
    .unwrap();
    within(
        &mut step,
        &transaction,
        "CREATE TABLE t_script.u (e t_script.e)",
        &[],
    )
    .await
    .unwrap();
    let found = within(
        &mut step,
        &transaction,
        "INSERT INTO t_script.u VALUES ($1) RETURNING e",
        &[literal("v")],
    )
    .await
    .unwrap();
    assert_eq!(
        format!("{:?}", found.rows[0][0]),
        format!("{:?}", text("v"))
    );
    let found = within(&mut step, &transaction, insert, &[literal("007")])
        .await
        .unwrap();
    assert_eq!(
        format!("{:?}", found.rows[0][0]),
        format!("{:?}", text("007"))
    );
    // Undone: the plan that was made inside must not be left.
    drop(step);
    let found = value(&bench, insert, &[literal("007")]).await;
    assert_eq!(format!("{found:?}"), format!("{:?}", text("7")));
}
