//! Against a real PostgreSQL.

mod copy;
mod door;
mod parameters;
mod sessions;
mod values;

use std::sync::{LazyLock, Mutex as StdMutex};
use std::time::{Duration, Instant};

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::WasiCtxBuilder;

use super::*;
use crate::capabilities::log::Log;
use crate::capabilities::{Outside, StepState, http};
use crate::grants::{Allowed, Caller, Grant};
use crate::limits::Limits;
use crate::secrets::Secret;
use crate::testing;
use crate::wit::noetl::tool::postgres::{DbError, DbValue, HostConnection, HostTransaction};

/// A database of this program's own, as its owner, which is a plain role. The role
/// is a member of another plain one, with the suffix `_group`.
static DATABASE: LazyLock<Secret> = LazyLock::new(|| {
    let made = std::thread::spawn(|| {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let url = testing::database().await;
            let role = url::Url::parse(url.expose()).unwrap().username().to_owned();
            let group = format!("CREATE ROLE {role}_group ROLE {role}");
            testing::as_admin(&[group]).await;
            url
        })
    });
    made.join().unwrap()
});

fn url() -> String {
    DATABASE.expose().to_owned()
}

/// The role of [`url`].
fn role() -> String {
    url::Url::parse(&url()).unwrap().username().to_owned()
}

fn credential(url: &str) -> Credential {
    Credential {
        url: Secret::new(url),
        allow_privileged: false,
    }
}

/// The tenants `t` and `u`, whose credential `db` can be changed.
#[derive(Debug)]
struct Source(StdMutex<Option<Credential>>);

#[async_trait::async_trait]
impl CredentialSource for Source {
    async fn find(&self, tenant: &str, alias: &str) -> anyhow::Result<Option<Credential>> {
        let known = ["t", "u"].contains(&tenant) && alias == "db";
        Ok(self.0.lock().unwrap().clone().filter(|_| known))
    }
}

#[async_trait::async_trait]
impl http::CredentialSource for Source {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<http::Credential>> {
        Ok(None)
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
        let source = Arc::new(Source(StdMutex::new(Some(credential(&url())))));
        Self {
            pools: Pools::new(source.clone(), settings),
            source,
            limits: Limits::default(),
            deadline: Duration::from_secs(60),
        }
    }

    /// What `find` gives from now on.
    fn set(&self, credential: Option<Credential>) {
        *self.source.0.lock().unwrap() = credential;
        self.pools.invalidate("t", "db");
    }

    fn step(&self) -> StepState {
        self.step_with(Allowed::All)
    }

    fn step_with(&self, credentials: Allowed) -> StepState {
        self.step_of("t", credentials)
    }

    fn step_of(&self, tenant: &str, credentials: Allowed) -> StepState {
        let outside = Outside {
            pools: self.pools.clone(),
            http: http::Client::new(self.source.clone()),
        };
        StepState {
            table: ResourceTable::new(),
            wasi: WasiCtxBuilder::new().build(),
            log: Log::new(1000),
            outside: Box::new(outside.step(Scope {
                caller: Caller {
                    tenant: tenant.into(),
                    playbook: "tests/postgres".into(),
                    step: "query".into(),
                    execution_id: None,
                },
                grant: Arc::new(Grant {
                    credentials,
                    ..Grant::nothing()
                }),
                capabilities: None,
                credentials: None,
                limits: self.limits,
                deadline: Instant::now() + self.deadline,
            })),
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
