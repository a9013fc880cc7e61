//! Against a real PostgreSQL, named by `NOETL_TEST_DATABASE_URL`.

mod parameters;
mod sessions;
mod values;

use std::sync::Mutex as StdMutex;
use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtxBuilder;

use super::*;
use crate::capabilities::log::Log;
use crate::wit::noetl::tool::postgres::{DbError, DbValue};

/// The server to test with.
fn url() -> String {
    std::env::var("NOETL_TEST_DATABASE_URL").expect(
        "NOETL_TEST_DATABASE_URL has to name a PostgreSQL database for tests \
         (postgres://user@host/database); `make test` starts one and sets it",
    )
}

/// One tenant, `t`, whose credential `db` can be changed.
#[derive(Debug)]
struct Source(StdMutex<Option<Secret>>);

#[async_trait::async_trait]
impl CredentialSource for Source {
    async fn find(&self, tenant: &str, alias: &str) -> anyhow::Result<Option<Secret>> {
        let known = tenant == "t" && alias == "db";
        Ok(self.0.lock().unwrap().clone().filter(|_| known))
    }
}

struct Bench {
    source: Arc<Source>,
    pools: Pools,
    limits: Limits,
    deadline: Duration,
}

impl Bench {
    fn new() -> Self {
        Self::with(PoolSettings::default())
    }

    /// Steps take turns on one connection.
    fn single() -> Self {
        Self::with(PoolSettings {
            max_connections: 1,
            ..PoolSettings::default()
        })
    }

    fn with(settings: PoolSettings) -> Self {
        let source = Arc::new(Source(StdMutex::new(Some(Secret::new(url())))));
        Self {
            pools: Pools::new(source.clone(), settings),
            source,
            limits: Limits::default(),
            deadline: Duration::from_secs(60),
        }
    }

    fn step(&self) -> StepState {
        self.step_with(Grant::All)
    }

    fn step_with(&self, grant: Grant) -> StepState {
        StepState {
            table: ResourceTable::new(),
            wasi: WasiCtxBuilder::new().build(),
            log: Log::new(1000),
            postgres: Postgres::new(
                self.pools.clone(),
                "t",
                grant,
                self.limits,
                Instant::now() + self.deadline,
            ),
        }
    }
}

type Answer<T> = std::result::Result<T, Error>;

async fn open(step: &mut StepState) -> Resource<Connection> {
    HostConnection::open(step, "db".into())
        .await
        .unwrap()
        .expect("a connection")
}

fn again<T: 'static>(handle: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(handle.rep())
}

async fn query(
    step: &mut StepState,
    connection: &Resource<Connection>,
    sql: &str,
    parameters: &[ParameterValue],
) -> Answer<RowSet> {
    let (this, parameters) = (again(connection), parameters.to_vec());
    HostConnection::query(step, this, sql.into(), parameters)
        .await
        .unwrap()
}

async fn begin(
    step: &mut StepState,
    connection: &Resource<Connection>,
) -> Answer<Resource<Transaction>> {
    HostConnection::begin(step, again(connection))
        .await
        .unwrap()
}

async fn within(
    step: &mut StepState,
    transaction: &Resource<Transaction>,
    sql: &str,
    parameters: &[ParameterValue],
) -> Answer<RowSet> {
    let (this, parameters) = (again(transaction), parameters.to_vec());
    HostTransaction::query(step, this, sql.into(), parameters)
        .await
        .unwrap()
}

async fn commit(step: &mut StepState, transaction: &Resource<Transaction>) -> Answer<()> {
    HostTransaction::commit(step, again(transaction))
        .await
        .unwrap()
}

/// Runs one statement in a step of its own.
async fn run(bench: &Bench, sql: &str, parameters: &[ParameterValue]) -> Answer<RowSet> {
    let mut step = bench.step();
    let connection = open(&mut step).await;
    query(&mut step, &connection, sql, parameters).await
}

/// The only value of the only row.
async fn value(bench: &Bench, sql: &str, parameters: &[ParameterValue]) -> DbValue {
    let answer = run(bench, sql, parameters).await;
    let mut answer = answer.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert_eq!((answer.rows.len(), answer.columns.len()), (1, 1), "{sql}");
    answer.rows.remove(0).remove(0)
}

/// A schema of its own for a test.
async fn schema(bench: &Bench, name: &str) {
    run(bench, &format!("DROP SCHEMA IF EXISTS {name} CASCADE"), &[])
        .await
        .unwrap();
    run(bench, &format!("CREATE SCHEMA {name}"), &[])
        .await
        .unwrap();
}

fn literal(text: &str) -> ParameterValue {
    ParameterValue::Literal(text.into())
}

fn document(json: &str) -> ParameterValue {
    ParameterValue::Document(json.into())
}

fn text(value: &str) -> DbValue {
    DbValue::Text(value.into())
}

fn failed(answer: Answer<RowSet>) -> DbError {
    match answer {
        Err(Error::QueryFailed(error)) => error,
        other => panic!("not an error of PostgreSQL: {other:?}"),
    }
}
