//! Rows into tables.

use super::*;
use crate::wit::copy::noetl::tool::postgres_copy::Host as _;

async fn copy(
    step: &mut StepState,
    transaction: &Resource<Transaction>,
    table: &[&str],
    columns: &[&str],
    rows: Vec<Vec<ParameterValue>>,
) -> std::result::Result<u64, CopyError> {
    let own = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    step.copy_in(again(transaction), own(table), own(columns), rows)
        .await
        .unwrap()
}

/// Copies in a step of its own and keeps it.
async fn keep(
    bench: &Bench,
    table: &[&str],
    columns: &[&str],
    rows: Vec<Vec<ParameterValue>>,
) -> std::result::Result<u64, CopyError> {
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let transaction = begin(&mut step, &connection).await?;
    let count = copy(&mut step, &transaction, table, columns, rows).await?;
    commit(&mut step, &transaction).await?;
    Ok(count)
}

#[tokio::test]
async fn every_value_arrives_as_a_literal_would() {
    let bench = Bench::new();
    schema(&bench, "t_copy").await;
    let cases = [
        ("int4", literal("7"), "7"),
        (
            "int8",
            ParameterValue::Int64(i64::MIN),
            "'-9223372036854775808'",
        ),
        ("numeric", ParameterValue::Numeric("1.50".into()), "1.50"),
        (
            "float8",
            ParameterValue::Float64(f64::NEG_INFINITY),
            "'-Infinity'",
        ),
        ("float8", ParameterValue::Float64(0.1), "0.1"),
        ("bool", ParameterValue::Boolean(true), "true"),
        ("text", ParameterValue::Boolean(false), "'false'"),
        (
            "text",
            literal("a\tb\\N\r\n\\.☺𝄞"),
            "E'a\\tb\\\\N\\r\\n\\\\.☺𝄞'",
        ),
        ("text", literal("\\N"), "'\\N'"),
        ("text", literal(""), "''"),
        ("text", ParameterValue::Null, "NULL"),
        (
            "bytea",
            ParameterValue::Binary(vec![0, 92, 255]),
            "'\\x005cff'",
        ),
        ("date", literal("2026-01-01"), "'2026-01-01'"),
        (
            "timestamptz",
            literal("2026-01-01T00:00:00+02:00"),
            "'2025-12-31 22:00:00Z'",
        ),
        (
            "uuid",
            literal("A0EEBC999C0B4EF8BB6D6BB9BD380A11"),
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
        ),
        (
            "jsonb",
            document("{\"a\": [1.50, \"\\\\ \\n\"]}"),
            "'{\"a\": [1.50, \"\\\\ \\n\"]}'",
        ),
        ("jsonb", literal("\"x\""), "'\"x\"'"),
        ("jsonb", document("[1, 2]"), "'[1, 2]'"),
        ("text", document("[1, 2]"), "'[1, 2]'"),
        (
            "int4[]",
            document("[[1, null], [3, 4]]"),
            "'{{1,NULL},{3,4}}'",
        ),
        (
            "text[]",
            document("[\"a\\\"b\", \"\\\\\", \"NULL\"]"),
            "ARRAY['a\"b', '\\', 'NULL']",
        ),
        (
            "jsonb[]",
            document("[{\"a\": 1}, [2]]"),
            "ARRAY['{\"a\": 1}', '[2]']::jsonb[]",
        ),
        ("int4[]", literal("{1,2}"), "'{1,2}'"),
    ];
    let mut definition = String::new();
    let mut same = String::new();
    let names: Vec<String> = (0..cases.len()).map(|at| format!("c {at}")).collect();
    for ((kind, _, expected), name) in cases.iter().zip(&names) {
        definition += &format!(", \"{name}\" {kind}");
        same += &format!(", \"{name}\" IS NOT DISTINCT FROM {expected}::{kind}");
    }
    let table = format!("CREATE TABLE t_copy.\"Möbel\" (id int DEFAULT 5{definition})");
    run(&bench, &table, &[]).await.unwrap();
    let row: Vec<ParameterValue> = cases.iter().map(|(_, value, _)| value.clone()).collect();
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let copied = keep(&bench, &["t_copy", "Möbel"], &columns, vec![row]).await;
    assert_eq!(copied.unwrap(), 1);
    let sql = format!("SELECT id = 5{same} FROM t_copy.\"Möbel\"");
    let row = run(&bench, &sql, &[]).await.unwrap().rows.remove(0);
    for (value, (kind, sent, _)) in row.iter().skip(1).zip(&cases) {
        assert!(matches!(value, DbValue::Boolean(true)), "{kind}: {sent:?}");
    }
    assert!(matches!(row[0], DbValue::Boolean(true)));
}

