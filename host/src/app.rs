//! Everything wired together: what `noetl serve` puts behind HTTP and what
//! `noetl run` uses in its own process.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use chrono::Utc;
use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::api::answer::{Answer, Problem};
use crate::capabilities::postgres::{CredentialSource, PoolSettings, Pools, Secret};
use crate::engine::{Engine, Event, Execution, Plan};
use crate::playbook::{self, Diagnostics};
use crate::sandbox::InProcess;
use crate::store::{DEFAULT_TENANT, Store};

/// What an [`App`] needs to start.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// The server's own database, a PostgreSQL URL.
    pub database_url: String,
    /// Where the tools' components lie: `NAME.wasm` is the tool `NAME`.
    pub components: PathBuf,
    /// Where compiled components are kept.
    pub cache_dir: PathBuf,
    /// Whether to serve the examples and the stand-in for an identity provider.
    pub dev: bool,
}

/// The whole service. Clones share it.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) engine: Engine,
    pub(crate) dev: bool,
    pools: Pools,
    plans: Mutex<HashMap<(String, i32), Arc<Plan>>>,
    executions: TaskTracker,
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
        let started = Instant::now();
        let store = Store::connect(&config.database_url).await?;
        progress("database connected, tables up to date", started.elapsed());

        let pools = Pools::new(
            Arc::new(StoredCredentials(store.clone())),
            PoolSettings::default(),
        );
        let mut runner = InProcess::new(&config.cache_dir, pools.clone())?;
        for (name, wasm) in tools(&config.components)? {
            let started = Instant::now();
            let loaded = runner.add_tool(&name, &wasm)?;
            let how = if loaded.cached {
                "loaded from the cache"
            } else {
                "compiled"
            };
            progress(&format!("tool {name} {how}"), started.elapsed());
        }
        Ok(Self {
            inner: Arc::new(Inner {
                engine: Engine::new(Arc::new(runner), store.clone()),
                store,
                dev: config.dev,
                pools,
                plans: Mutex::default(),
                executions: TaskTracker::new(),
            }),
        })
    }

    /// Checks a playbook and adds it to the catalog. `file` is its name in
    /// messages.
    ///
    /// # Errors
    /// If it has mistakes, or the store fails.
    pub async fn register(&self, file: &str, text: &str) -> Result<Registered, RegisterError> {
        let playbook = self.parse(file, text).map_err(RegisterError::Invalid)?;
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
    /// If it is of a type that does not exist, or the store fails.
    pub async fn put_credential(&self, alias: &str, kind: &str, url: &str) -> anyhow::Result<()> {
        if kind != "postgres" {
            anyhow::bail!("there are no credentials of type `{kind}`; the type is `postgres`");
        }
        self.inner
            .store
            .put_credential(DEFAULT_TENANT, alias, kind, url)
            .await
            .context("can't store the credential")?;
        self.inner.pools.invalidate(DEFAULT_TENANT, alias);
        Ok(())
    }

    /// Runs the latest version of a playbook to its end. An execution that was
    /// accepted runs on even if the caller goes away.
    ///
    /// # Errors
    /// The problem, as the caller is to be told.
    pub async fn execute(
        &self,
        path: &str,
        payload: Value,
        events: Option<UnboundedSender<Event>>,
    ) -> Result<Answer, Box<Problem>> {
        let Value::Object(payload) = payload else {
            return Err(Box::new(Problem::bad_request(
                "`payload` must be a JSON object",
            )));
        };
        let app = self.clone();
        let path = path.to_owned();
        self.inner
            .executions
            .spawn(async move { app.execute_here(&path, payload, events).await })
            .await
            .unwrap_or_else(|panic| {
                tracing::error!(%panic, "an execution broke");
                Err(Box::new(Problem::internal(
                    "the execution broke; the server's log says more",
                )))
            })
    }

    async fn execute_here(
        &self,
        path: &str,
        payload: Map<String, Value>,
        events: Option<UnboundedSender<Event>>,
    ) -> Result<Answer, Box<Problem>> {
        let id = Uuid::now_v7();
        let store = &self.inner.store;
        let payload_text = Value::Object(payload.clone()).to_string();
        let accepted = store
            .accept(DEFAULT_TENANT, id, path, &payload_text, Utc::now())
            .await
            .map_err(Problem::store)?
            .ok_or_else(|| Problem::no_playbook(path))?;
        let plan = self.plan(path, accepted.version).await?;
        if let Some(events) = &events {
            let _ = events.send(Event::ExecutionStarted {
                execution_id: id,
                path: path.into(),
                version: accepted.version,
            });
        }
        let outcome = self
            .inner
            .engine
            .run(Execution {
                tenant: DEFAULT_TENANT.into(),
                id,
                plan,
                version: accepted.version,
                payload,
                events,
            })
            .await
            .map_err(|e| {
                tracing::error!(execution_id = %id, error = %e, "an execution could not be recorded");
                Problem::store(e)
            })?;
        Answer::new(id, outcome)
    }

    async fn plan(&self, path: &str, version: i32) -> Result<Arc<Plan>, Box<Problem>> {
        let key = (path.to_owned(), version);
        if let Some(plan) = self.inner.plans.lock().expect("never poisoned").get(&key) {
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
            .map_err(|e| Problem::invalid_playbook(&e))?;
        let plan = Arc::new(Plan::new(playbook));
        let mut plans = self.inner.plans.lock().expect("never poisoned");
        // Only the latest version of a path is ever asked for again.
        plans.retain(|(p, _), _| p != path);
        plans.insert(key, Arc::clone(&plan));
        Ok(plan)
    }

    fn parse(&self, file: &str, text: &str) -> Result<playbook::Playbook, Diagnostics> {
        playbook::parse(file, text, &self.inner.engine.tools())
    }

    /// The HTTP service.
    pub fn router(&self) -> axum::Router {
        crate::api::router(self.clone())
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

struct StoredCredentials(Store);

#[async_trait::async_trait]
impl CredentialSource for StoredCredentials {
    async fn find(&self, tenant: &str, alias: &str) -> anyhow::Result<Option<Secret>> {
        Ok(self.0.credential_url(tenant, alias).await?.map(Secret::new))
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
