//! Everything wired together: what `noetl serve` puts behind HTTP and what
//! `noetl run` uses in its own process.

use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::Utc;
use futures_util::FutureExt;
use lru::LruCache;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

use crate::admission::{Admission, Admitted, ExecutionCounts};
use crate::api::answer::{Answer, Problem};
use crate::api::limits::HttpLimits;
use crate::capabilities::postgres::{self, CredentialSource, PoolSettings, Pools};
use crate::engine::{Engine, Event, Execution, ExecutionLimits, Listener, Outcome, Plan};
use crate::grants::Grants;
use crate::metrics::Metrics;
use crate::playbook::{self, Diagnostics};
use crate::sandbox::{QueueLimits, Queued, StepRunner, WorkerSettings, Workers};
use crate::secrets::{KeyRing, Secret};
use crate::store::{Credential, DEFAULT_TENANT, Finished, Migrations, Store};

/// What an [`App`] needs to start.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// The server's own database, a PostgreSQL URL.
    pub database_url: Secret,
    /// What stored credentials are encrypted with.
    pub keys: KeyRing,
    /// Whether to bring the database's tables up to date.
    pub migrations: Migrations,
    /// Where the tools' components lie: `NAME.wasm` is the tool `NAME`.
    pub components: PathBuf,
    /// The processes that run steps, and where compiled components are kept.
    pub workers: WorkerSettings,
    /// Whether to refuse to start where the kernel lacks what confines a worker.
    pub require_isolation: bool,
    /// The file that says what each tenant may use; without one, the default
    /// tenant has what is built in.
    pub grants: Option<PathBuf>,
    /// Whether to serve the examples and the stand-in for an identity provider.
    pub dev: bool,
    /// What the service takes on at once.
    pub limits: ServiceLimits,
}

/// The service's limits; those of a step are the sandbox's.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServiceLimits {
    /// Connections and requests.
    pub http: HttpLimits,
    /// Executions that run at once.
    pub counts: ExecutionCounts,
    /// Each execution.
    pub execution: ExecutionLimits,
    /// Steps that run and wait at once.
    pub steps: QueueLimits,
}

/// Playbooks that are kept ready to run.
const PLANS: NonZeroUsize = NonZeroUsize::new(500).expect("not zero");

/// Playbooks that are parsed at once.
const PARSING: usize = 2;

/// The whole service. Clones share it.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) dev: bool,
    grants: Arc<Grants>,
    pub(crate) http: HttpLimits,
    admission: Arc<Admission>,
    pools: Pools,
    plans: Mutex<LruCache<String, (i32, Arc<Plan>)>>,
    parsing: Semaphore,
    executions: TaskTracker,
    pub(crate) metrics: Metrics,
    draining: CancellationToken,
}

/// A playbook that the catalog has taken.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Registered {
    /// Its path.
    pub path: String,
    /// The version that has this text, from 1.
    pub version: i32,
}

/// Why a playbook was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// It has mistakes.
    #[error("{0}")]
    Invalid(Diagnostics),
    /// The store failed.
    #[error("the server's database failed: {0}")]
    Store(#[from] sqlx::Error),
}

/// Why a credential was not stored.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// It can't be used.
    #[error("{0}")]
    Invalid(String),
    /// The store failed.
    #[error("the server's database failed: {0}")]
    Store(#[from] sqlx::Error),
}

impl App {
    /// Connects to the database, loads the tools and gets ready to run.
    /// `progress` is told what was done and how long it took.
    ///
    /// # Errors
    /// If the database, a component or the cache can't be used.
    pub async fn start(
        config: AppConfig,
        progress: &dyn Fn(&str, Duration),
    ) -> anyhow::Result<Self> {
        let grants = Arc::new(match &config.grants {
            Some(file) => Grants::read(file)?,
            None => Grants::built_in(DEFAULT_TENANT),
        });
        let started = Instant::now();
        let metrics = Metrics::new();
        let store =
            Store::connect_with(&config.database_url, config.keys, config.migrations).await?;
        progress("database connected, tables up to date", started.elapsed());

        let pools = Pools::new(
            Arc::new(StoredCredentials(store.clone())),
            PoolSettings::default(),
        );
        let settings = config.workers;
        let mut compiled = Vec::new();
        for (name, wasm) in tools(&config.components)? {
            let started = Instant::now();
            let tool = Workers::compile(&settings, &name, &wasm)?;
            metrics.component(tool.cached, started.elapsed());
            if !tool.cached {
                progress(&format!("tool {name} compiled"), started.elapsed());
            }
            compiled.push(tool);
        }
        let started = Instant::now();
        let count = settings.workers;
        let runner = Workers::start(settings, compiled, pools.clone(), metrics.clone()).await?;
        let confinement = runner.confinement();
        progress(
            &format!("{count} sandbox workers, {confinement}"),
            started.elapsed(),
        );
        if config.require_isolation && confinement.missing().next().is_some() {
            anyhow::bail!(
                "the sandbox workers are {confinement}; --require-isolation wants all of it"
            );
        }
        Ok(Self::assemble(
            store,
            pools,
            runner,
            grants,
            config.limits,
            config.dev,
            metrics,
        ))
    }

