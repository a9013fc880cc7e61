//! Everything wired together: what `noetl serve` puts behind HTTP and what
//! `noetl run` uses in its own process.

mod callees;
mod calls;
mod catalog;
mod credentials;
mod executions;
mod recovery;
mod registry;
mod running;
#[cfg(test)]
mod tests;
mod tools;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Access, AccessConfig, Principal};
use crate::admission::{Admission, Admitted, ExecutionCounts};
use crate::api::answer::Problem;
use crate::api::limits::HttpLimits;
use crate::capabilities::postgres::{PoolSettings, Pools};
use crate::capabilities::{Outside, http};
use crate::engine::{Engine, ExecutionLimits, Tools};
use crate::grants::Grants;
use crate::metrics::Metrics;
use crate::sandbox::{QueueLimits, Queued, StepRunner, WorkerSettings, Workers};
use crate::secrets::{KeyRing, Secret};
use crate::store::{DEFAULT_TENANT, Migrations, Store};
use crate::tool::Toolset;

pub use catalog::{File, RegisterError, Registered, Validated};
pub use credentials::{Credential, CredentialError};
pub use executions::{Idempotency, Wanted};
pub use registry::Stage;
pub use tools::{Progress, PushError, ToolEntry, ToolStatus};

use catalog::Plans;
use credentials::StoredCredentials;
use registry::Registry;
use running::Running;

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
    /// How callers are told apart.
    pub access: AccessConfig,
    /// How long ended executions are kept; for ever, if there is no such time.
    pub retention: Option<Duration>,
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

/// The whole service. Clones share it.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) access: Access,
    pub(crate) dev: bool,
    grants: Arc<Grants>,
    pub(crate) http: HttpLimits,
    admission: Arc<Admission>,
    pools: Pools,
    plans: Plans,
    /// The tools that the server came with.
    built_in: Vec<ToolEntry>,
    registry: Arc<Registry>,
    running: Running,
    executions: TaskTracker,
    pub(crate) metrics: Metrics,
    retention: Option<Duration>,
    /// The server is to end: nothing new is taken over.
    stopping: CancellationToken,
}

/// What an [`App`] is put together from.
struct Parts {
    store: Store,
    pools: Pools,
    grants: Arc<Grants>,
    access: AccessConfig,
    limits: ServiceLimits,
    built_in: Vec<ToolEntry>,
    registry: Arc<Registry>,
    metrics: Metrics,
    retention: Option<Duration>,
    dev: bool,
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
        if !store.rows_are_secured().await? {
            tracing::warn!(
                "the server's role in its database is above row-level security, which backs up \
                 the separation of tenants; give it a plain role (docs/operations.md)"
            );
        }

