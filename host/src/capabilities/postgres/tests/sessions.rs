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

/// What a session could have left, in words.
const STATE: &str = "SELECT concat_ws(' ', current_setting('search_path'),
    current_setting('my.secret', true), current_setting('TimeZone'), current_user = session_user,
    current_setting('transaction_read_only'), current_setting('default_transaction_isolation'),
    (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_cursors WHERE name <> ''),
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
    to_regclass('leak'), to_regtype('pg_temp.leak_type'), to_regproc('pg_temp.leak'),
    current_setting('statement_timeout'), current_setting('client_min_messages'))";

const CLEAN: &str = "\"$user\", public UTC t off read committed 0 0 0 64s error";

async fn state(bench: &Bench) -> String {
    match value(bench, STATE, &[]).await {
        DbValue::Text(state) => state.replace("  ", " "),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nothing_of_a_session_is_left_to_the_next() {
    let bench = Bench::single();
    schema(&bench, "t_leak").await;
    run(&bench, "CREATE SEQUENCE t_leak.numbers", &[])
        .await
        .unwrap();
    let backend = value(&bench, "SELECT pg_backend_pid()", &[]).await;
    assert_eq!(state(&bench).await, CLEAN);
    let set_role = format!("SET ROLE {}_group", role());
    for sql in [
        "SET search_path TO t_leak",
        "SELECT set_config('search_path', 't_leak', false)",
        "SELECT set_config('my.secret', 'x', false)",
        "SET TimeZone TO 'Europe/Berlin'",
        &set_role,
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
        "LISTEN leak",
        "SELECT pg_advisory_lock(42)",
        "SELECT pg_advisory_lock_shared(43)",
        "SELECT pg_advisory_xact_lock(44)",
        "CREATE TEMP TABLE leak (a int)",
        "CREATE TYPE pg_temp.leak_type AS (a int)",
        "CREATE FUNCTION pg_temp.leak() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DECLARE leak CURSOR WITH HOLD FOR SELECT 1",
        "SET statement_timeout TO 0",
        "SET client_min_messages TO debug5",
        "DO $$ BEGIN PERFORM set_config('statement_timeout', '1h', false); END $$",
        "RESET ALL",
    ] {
        run(&bench, sql, &[]).await.unwrap();
        assert_eq!(state(&bench).await, CLEAN, "{sql}");
    }
    run(&bench, "SELECT nextval('t_leak.numbers')", &[])
        .await
        .unwrap();
    for sql in ["SELECT currval('t_leak.numbers')", "SELECT lastval()"] {
        assert_eq!(failed(run(&bench, sql, &[]).await).code, "55000", "{sql}");
    }
    // Random numbers that one step has chosen would be known to it.
    let mut chosen = Vec::new();
    for _ in 0..2 {
        run(&bench, "SELECT setseed(0.5)", &[]).await.unwrap();
        chosen.push(format!("{:?}", value(&bench, "SELECT random()", &[]).await));
    }
    assert_ne!(chosen[0], chosen[1]);
    // All that on one connection: it was reset and not replaced.
    let after = value(&bench, "SELECT pg_backend_pid()", &[]).await;
    assert_eq!(format!("{backend:?}"), format!("{after:?}"));
    // A statement that SQL prepared can't be told apart from ours and closes it.
    run(&bench, "PREPARE leak AS SELECT 1", &[]).await.unwrap();
    assert_eq!(failed(run(&bench, "EXECUTE leak", &[]).await).code, "26000");
}

#[tokio::test]
async fn nothing_of_an_abandoned_transaction_is_left_to_the_next() {
    let bench = Bench::single();
    schema(&bench, "t_left").await;
    run(&bench, "CREATE TABLE t_left.t (a int)", &[])
        .await
        .unwrap();
    let backend = value(&bench, "SELECT pg_backend_pid()", &[]).await;
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let transaction = begin(&mut step, &connection).await.unwrap();
    for sql in [
        "INSERT INTO t_left.t VALUES (1)",
        "SELECT pg_advisory_xact_lock(45), pg_advisory_lock(46)",
        "DECLARE leak CURSOR FOR SELECT 1",
        "CREATE TEMP TABLE leak (a int) ON COMMIT DROP",
        "SET LOCAL search_path TO t_left",
        "SET TimeZone TO 'Europe/Berlin'",
        "LISTEN leak",
        "SAVEPOINT s",
    ] {
        within(&mut step, &transaction, sql, &[]).await.unwrap();
    }
    drop(step);
    assert_eq!(state(&bench).await, CLEAN);
    assert_eq!(count(&bench, "t_left.t").await, 0);
    let after = value(&bench, "SELECT pg_backend_pid()", &[]).await;
    assert_eq!(format!("{backend:?}"), format!("{after:?}"));
}

#[tokio::test]
async fn a_superusers_session_is_left_to_nobody() {
    let bench = Bench::single();
    bench.set(Some(Credential {
        url: testing::admin_url(),
        allow_privileged: true,
    }));
    for sql in [
        "SET SESSION AUTHORIZATION pg_monitor",
        "SET ROLE pg_monitor",
    ] {
        run(&bench, sql, &[]).await.unwrap();
        assert_eq!(state(&bench).await, CLEAN, "{sql}");
    }
}

#[tokio::test]
async fn tenants_share_no_connection() {
    let bench = Bench::single();
    let mut backends = Vec::new();
    for tenant in ["t", "u", "t", "u"] {
        let mut step = bench.step_of(tenant, Allowed::All);
        let connection = open(&mut step).await;
        let sql = "SELECT pg_backend_pid(), current_setting('my.tenant', true)";
        let answer = query(&mut step, &connection, sql, &[]).await.unwrap();
        backends.push(format!("{:?}", answer.rows[0]));
        let sql = format!("SET my.tenant TO '{tenant}'");
        query(&mut step, &connection, &sql, &[]).await.unwrap();
    }
    assert_ne!(backends[0], backends[1]);
    assert!(
        backends
            .iter()
            .all(|seen| !seen.contains("\"t\"") && !seen.contains("\"u\"")),
        "{backends:?}"
    );
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

const TIMEOUT: &str = "SELECT current_setting('statement_timeout')";

async fn seconds(step: &mut StepState, connection: &Resource<Connection>) -> String {
    let answer = query(step, connection, TIMEOUT, &[]).await.unwrap();
    match &answer.rows[0][0] {
        DbValue::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn postgresqls_own_timeout_follows_the_time_that_a_step_has() {
    let mut bench = Bench::single();
    for (deadline, timeout) in [(60, "64s"), (5, "8s"), (3000, "4096s"), (60, "64s")] {
        bench.deadline = Duration::from_secs(deadline);
        let mut step = bench.step();
        let connection = open(&mut step).await;
        assert_eq!(seconds(&mut step, &connection).await, timeout);
        let transaction = begin(&mut step, &connection).await.unwrap();
        let answer = within(&mut step, &transaction, TIMEOUT, &[]).await.unwrap();
        assert_eq!(
            format!("{:?}", answer.rows[0][0]),
            format!("{:?}", text(timeout))
        );
        HostTransaction::drop(&mut step, transaction).await.unwrap();
        // A step may set less for itself, and not more.
        for (sql, then) in [
            ("SET statement_timeout TO '2s'", "2s"),
            ("SET statement_timeout TO 0", timeout),
            ("RESET ALL", timeout),
            (
                "SELECT set_config('statement_timeout', '1d', false)",
                timeout,
            ),
        ] {
            query(&mut step, &connection, sql, &[]).await.unwrap();
            assert_eq!(seconds(&mut step, &connection).await, then, "{sql}");
        }
    }
}

#[tokio::test]
async fn a_role_may_have_a_shorter_timeout_of_its_own() {
    let name = format!("{}_hurried", role());
    testing::as_admin(&[
        format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'"),
        format!("ALTER ROLE {name} SET statement_timeout TO '5s'"),
    ])
    .await;
    let mut bench = Bench::single();
    bench.set(Some(credential(testing::login(&name, &role()).expose())));
    for (deadline, timeout) in [(60, "5s"), (2, "2s"), (60, "5s")] {
        bench.deadline = Duration::from_secs(deadline);
        let mut step = bench.step();
        let connection = open(&mut step).await;
        assert_eq!(seconds(&mut step, &connection).await, timeout);
    }
}

/// SET TRANSACTION has to be the first statement that PostgreSQL sees.
#[tokio::test]
async fn a_script_can_choose_its_isolation_level() {
    let mut bench = Bench::single();
    for deadline in [60, 5, 60] {
        bench.deadline = Duration::from_secs(deadline);
        let mut step = bench.step();
        let connection = open(&mut step).await;
        for touch in ["SELECT 1", "SET statement_timeout TO '1h'"] {
            query(&mut step, &connection, touch, &[]).await.unwrap();
            let transaction = begin(&mut step, &connection).await.unwrap();
            for sql in [
                "SET LOCAL statement_timeout TO '2h'",
                "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE",
                "SELECT 1",
            ] {
                within(&mut step, &transaction, sql, &[]).await.unwrap();
            }
            commit(&mut step, &transaction).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_step_like_the_one_before_finds_the_timeout_set() {
    let bench = Bench::single();
    run(&bench, "SET statement_timeout TO '1s'", &[])
        .await
        .unwrap();
    let pool = bench.pools.find("t", "db").await.unwrap().unwrap();
    // The only connection: it has been reset.
    let lease = pool.lease().await.unwrap();
    assert_eq!(lease.statement_timeout, Some(64_000));
    drop(lease);
    assert_eq!(
        format!("{:?}", value(&bench, TIMEOUT, &[]).await),
        format!("{:?}", text("64s"))
    );
}

#[tokio::test]
async fn postgresqls_own_timeout_falls_with_the_time_that_is_left() {
    let mut bench = Bench::single();
    bench.deadline = Duration::from_secs(3);
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let transaction = begin(&mut step, &connection).await.unwrap();
    for timeout in ["4s", "2s"] {
        let answer = within(&mut step, &transaction, TIMEOUT, &[]).await.unwrap();
        assert_eq!(
            format!("{:?}", answer.rows[0][0]),
            format!("{:?}", text(timeout))
        );
        within(&mut step, &transaction, "SELECT pg_sleep(1.2)", &[])
            .await
            .unwrap();
    }
}

/// When nobody is left who could end a query, PostgreSQL does it by itself.
#[tokio::test]
async fn postgresql_ends_a_query_whose_server_is_gone() {
    let mut bench = Bench::single();
    bench.deadline = Duration::from_secs(4);
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let mut query = Box::pin(query(
        &mut step,
        &connection,
        "SELECT pg_sleep(600) AS unattended",
        &[],
    ));
    let other = Bench::new();
    let running = "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%AS unatt' || 'ended%' AND state = 'active'";
    while !matches!(value(&other, running, &[]).await, DbValue::Boolean(true)) {
        let a_moment = tokio::time::timeout(Duration::from_millis(10), &mut query).await;
        assert!(a_moment.is_err(), "{a_moment:?}");
    }
    // From here on the step is not run any more, and so its deadline does nothing.
    eventually(&other, &running.replace("= 1", "= 0")).await;
    let answer = query.await;
    assert!(matches!(answer, Err(Error::Timeout(_))), "{answer:?}");
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
        postgres_calls: 6,
        postgres_connections: 1,
        postgres_statement_bytes: 100,
        postgres_rows: 10,
        postgres_bytes: 1000,
        ..Limits::default()
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
        (Allowed::none(), "db"),
        (Allowed::Only(["other".to_owned()].into()), "db"),
        (Allowed::All, "nope"),
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
    let granted = Allowed::Only(["db".to_owned()].into());
    HostConnection::open(&mut bench.step_with(granted), "db".into())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_changed_credential_is_used_at_once() {
    let bench = Bench::new();
    run(&bench, "SELECT 1", &[]).await.unwrap();
    let set = |url: Option<&str>| bench.set(url.map(credential));
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
    bench.set(Some(credential(other.as_str())));
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
async fn copy_with_the_client_is_refused_and_harms_nothing() {
    let bench = Bench::single();
    schema(&bench, "t_copy").await;
    run(&bench, "CREATE TABLE t_copy.t (a int)", &[])
        .await
        .unwrap();
    let backend = value(&bench, "SELECT pg_backend_pid()", &[]).await;
    for sql in [
        "COPY (SELECT 1) TO STDOUT",
        "copy t_copy.t from stdin",
        "/* x */ COPY t_copy.t (a) FROM -- y\n STDIN WITH (FORMAT csv)",
    ] {
        let answer = run(&bench, sql, &[]).await;
        let Err(Error::InvalidState(message)) = answer else {
            panic!("{sql}: {answer:?}")
        };
        assert!(
            message.contains("COPY") && message.contains("INSERT"),
            "{message}"
        );
        let mut step = bench.step();
        let connection = open(&mut step).await;
        let transaction = begin(&mut step, &connection).await.unwrap();
        let insert = "INSERT INTO t_copy.t VALUES (1)";
        within(&mut step, &transaction, insert, &[]).await.unwrap();
        assert!(within(&mut step, &transaction, sql, &[]).await.is_err());
        within(&mut step, &transaction, insert, &[]).await.unwrap();
        commit(&mut step, &transaction).await.unwrap();
    }
    assert_eq!(count(&bench, "t_copy.t").await, 6);
    let after = value(&bench, "SELECT pg_backend_pid()", &[]).await;
    assert_eq!(format!("{backend:?}"), format!("{after:?}"));
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