    fn assemble(
        store: Store,
        pools: Pools,
        runner: impl StepRunner + 'static,
        grants: Arc<Grants>,
        limits: ServiceLimits,
        dev: bool,
        metrics: Metrics,
    ) -> Self {
        let ServiceLimits {
            http,
            counts,
            execution,
            steps,
        } = limits;
        let runner = Arc::new(Queued::new(runner, steps, metrics.clone()));
        let admission = Admission::new(counts);
        admission.watch(&metrics);
        pools.watch(&metrics);
        watch_store(&store, &metrics);
        Self {
            inner: Arc::new(Inner {
                engine: Engine::new(
                    runner,
                    store.clone(),
                    Arc::clone(&grants),
                    execution,
                    metrics.clone(),
                ),
                store,
                dev,
                grants,
                http,
                admission,
                pools,
                plans: Mutex::new(LruCache::new(PLANS)),
                parsing: Semaphore::new(PARSING),
                executions: TaskTracker::new(),
                metrics,
                draining: CancellationToken::new(),
            }),
        }
    }

    /// What the tenants may use.
    pub fn grants(&self) -> &Grants {
        &self.inner.grants
    }

    /// Checks a playbook and adds it to the catalog. `file` is its name in
    /// messages.
    ///
    /// # Errors
    /// If it has mistakes or asks for what its tenant may not have, or the store
    /// fails.
    pub async fn register(&self, file: &str, text: &str) -> Result<Registered, RegisterError> {
        let playbook = self
            .parse(file, text)
            .await
            .map_err(RegisterError::Invalid)?;
        playbook
            .check_grant(DEFAULT_TENANT, &self.inner.grants.of(DEFAULT_TENANT))
            .map_err(RegisterError::Invalid)?;
        let version = self
            .inner
            .store
            .put_playbook(DEFAULT_TENANT, &playbook.path, &playbook.name, file, text)
            .await?;
        Ok(Registered {
            path: playbook.path,
            version,
        })
    }

    /// Adds or replaces a credential. Connections made with the old one are not
    /// used again.
    ///
    /// # Errors
    /// If it can't be one, or the store fails. No message repeats what was given:
    /// a secret may have got into the wrong place.
    pub async fn put_credential(
        &self,
        alias: &str,
        credential: Credential,
    ) -> Result<(), CredentialError> {
        let invalid = |message: &str| CredentialError::Invalid(message.into());
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !(1..=100).contains(&alias.len()) || !alias.chars().all(is_part) {
            return Err(invalid(
                "a credential's alias has 1 to 100 letters, digits, `_`, `-` and `.`",
            ));
        }
        if credential.kind != "postgres" {
            return Err(invalid(
                "there are no credentials of this type; the type is `postgres`",
            ));
        }
        postgres::check_url(&credential.url).map_err(invalid)?;
        self.inner
            .store
            .put_credential(DEFAULT_TENANT, alias, &credential)
            .await?;
        self.inner.pools.invalidate(DEFAULT_TENANT, alias);
        Ok(())
    }

    /// Takes in one more execution of `tenant`.
    ///
    /// # Errors
    /// If there are as many as there may be.
    pub fn admit(&self, tenant: &str) -> Result<Admitted, Box<Problem>> {
        self.inner
            .admission
            .admit(tenant)
            .map_err(|full| Box::new(Problem::full(tenant, full)))
    }

    /// Runs the latest version of a playbook to its end. An execution that was
    /// accepted runs on even if the caller goes away.
    ///
    /// # Errors
    /// The problem, as the caller is to be told.
    pub async fn execute(
        &self,
        admitted: Admitted,
        path: &str,
        payload: Value,
        events: Option<Listener>,
    ) -> Result<Answer, Box<Problem>> {
        let Value::Object(payload) = payload else {
            return Err(Box::new(Problem::bad_request(
                "`payload` must be a JSON object",
            )));
        };
        let app = self.clone();
        let path = path.to_owned();
        let executing = async move {
            let _admitted = admitted;
            app.execute_here(&path, payload, events).await
        };
        self.inner
            .executions
            .spawn(executing.in_current_span())
            .await
            .unwrap_or_else(|_| Err(Box::new(broke())))
    }