        let credentials = Arc::new(StoredCredentials(store.clone()));
        let pools = Pools::new(credentials.clone(), PoolSettings::default());
        let outside = Outside {
            pools: pools.clone(),
            http: http::Client::new(credentials),
        };
        let settings = config.workers;
        let (mut built_in, mut known, mut compiled) = (Vec::new(), Vec::new(), Vec::new());
        for (name, wasm) in tools(&config.components)? {
            let unusable = || format!("can't use {}", wasm.display());
            let component = tools::read(&wasm)?;
            let (entry, tool) = tools::built_in(&name, &component).with_context(unusable)?;
            built_in.push(entry);
            known.push(tool);
            let started = Instant::now();
            let tool = Workers::compile_bytes(&settings, &name, &component);
            let tool = tool.with_context(unusable)?;
            metrics.component(tool.cached, started.elapsed());
            if !tool.cached {
                progress(&format!("tool {name} compiled"), started.elapsed());
            }
            compiled.push(tool);
        }
        let registry = Arc::new(Registry::new(store.clone(), known));
        let started = Instant::now();
        let count = settings.workers;
        let workers = Workers::start(settings.clone(), compiled.clone(), outside, metrics.clone());
        let workers = Arc::new(workers.await?);
        let confinement = workers.confinement();
        progress(
            &format!("{count} sandbox workers, {confinement}"),
            started.elapsed(),
        );
        if config.require_isolation && confinement.missing().next().is_some() {
            anyhow::bail!(
                "the sandbox workers are {confinement}; --require-isolation wants all of it"
            );
        }
        let parts = Parts {
            store,
            pools,
            grants,
            access: config.access,
            limits: config.limits,
            built_in,
            registry: Arc::clone(&registry),
            metrics: metrics.clone(),
            retention: config.retention,
            dev: config.dev,
        };
        let keeper = registry::Keeper {
            registry,
            workers: Arc::clone(&workers),
            settings,
            metrics,
            built_in: compiled,
        };
        let app = Self::assemble(parts, workers)?;
        let (served, serves) = oneshot::channel();
        let stopping = app.inner.stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = keeper.keep(served) => {}
                () = stopping.cancelled() => {}
            }
        });
        let _ = serves.await;
        Ok(app)
    }

    fn assemble(parts: Parts, runner: Arc<dyn StepRunner>) -> anyhow::Result<Self> {
        let ServiceLimits {
            http,
            counts,
            execution,
            steps,
        } = parts.limits;
        let metrics = parts.metrics;
        let runner = Arc::new(Queued::new(runner, steps, metrics.clone()));
        let (store, grants) = (parts.store, parts.grants);
        let admission = Admission::new(counts);
        admission.watch(&metrics);
        parts.pools.watch(&metrics);
        watch_store(&store, &metrics);
        let engine = Engine::new(
            runner,
            Arc::clone(&parts.registry) as Arc<dyn Tools>,
            Arc::new(store.clone()),
            Arc::clone(&grants),
            execution,
            metrics.clone(),
        );
        Ok(Self {
            inner: Arc::new(Inner {
                engine,
                access: Access::new(store.clone(), parts.access)?,
                store,
                dev: parts.dev,
                grants,
                http,
                admission,
                pools: parts.pools,
                plans: Plans::default(),
                built_in: parts.built_in,
                registry: parts.registry,
                running: Running::default(),
                executions: TaskTracker::new(),
                metrics,
                retention: parts.retention,
                stopping: CancellationToken::new(),
            }),
        })
    }

    /// What the tenants may use.
    pub fn grants(&self) -> &Grants {
        &self.inner.grants
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

    /// The HTTP service, for whoever reaches it.
    pub fn router(&self) -> axum::Router {
        crate::api::router(self.clone(), None)
    }

    /// The HTTP service, for one caller that is known.
    pub fn router_of(&self, principal: Principal) -> axum::Router {
        crate::api::router(self.clone(), Some(principal))
    }

    /// Serves HTTP until `stopping` ends, and then until the requests at hand
    /// are answered. Executions that other servers left behind are gone on with.
    pub async fn serve(&self, listener: TcpListener, stopping: impl Future<Output = ()>) {
        tokio::spawn(recovery::recover(self.clone()));
        crate::api::serve(listener, self.router(), self.inner.http, stopping).await;
    }

    /// Ends when the server is to end: who watches is not to hold it up.
    pub(crate) async fn stopping(&self) {
        self.inner.stopping.cancelled().await;
    }

    /// Says that the server is to end: it takes no more work.
    pub fn stop(&self) {
        self.inner.stopping.cancel();
    }

    /// Whether it takes no more work.
    pub fn is_draining(&self) -> bool {
        self.inner.stopping.is_cancelled()
    }

    /// The routes of who runs the server, by themselves: metrics and health.
    pub fn operating_router(&self) -> axum::Router {
        crate::api::operating_router(self.clone())
    }

    /// Waits until no execution runs, `limit` at most. Returns whether all ended.
    pub async fn drain(&self, limit: Duration) -> bool {
        self.inner.stopping.cancel();
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

/// The tools whose components lie in a directory.
pub(crate) fn toolset(dir: &std::path::Path) -> anyhow::Result<Toolset> {
    let tools = tools(dir)?;
    let tools = tools.iter().map(|(name, wasm)| {
        let (_, tool) = tools::built_in(name, &tools::read(wasm)?)
            .with_context(|| format!("can't use {}", wasm.display()))?;
        Ok(tool)
    });
    tools.collect()
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