#[tokio::test]
async fn what_the_session_has_set_does_not_change_what_rows_mean() {
    let bench = Bench::new();
    schema(&bench, "t_copy_set").await;
    run(&bench, "CREATE TABLE t_copy_set.t (a text)", &[])
        .await
        .unwrap();
    let mut step = bench.step();
    let connection = open(&mut step).await;
    query(
        &mut step,
        &connection,
        "SET client_encoding = 'LATIN1'",
        &[],
    )
    .await
    .unwrap();
    let transaction = begin(&mut step, &connection).await.unwrap();
    copy(
        &mut step,
        &transaction,
        &["t_copy_set", "t"],
        &["a"],
        vec![vec![literal("ö☺")]],
    )
    .await
    .unwrap();
    commit(&mut step, &transaction).await.unwrap();
    let sql = "SELECT a = U&'\\00F6\\263A' FROM t_copy_set.t";
    assert!(matches!(
        value(&bench, sql, &[]).await,
        DbValue::Boolean(true)
    ));
}

#[tokio::test]
async fn an_error_names_row_and_column_and_undoes_all() {
    let bench = Bench::new();
    schema(&bench, "t_copy_bad").await;
    for ddl in [
        "CREATE TABLE t_copy_bad.t (id int PRIMARY KEY, a varchar(3) NOT NULL, CHECK (id < 100))",
        "CREATE FUNCTION t_copy_bad.no() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION 'not this one'; END $$",
        "CREATE TRIGGER no BEFORE INSERT ON t_copy_bad.t FOR EACH ROW \
         WHEN (NEW.id = 50) EXECUTE FUNCTION t_copy_bad.no()",
    ] {
        run(&bench, ddl, &[]).await.unwrap();
    }
    let row = |id: &str, a: &str| vec![literal(id), literal(a)];
    let good = row("1", "x");
    for (bad, code, place, constraint) in [
        (row("x", "y"), "22P02", (Some(2), Some("id")), None),
        (row("2", "long"), "22001", (Some(2), Some("a")), None),
        (row("1", "z"), "23505", (Some(2), None), Some("t_pkey")),
        (
            row("100", "z"),
            "23514",
            (Some(2), None),
            Some("t_id_check"),
        ),
        (row("50", "z"), "P0001", (Some(2), None), None),
        (
            vec![literal("2"), ParameterValue::Null],
            "23502",
            (Some(2), None),
            None,
        ),
    ] {
        let rows = vec![good.clone(), bad.clone()];
        let failed = keep(&bench, &["t_copy_bad", "t"], &["id", "a"], rows)
            .await
            .unwrap_err();
        assert_eq!(
            (failed.row, failed.column.as_deref()),
            place,
            "{bad:?}: {failed:?}"
        );
        let error = super::failed(Err(failed.error));
        assert_eq!(
            (&*error.code, error.constraint.as_deref()),
            (code, constraint),
            "{bad:?}"
        );
    }
    for (table, column, code) in [
        (&["t_copy_bad", "none"][..], "a", "42P01"),
        (&["t_copy_bad", "t"], "none", "42703"),
        (
            &["t_copy_bad", "t\" (id) FROM STDIN; DROP TABLE t --"],
            "a",
            "42P01",
        ),
    ] {
        let failed = keep(&bench, table, &[column], vec![vec![document("[1]")]]).await;
        assert_eq!(super::failed(Err(failed.unwrap_err().error)).code, code);
    }
    let nul = keep(
        &bench,
        &["t_copy_bad", "t"],
        &["id", "a"],
        vec![row("1", "\0")],
    )
    .await;
    let nul = nul.unwrap_err();
    assert_eq!((nul.row, nul.column.as_deref()), (Some(1), Some("a")));
    assert!(matches!(nul.error, Error::BadParameter(_)), "{nul:?}");
    let count = value(&bench, "SELECT count(*) FROM t_copy_bad.t", &[]).await;
    assert!(matches!(count, DbValue::Int64(0)), "{count:?}");
}