    async fn execute_here(
        &self,
        path: &str,
        payload: Map<String, Value>,
        events: Option<Listener>,
    ) -> Result<Answer, Box<Problem>> {
        // PostgreSQL's texts hold none, so no playbook has such a path.
        if path.contains('\0') {
            return Err(Box::new(Problem::no_playbook(path)));
        }
        let id = Uuid::now_v7();
        let store = &self.inner.store;
        let payload_text = Value::Object(payload.clone()).to_string();
        let accepted = store
            .accept(DEFAULT_TENANT, id, path, &payload_text, Utc::now())
            .await
            .map_err(Problem::store)?
            .ok_or_else(|| Problem::no_playbook(path))?;
        let running = self.run(id, path, accepted.version, payload, events);
        let mut problem = match AssertUnwindSafe(running).catch_unwind().await {
            Ok(Ok(outcome)) => return Answer::new(id, outcome),
            Ok(Err(problem)) => problem,
            Err(_) => {
                tracing::error!(execution_id = %id, "an execution broke");
                Box::new(broke())
            }
        };
        problem.about(id);
        self.give_up(id, &problem).await;
        Err(problem)
    }

    async fn run(
        &self,
        id: Uuid,
        path: &str,
        version: i32,
        payload: Map<String, Value>,
        mut events: Option<Listener>,
    ) -> Result<Outcome, Box<Problem>> {
        let plan = self.plan(path, version).await?;
        if let Some(listener) = &mut events {
            listener.tell(&Event::ExecutionStarted {
                execution_id: id,
                path: path.into(),
                version,
            });
        }
        let execution = Execution {
            tenant: DEFAULT_TENANT.into(),
            id,
            plan,
            version,
            payload,
            events,
        };
        self.inner.engine.run(execution).await.map_err(|e| {
            tracing::error!(execution_id = %id, error = %e, "an execution could not be recorded");
            Box::new(Problem::store(e))
        })
    }

    /// Marks an execution that did not come to its end as failed, so that nobody
    /// waits for it. If the store does not answer, this is tried again later.
    async fn give_up(&self, id: Uuid, problem: &Problem) {
        let finished = Finished {
            status: "failed",
            result: None,
            error: Some(problem.as_error()),
        };
        if self.inner.store.give_up(id, &finished).await.is_ok() {
            return;
        }
        let app = self.clone();
        self.inner.executions.spawn(async move {
            for pause in [1, 5, 30] {
                tokio::time::sleep(Duration::from_secs(pause)).await;
                match app.inner.store.give_up(id, &finished).await {
                    Ok(()) => return,
                    Err(error) => tracing::error!(
                        execution_id = %id, %error,
                        "can't mark an execution as failed"
                    ),
                }
            }
        });
    }

    async fn plan(&self, path: &str, version: i32) -> Result<Arc<Plan>, Box<Problem>> {
        // Only the latest version of a path is ever asked for.
        if let Some((known, plan)) = self.plans().get(path)
            && *known == version
        {
            return Ok(Arc::clone(plan));
        }
        let stored = self
            .inner
            .store
            .playbook(DEFAULT_TENANT, path, Some(version))
            .await
            .map_err(Problem::store)?
            .ok_or_else(|| Problem::no_playbook(path))?;
        let playbook = self
            .parse(&stored.file, &stored.content)
            .await
            .map_err(|e| Problem::invalid_playbook(&e))?;
        let plan = Arc::new(Plan::new(playbook));
        self.plans().put(path.into(), (version, Arc::clone(&plan)));
        Ok(plan)
    }

    fn plans(&self) -> MutexGuard<'_, LruCache<String, (i32, Arc<Plan>)>> {
        self.inner.plans.lock().expect("no panic while it is held")
    }

    /// A large playbook takes a while, in which this thread can't serve others.
    async fn parse(&self, file: &str, text: &str) -> Result<playbook::Playbook, Diagnostics> {
        let _turn = self.inner.parsing.acquire().await.expect("never closed");
        let (file, text) = (file.to_owned(), text.to_owned());
        let tools = self.inner.engine.tools();
        let parsing = move || playbook::parse(&file, &text, &tools);
        match tokio::task::spawn_blocking(parsing).await {
            Ok(parsed) => parsed,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// The HTTP service.
    pub fn router(&self) -> axum::Router {
        crate::api::router(self.clone())
    }

    /// Serves HTTP until `stopping` ends, and then until the requests at hand
    /// are answered.
    pub async fn serve(&self, listener: TcpListener, stopping: impl Future<Output = ()>) {
        crate::api::serve(listener, self.router(), self.inner.http, stopping).await;
    }

    /// The routes of who runs the server, by themselves: metrics and health.
    pub fn operating_router(&self) -> axum::Router {
        crate::api::operating_router(self.clone())
    }

    /// Says from now on that the server takes no more work.
    pub fn begin_draining(&self) {
        self.inner.draining.cancel();
    }

    /// Whether it takes no more work.
    pub fn is_draining(&self) -> bool {
        self.inner.draining.is_cancelled()
    }

    /// Waits until no execution runs, `limit` at most. Returns whether all ended.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.inner.executions.close();
        let all = tokio::time::timeout(limit, self.inner.executions.wait())
            .await
            .is_ok();
        self.inner.store.close().await;
        all
    }
}

