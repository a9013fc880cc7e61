//! Transactions, limits, and what must not be left behind.

use super::*;

async fn count(bench: &Bench, table: &str) -> i64 {
    match value(bench, &format!("SELECT count(*) FROM {table}"), &[]).await {
        DbValue::Int64(count) => count,
        other => panic!("{other:?}"),
    }
}

/// Waits for what happens on the server after a step has ended.
async fn eventually(bench: &Bench, sql: &str) {
    for _ in 0..600 {
        if matches!(value(bench, sql, &[]).await, DbValue::Boolean(true)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never true: {sql}");
}

#[tokio::test]
async fn transactions_commit_and_roll_back() {
    let bench = Bench::new();
    schema(&bench, "t_tx").await;
    run(&bench, "CREATE TABLE t_tx.t (a int PRIMARY KEY)", &[])
        .await
        .unwrap();
    let mut step = bench.step();
    let connection = open(&mut step).await;

    let transaction = begin(&mut step, &connection).await.unwrap();
    within(
        &mut step,
        &transaction,
        "INSERT INTO t_tx.t VALUES (1)",
        &[],
    )
    .await
    .unwrap();
    let refused = query(&mut step, &connection, "SELECT 1", &[]).await;
    assert!(matches!(refused, Err(Error::InvalidState(_))));
    assert!(matches!(
        begin(&mut step, &connection).await,
        Err(Error::InvalidState(_))
    ));
    commit(&mut step, &transaction).await.unwrap();
    assert!(matches!(
        commit(&mut step, &transaction).await,
        Err(Error::InvalidState(_))
    ));
    assert_eq!(count(&bench, "t_tx.t").await, 1);

    let transaction = begin(&mut step, &connection).await.unwrap();
    within(
        &mut step,
        &transaction,
        "INSERT INTO t_tx.t VALUES (2)",
        &[],
    )
    .await
    .unwrap();
    HostTransaction::rollback(&mut step, again(&transaction))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(count(&bench, "t_tx.t").await, 1);

    let transaction = begin(&mut step, &connection).await.unwrap();
    within(
        &mut step,
        &transaction,
        "INSERT INTO t_tx.t VALUES (3)",
        &[],
    )
    .await
    .unwrap();
    HostTransaction::drop(&mut step, transaction).await.unwrap();
    assert_eq!(count(&bench, "t_tx.t").await, 1);
    query(&mut step, &connection, "SELECT 1", &[])
        .await
        .unwrap();

    let transaction = begin(&mut step, &connection).await.unwrap();
    within(
        &mut step,
        &transaction,
        "INSERT INTO t_tx.t VALUES (4)",
        &[],
    )
    .await
    .unwrap();
    let error = failed(
        within(
            &mut step,
            &transaction,
            "INSERT INTO t_tx.t VALUES ($1)",
            &[literal("1")],
        )
        .await,
    );
    assert_eq!((&error.code[..], &error.severity[..]), ("23505", "ERROR"));
    assert_eq!(
        (error.constraint.as_deref(), error.table.as_deref()),
        (Some("t_pkey"), Some("t"))
    );
    assert!(
        error
            .detail
            .is_some_and(|detail| detail.contains("(a)=(1)"))
    );
    let next = within(&mut step, &transaction, "SELECT 1", &[]).await;
    assert!(matches!(next, Err(Error::InvalidState(_))));
    assert!(matches!(
        commit(&mut step, &transaction).await,
        Err(Error::InvalidState(_))
    ));
    assert_eq!(count(&bench, "t_tx.t").await, 1);
    query(&mut step, &connection, "SELECT 1", &[])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_failing_deferred_constraint_fails_the_commit() {
    let bench = Bench::new();
    schema(&bench, "t_deferred").await;
    run(
        &bench,
        "CREATE TABLE t_deferred.t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)",
        &[],
    )
    .await
    .unwrap();
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let transaction = begin(&mut step, &connection).await.unwrap();
    within(
        &mut step,
        &transaction,
        "INSERT INTO t_deferred.t VALUES (1), (1)",
        &[],
    )
    .await
    .unwrap();
    let Err(Error::QueryFailed(error)) = commit(&mut step, &transaction).await else {
        panic!()
    };
    assert_eq!(error.code, "23505");
    assert_eq!(
        failed(
            query(
                &mut step,
                &connection,
                "INSERT INTO t_deferred.t VALUES (2), (2)",
                &[]
            )
            .await
        )
        .code,
        "23505"
    );
    assert_eq!(count(&bench, "t_deferred.t").await, 0);
}

#[tokio::test]
async fn a_dropped_step_rolls_back() {
    let bench = Bench::single();
    schema(&bench, "t_drop").await;
    run(&bench, "CREATE TABLE t_drop.t (a int)", &[])
        .await
        .unwrap();
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let transaction = begin(&mut step, &connection).await.unwrap();
    within(
        &mut step,
        &transaction,
        "INSERT INTO t_drop.t VALUES (1)",
        &[],
    )
    .await
    .unwrap();
    drop(step);
    // The only connection of the pool.
    assert_eq!(count(&bench, "t_drop.t").await, 0);
}

#[tokio::test]
async fn transaction_control_belongs_to_the_interface() {
    let bench = Bench::new();
    let mut step = bench.step();
    let connection = open(&mut step).await;
    for sql in [
        "BEGIN",
        " ; /* x */ begin",
        "start transaction",
        "COMMIT",
        "END",
        "ROLLBACK",
        "ABORT",
        "PREPARE TRANSACTION 'x'",
        "COMMIT PREPARED 'x'",
        "ROLLBACK PREPARED 'x'",
        "SAVEPOINT s",
    ] {
        let answer = query(&mut step, &connection, sql, &[]).await;
        assert!(
            matches!(answer, Err(Error::InvalidState(_))),
            "{sql}: {answer:?}"
        );
    }
    let transaction = begin(&mut step, &connection).await.unwrap();
    assert!(matches!(
        within(&mut step, &transaction, "COMMIT", &[]).await,
        Err(Error::InvalidState(_))
    ));
    for sql in [
        "SAVEPOINT s",
        "ROLLBACK TO s",
        "ROLLBACK WORK TO SAVEPOINT s",
        "RELEASE s",
    ] {
        within(&mut step, &transaction, sql, &[]).await.unwrap();
    }
    commit(&mut step, &transaction).await.unwrap();
}

#[tokio::test]
async fn nothing_of_a_session_is_left_to_the_next() {
    let bench = Bench::single();
    schema(&bench, "t_leak").await;
    let backend = value(&bench, "SELECT pg_backend_pid()", &[]).await;
    for sql in [
        "SET search_path TO t_leak",
        "SELECT set_config('search_path', 't_leak', false)",
        "SELECT set_config('my.secret', 'x', false)",
        "SET TimeZone TO 'Europe/Berlin'",
        "SET ROLE pg_monitor",
        "SET SESSION AUTHORIZATION pg_monitor",
        "LISTEN leak",
        "SELECT pg_advisory_lock(42)",
        "CREATE TEMP TABLE leak (a int)",
        "SET statement_timeout TO 0",
    ] {
        run(&bench, sql, &[]).await.unwrap();
        let state = value(
            &bench,
            "SELECT concat_ws(' ', current_setting('search_path'), current_setting('my.secret', true),
                 current_setting('TimeZone'), current_user = session_user,
                 (SELECT count(*) FROM pg_listening_channels()),
                 (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
                 to_regclass('leak'), current_setting('statement_timeout'))",
            &[],
        )
        .await;
        let state = format!("{state:?}").replace("  ", " ");
        assert_eq!(
            state,
            format!("{:?}", text("\"$user\", public UTC t 0 0 5min")).replace("  ", " "),
            "{sql}"
        );
    }
    // All that on one connection: it was reset and not replaced.
    let after = value(&bench, "SELECT pg_backend_pid()", &[]).await;
    assert_eq!(format!("{backend:?}"), format!("{after:?}"));
    // A statement that SQL prepared can't be told apart from ours and closes it.
    run(&bench, "PREPARE leak AS SELECT 1", &[]).await.unwrap();
    assert_eq!(failed(run(&bench, "EXECUTE leak", &[]).await).code, "26000");
}

#[tokio::test]
async fn dropping_all_prepared_statements_harms_nobody() {
    let bench = Bench::single();
    for sql in [
        "DISCARD ALL",
        "DEALLOCATE ALL",
        "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$",
    ] {
        let mut step = bench.step();
        let connection = open(&mut step).await;
        query(&mut step, &connection, "SELECT 1", &[])
            .await
            .unwrap();
        query(&mut step, &connection, sql, &[]).await.unwrap();
        if !sql.starts_with("DO") {
            query(&mut step, &connection, "SELECT 1", &[])
                .await
                .unwrap();
        }
        drop(step);
        run(&bench, "SELECT 1", &[]).await.unwrap();
    }
}

#[tokio::test]
async fn a_temporary_search_path_does_not_spoil_the_plans() {
    let bench = Bench::new();
    schema(&bench, "t_path_a").await;
    schema(&bench, "t_path_b").await;
    run(&bench, "CREATE TABLE t_path_a.paths (a int)", &[])
        .await
        .unwrap();
    run(&bench, "CREATE TABLE t_path_b.paths (a text)", &[])
        .await
        .unwrap();
    for (path, printed) in [("t_path_a", "7"), ("t_path_b", "007")] {
        let mut step = bench.step();
        let connection = open(&mut step).await;
        query(
            &mut step,
            &connection,
            &format!("SET search_path TO {path}"),
            &[],
        )
        .await
        .unwrap();
        let sql = "INSERT INTO paths VALUES ($1) RETURNING a::text";
        let answer = query(&mut step, &connection, sql, &[literal("007")])
            .await
            .unwrap();
        assert_eq!(
            format!("{:?}", answer.rows[0][0]),
            format!("{:?}", text(printed))
        );
    }
}

#[tokio::test]
async fn an_abandoned_query_is_ended() {
    let bench = Bench::single();
    schema(&bench, "t_abandoned").await;
    run(&bench, "CREATE TABLE t_abandoned.t (a int)", &[])
        .await
        .unwrap();
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let transaction = begin(&mut step, &connection).await.unwrap();
    within(
        &mut step,
        &transaction,
        "INSERT INTO t_abandoned.t VALUES (1)",
        &[],
    )
    .await
    .unwrap();
    let sql = "SELECT pg_sleep(600) AS abandoned";
    let slow = tokio::spawn(async move { within(&mut step, &transaction, sql, &[]).await });
    let other = Bench::new();
    let running = "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%AS aband' || 'oned%' AND state = 'active'";
    eventually(&other, running).await;
    slow.abort();
    let _ = slow.await;
    assert_eq!(count(&bench, "t_abandoned.t").await, 0);
    eventually(&other, &running.replace("= 1", "= 0")).await;
}

#[tokio::test]
async fn a_deadline_ends_the_query_on_the_server() {
    let mut bench = Bench::single();
    bench.deadline = Duration::from_millis(300);
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let sql = "SELECT set_config('statement_timeout', '0', false), pg_sleep(600) AS too_late";
    let answer = query(&mut step, &connection, sql, &[]).await;
    assert!(matches!(answer, Err(Error::Timeout(_))), "{answer:?}");
    let answer = query(&mut step, &connection, "SELECT 1", &[]).await;
    assert!(matches!(answer, Err(Error::InvalidState(_))), "{answer:?}");
    bench.deadline = Duration::from_secs(60);
    eventually(
        &bench,
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE '%AS too_' || 'late%'",
    )
    .await;
}

#[tokio::test]
async fn the_pools_statement_timeout_is_a_timeout() {
    let bench = Bench::with(PoolSettings {
        statement_timeout: Duration::from_millis(50),
        ..PoolSettings::default()
    });
    let answer = run(&bench, "SELECT pg_sleep(600)", &[]).await;
    assert!(matches!(answer, Err(Error::Timeout(_))), "{answer:?}");
    run(&bench, "SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn waiting_for_a_connection_has_an_end() {
    let mut bench = Bench::single();
    let mut first = bench.step();
    let _held = open(&mut first).await;
    bench.deadline = Duration::from_millis(100);
    let answer = HostConnection::open(&mut bench.step(), "db".into())
        .await
        .unwrap();
    assert!(matches!(answer, Err(Error::Timeout(_))));
}

#[tokio::test]
async fn limits_name_themselves() {
    let mut bench = Bench::new();
    bench.limits = Limits {
        calls: 6,
        connections: 1,
        statement_bytes: 100,
        rows: 10,
        bytes: 1000,
    };
    let named = |answer: Answer<RowSet>, name: &str| match answer {
        Err(Error::Limit(message)) => assert!(message.contains(name), "{message}"),
        other => panic!("{name}: {other:?}"),
    };
    named(
        run(&bench, "SELECT generate_series(1, 11)", &[]).await,
        "postgres_rows",
    );
    named(
        run(&bench, "SELECT repeat('x', 1000)", &[]).await,
        "postgres_bytes",
    );
    named(
        run(&bench, "SELECT $1", &[literal(&"x".repeat(100))]).await,
        "postgres_statement_bytes",
    );
    run(&bench, "SELECT generate_series(1, 10)", &[])
        .await
        .unwrap();

    let mut step = bench.step();
    let connection = open(&mut step).await;
    let second = HostConnection::open(&mut step, "db".into()).await.unwrap();
    assert!(matches!(second, Err(Error::Limit(_))));
    query(&mut step, &connection, "SELECT generate_series(1, 6)", &[])
        .await
        .unwrap();
    named(
        query(&mut step, &connection, "SELECT generate_series(1, 6)", &[]).await,
        "postgres_rows",
    );
    HostConnection::drop(&mut step, connection).await.unwrap();
    let connection = open(&mut step).await;
    query(&mut step, &connection, "SELECT 1", &[])
        .await
        .unwrap();
    named(
        query(&mut step, &connection, "SELECT 1", &[]).await,
        "postgres_calls",
    );
}

#[tokio::test]
async fn what_is_not_granted_looks_like_what_is_not_there() {
    let bench = Bench::new();
    let mut messages = Vec::new();
    for (grant, alias) in [
        (Grant::Only(BTreeSet::new()), "db"),
        (Grant::Only(["other".to_owned()].into()), "db"),
        (Grant::All, "nope"),
    ] {
        let answer = HostConnection::open(&mut bench.step_with(grant), alias.into())
            .await
            .unwrap();
        let Err(Error::AccessDenied(message)) = answer else {
            panic!("{alias} was opened")
        };
        messages.push(message.replace(alias, "…"));
    }
    messages.dedup();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let granted = Grant::Only(["db".to_owned()].into());
    HostConnection::open(&mut bench.step_with(granted), "db".into())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_changed_credential_is_used_at_once() {
    let bench = Bench::new();
    run(&bench, "SELECT 1", &[]).await.unwrap();
    let set = |url: Option<&str>| {
        *bench.source.0.lock().unwrap() = url.map(Secret::new);
        bench.pools.invalidate("t", "db");
    };
    set(Some("postgres://canary:hunter2@127.0.0.1:1/secretdb"));
    let answer = HostConnection::open(&mut bench.step(), "db".into())
        .await
        .unwrap();
    let Err(error @ Error::ConnectionFailed(_)) = answer else {
        panic!()
    };
    let shown = format!("{error:?}");
    for secret in ["canary", "hunter2", "secretdb", "127.0.0.1"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    set(Some("canary:hunter2"));
    let answer = HostConnection::open(&mut bench.step(), "db".into())
        .await
        .unwrap();
    let Err(error @ Error::ConnectionFailed(_)) = answer else {
        panic!()
    };
    assert!(!format!("{error:?} {:?} {:?}", bench.source, bench.pools).contains("hunter2"));
    set(None);
    let answer = HostConnection::open(&mut bench.step(), "db".into())
        .await
        .unwrap();
    assert!(matches!(answer, Err(Error::AccessDenied(_))));
    set(Some(&url()));
    run(&bench, "SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn a_refused_login_says_no_name() {
    let bench = Bench::new();
    let mut other = url::Url::parse(&url()).unwrap();
    other.set_path("/canary_database");
    *bench.source.0.lock().unwrap() = Some(Secret::new(other.as_str()));
    let answer = HostConnection::open(&mut bench.step(), "db".into())
        .await
        .unwrap();
    let Err(Error::ConnectionFailed(message)) = answer else {
        panic!()
    };
    assert!(
        message.contains("3D000") && !message.contains("canary"),
        "{message}"
    );
}

#[tokio::test]
async fn copy_is_refused_and_harms_nothing() {
    let bench = Bench::single();
    for sql in ["COPY (SELECT 1) TO STDOUT", "COPY pg_class FROM STDIN"] {
        let answer = run(&bench, sql, &[]).await;
        assert!(
            matches!(answer, Err(Error::Other(_) | Error::QueryFailed(_))),
            "{answer:?}"
        );
    }
    run(&bench, "SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn a_lost_connection_is_an_error_once() {
    let bench = Bench::single();
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let answer = query(
        &mut step,
        &connection,
        "SELECT pg_terminate_backend(pg_backend_pid())",
        &[],
    )
    .await;
    assert!(answer.is_err(), "{answer:?}");
    drop(step);
    run(&bench, "SELECT 1", &[]).await.unwrap();
}

#[tokio::test]
async fn many_steps_share_a_few_connections() {
    let bench = Bench::with(PoolSettings {
        max_connections: 2,
        ..PoolSettings::default()
    });
    let steps = (0..50).map(|n| run_number(&bench, n));
    futures_util::future::join_all(steps).await;
}

async fn run_number(bench: &Bench, n: i64) {
    let found = value(bench, "SELECT $1::int8", &[literal(&n.to_string())]).await;
    assert!(
        matches!(found, DbValue::Int64(found) if found == n),
        "{found:?}"
    );
}
