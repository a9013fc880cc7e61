//! A step that dies in the middle of a transaction.

use std::sync::Arc;
use std::time::Duration;

use noetl::capabilities::postgres::{Credential, CredentialSource};
use noetl::grants::Grant;
use noetl::sandbox::{ErrorCategory, InProcess, Limits, StepError, StepRequest, StepRunner};
use noetl::secrets::Secret;
use noetl_tests::Database;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::sandbox::outside_with;

struct OneDatabase(String);

#[async_trait::async_trait]
impl CredentialSource for OneDatabase {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<Credential>> {
        Ok(Some(Credential {
            url: Secret::new(&*self.0),
            allow_privileged: false,
        }))
    }
}

async fn run(runner: &InProcess, statements: &[&str], limits: Limits) -> Result<Value, StepError> {
    let statements: Vec<Value> = statements
        .iter()
        .map(|text| json!({"text": text}))
        .collect();
    let request = StepRequest {
        tool: "postgres".into(),
        tenant: "default".into(),
        execution_id: uuid::Uuid::nil(),
        playbook: "tests/abandoned".into(),
        step: "sql".into(),
        config: json!({"credential": "db", "statements": statements}),
        args: json!({}),
        grant: Arc::new(Grant::built_in()),
        capabilities: None,
        credentials: None,
        limits,
    };
    runner.run(request).await.result
}

/// What there is of the steps in the database.
async fn traces(connection: &mut PgConnection) -> (i64, i64) {
    sqlx::query_as(
        "SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM pg_locks
             WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
    )
    .fetch_one(connection)
    .await
    .expect("it answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn its_transaction_is_rolled_back() {
    let database = Database::create().await;
    let mut connection = database.connect().await;
    sqlx::query("CREATE TABLE t (a int)")
        .execute(&mut connection)
        .await
        .expect("a table");
    let cache = tempfile::tempdir().expect("a directory");
    let outside = outside_with(OneDatabase(database.url.clone()));
    let mut runner = InProcess::new(cache.path(), outside).expect("a runner");
    let components = std::env::var("NOETL_COMPONENTS").expect("`make test` sets it");
    let component = std::path::Path::new(&components).join("postgres.wasm");
    runner
        .add_tool("postgres", &component)
        .expect("the tool loads");

    let begin = "INSERT INTO t VALUES (1)";
    let lock = "SELECT pg_advisory_lock(1), pg_advisory_xact_lock(2)";
    let short = Limits {
        time: Duration::from_millis(500),
        ..Limits::default()
    };
    let small = Limits {
        memory: 4 << 20,
        ..Limits::default()
    };
    for (last, limits, category) in [
        // It dies while PostgreSQL works.
        ("SELECT pg_sleep(600)", short, ErrorCategory::Timeout),
        // Its memory is too small for the answer: a trap.
        ("SELECT repeat('x', 8000000)", small, ErrorCategory::Limit),
    ] {
        let error = run(&runner, &[begin, lock, last], limits)
            .await
            .expect_err("it is made to fail");
        assert_eq!(error.category, category, "{last}: {error:?}");
        // The connection is reset after the step has gone on.
        while traces(&mut connection).await != (0, 0) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        run(
            &runner,
            &["SELECT 1", "LOCK TABLE t IN ACCESS EXCLUSIVE MODE"],
            Limits::default(),
        )
        .await
        .expect("nobody holds a lock");
    }
    connection.close().await.expect("it closes");
}