/// The connections to the server's own database.
fn watch_store(store: &Store, metrics: &Metrics) {
    let store = store.clone();
    metrics.watch(
        "store_connections",
        "Connections to the server's own database",
        move || {
            let (used, idle) = store.connections();
            [("used", used), ("idle", idle)]
                .map(|(state, count)| (vec![("state", state.to_owned())], count as f64))
                .into()
        },
    );
}

fn broke() -> Problem {
    Problem::internal("the execution broke; the server's log says more")
}

struct StoredCredentials(Store);

#[async_trait::async_trait]
impl CredentialSource for StoredCredentials {
    async fn find(
        &self,
        tenant: &str,
        alias: &str,
    ) -> anyhow::Result<Option<postgres::Credential>> {
        // PostgreSQL can't hold it, so there is none.
        if alias.contains('\0') {
            return Ok(None);
        }
        let found = self.0.credential(tenant, alias).await?;
        Ok(found
            .filter(|credential| credential.kind == "postgres")
            .map(|credential| postgres::Credential {
                url: credential.url,
                allow_privileged: credential.allow_privileged,
            }))
    }
}

/// The components of a directory, by tool name.
pub(crate) fn tools(dir: &std::path::Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let entries = std::fs::read_dir(dir).with_context(|| {
        format!(
            "can't read the tools' directory {}; `make guests` builds them",
            dir.display()
        )
    })?;
    let mut tools = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "wasm")
            && let Some(name) = path.file_stem().and_then(|n| n.to_str())
        {
            tools.push((name.to_owned(), path.clone()));
        }
    }
    tools.sort();
    if tools.is_empty() {
        anyhow::bail!(
            "there is no tool (*.wasm) in {}; `make guests` builds them",
            dir.display()
        );
    }
    Ok(tools)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqlx::{Connection, PgConnection};

    use super::*;
    use crate::sandbox::{StepOutcome, StepRequest};
    use crate::secrets::MasterKey;

    /// A runner that breaks.
    struct Breaks;

    #[async_trait::async_trait]
    impl StepRunner for Breaks {
        fn tools(&self) -> Vec<String> {
            vec!["python".into()]
        }

        async fn run(&self, _: StepRequest) -> StepOutcome {
            panic!("the runner broke");
        }
    }

    async fn store() -> Store {
        let base = std::env::var("NOETL_TEST_DATABASE_URL")
            .expect("NOETL_TEST_DATABASE_URL names a PostgreSQL to test with; `make test` sets it");
        let name = format!("t_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&base).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        let (server, _) = base.rsplit_once('/').unwrap();
        let keys = KeyRing::new(vec![MasterKey::random()]).unwrap();
        Store::connect(&Secret::new(format!("{server}/{name}")), keys)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn an_execution_that_breaks_is_marked_as_failed() {
        let store = store().await;
        let credentials = Arc::new(StoredCredentials(store.clone()));
        let pools = Pools::new(credentials, PoolSettings::default());
        let app = App::assemble(
            store,
            pools,
            Breaks,
            Arc::new(Grants::built_in(DEFAULT_TENANT)),
            ServiceLimits::default(),
            false,
            Metrics::new(),
        );
        let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: breaks, path: test/breaks}
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: python
    code: |
      def main(): pass
";
        app.register("breaks.yaml", yaml).await.unwrap();
        let admitted = app.admit(DEFAULT_TENANT).unwrap();
        let problem = app
            .execute(admitted, "test/breaks", json!({}), None)
            .await
            .unwrap_err()
            .to_json();
        assert_eq!(problem["type"], "urn:noetl:problem:internal");
        let id = problem["execution_id"].as_str().unwrap().parse().unwrap();
        let record = app.inner.store.execution(DEFAULT_TENANT, id).await;
        let record = json!(record.unwrap().unwrap());
        assert_eq!(record["status"], "failed", "{record:#}");
        assert_eq!(record["error"]["kind"], "internal");
        let events: Vec<_> = record["events"].as_array().unwrap().iter().collect();
        assert_eq!(events.last().unwrap()["event"], "execution_finished");
        assert_eq!(events[1]["event"], "step_started");
        assert!(app.drain(Duration::from_secs(10)).await, "nothing runs on");
    }
}