#[tokio::test]
async fn a_transaction_that_failed_takes_no_more_and_its_connection_lives() {
    let bench = Bench::single();
    schema(&bench, "t_copy_aborted").await;
    run(&bench, "CREATE TABLE t_copy_aborted.t (a int)", &[])
        .await
        .unwrap();
    let table = ["t_copy_aborted", "t"];
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let transaction = begin(&mut step, &connection).await.unwrap();
    for sent in [vec![vec![literal("x")]], vec![vec![literal("1")]]] {
        copy(&mut step, &transaction, &table, &["a"], sent)
            .await
            .unwrap_err();
    }
    let refused = commit(&mut step, &transaction).await;
    assert!(
        matches!(refused, Err(Error::InvalidState(_))),
        "{refused:?}"
    );
    let ended = copy(
        &mut step,
        &transaction,
        &table,
        &["a"],
        vec![vec![literal("1")]],
    )
    .await;
    let ended = ended.unwrap_err().error;
    assert!(matches!(ended, Error::InvalidState(_)), "{ended:?}");
    let transaction = begin(&mut step, &connection).await.unwrap();
    let none = copy(&mut step, &transaction, &table, &["a"], Vec::new()).await;
    assert_eq!(none.unwrap(), 0);
    let rows = vec![vec![literal("1")], vec![literal("2")]];
    assert_eq!(
        copy(&mut step, &transaction, &table, &["a"], rows)
            .await
            .unwrap(),
        2
    );
    commit(&mut step, &transaction).await.unwrap();
}

#[tokio::test]
async fn a_copy_is_limited_as_a_statement_is() {
    let mut bench = Bench::new();
    schema(&bench, "t_copy_limits").await;
    run(&bench, "CREATE TABLE t_copy_limits.t (a text)", &[])
        .await
        .unwrap();
    let table = ["t_copy_limits", "t"];
    bench.limits.postgres_statement_bytes = 100;
    let long = keep(
        &bench,
        &table,
        &["a"],
        vec![vec![literal(&"x".repeat(100))]],
    )
    .await;
    let Error::Limit(message) = long.unwrap_err().error else {
        panic!("not a limit")
    };
    assert!(
        message.contains("postgres_statement_bytes = 100B"),
        "{message}"
    );
    let many = keep(
        &bench,
        &table,
        &["a"],
        vec![vec![ParameterValue::Null]; 100],
    )
    .await;
    assert!(matches!(many.unwrap_err().error, Error::Limit(_)));
    bench.limits = Limits {
        postgres_calls: 2,
        ..Limits::default()
    };
    let calls = keep(&bench, &table, &["a"], vec![vec![literal("x")]]).await;
    let Error::Limit(message) = calls.unwrap_err().error else {
        panic!("not a limit")
    };
    assert!(message.contains("postgres_calls = 2"), "{message}");
}

#[tokio::test]
async fn a_copy_ends_with_its_step() {
    let mut bench = Bench::new();
    schema(&bench, "t_copy_late").await;
    run(&bench, "CREATE TABLE t_copy_late.t (a text)", &[])
        .await
        .unwrap();
    let mut other = bench.step();
    let connection = open(&mut other).await;
    let transaction = begin(&mut other, &connection).await.unwrap();
    within(&mut other, &transaction, "LOCK TABLE t_copy_late.t", &[])
        .await
        .unwrap();
    bench.deadline = Duration::from_millis(300);
    let late = keep(
        &bench,
        &["t_copy_late", "t"],
        &["a"],
        vec![vec![literal("x")]],
    )
    .await;
    let late = late.unwrap_err().error;
    assert!(matches!(late, Error::Timeout(_)), "{late:?}");
    commit(&mut other, &transaction).await.unwrap();
    let count = "SELECT count(*) FROM t_copy_late.t";
    assert!(matches!(
        value(&Bench::new(), count, &[]).await,
        DbValue::Int64(0)
    ));
}

#[tokio::test]
async fn a_temporary_table_does_not_make_others_plan_anew() {
    let bench = Bench::new();
    let pool = bench
        .pools
        .find("t", "db")
        .await
        .unwrap()
        .expect("it is there");
    let epoch = || pool.schema_epoch.load(std::sync::atomic::Ordering::Acquire);
    let before = epoch();
    run(&bench, "CREATE TEMP TABLE own (a int)", &[])
        .await
        .unwrap();
    assert_eq!(epoch(), before);
    run(
        &bench,
        "CREATE TABLE IF NOT EXISTS t_copy_not_own (a int)",
        &[],
    )
    .await
    .unwrap();
    assert_eq!(epoch(), before + 1);
}
