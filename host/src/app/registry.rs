//! Which tools the tenants have: those that the server came with, and those that were
//! pushed, which are compiled and loaded while steps run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::{Notify, oneshot};

use crate::metrics::Metrics;
use crate::sandbox::{Tool as Compiled, WorkerSettings, Workers};
use crate::store::{Store, StoredTool};
use crate::tool::{Tool, Toolset, digest};

/// Another server's changes are seen after this long.
const LOOK: Duration = Duration::from_secs(1);
/// What is compiled within this time is loaded together.
const BATCH: Duration = Duration::from_secs(2);

/// The tools of all tenants, as they are served here.
pub(super) struct Registry {
    store: Store,
    built_in: Vec<Arc<Tool>>,
    tenants: RwLock<Tenants>,
    /// What is being done with components that are not served yet, by digest.
    stages: Mutex<HashMap<String, (Stage, Instant)>>,
    changed: Notify,
}

struct Tenants {
    /// What a tenant has who has pushed nothing.
    built_in: Arc<Toolset>,
    with_own: HashMap<String, Arc<Toolset>>,
}

/// What is being done with a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It waits for others.
    Waiting,
    /// It becomes machine code.
    Compiling,
    /// It is loaded once by itself, to see whether it can be.
    Checking,
    /// Workers that have it take over.
    Loading,
}

impl Registry {
    pub fn new(store: Store, built_in: Vec<Arc<Tool>>) -> Self {
        let tenants = Tenants {
            built_in: Arc::new(built_in.iter().cloned().collect()),
            with_own: HashMap::new(),
        };
        Self {
            store,
            built_in,
            tenants: RwLock::new(tenants),
            stages: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Says that a tool has come or gone.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    /// What is being done with the component, and for how long.
    pub fn stage(&self, digest: &str) -> Option<(Stage, Duration)> {
        let stages = self.stages();
        stages
            .get(digest)
            .map(|(stage, since)| (*stage, since.elapsed()))
    }

    fn stages(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Stage, Instant)>> {
        self.stages.lock().expect("no panic while it is held")
    }

    fn at(&self, digest: &str, stage: Stage) {
        self.stages().insert(digest.into(), (stage, Instant::now()));
    }

    /// Tells which tools there are; those in `loaded` can run.
    fn publish(&self, rows: &[StoredTool], loaded: &BTreeMap<String, Compiled>) {
        let mut own: HashMap<String, Vec<Arc<Tool>>> = HashMap::new();
        for row in rows {
            let runs = loaded.contains_key(&row.digest);
            if !runs && row.status != "ready" {
                continue;
            }
            let Ok(manifest) = serde_json::from_value(row.manifest.clone()) else {
                tracing::error!(
                    tool = row.name,
                    version = row.version,
                    "its manifest can't be read"
                );
                continue;
            };
            let tool = Tool::pushed(manifest, row.digest.clone(), row.signature.clone(), runs);
            own.entry(row.tenant.clone())
                .or_default()
                .push(Arc::new(tool));
        }
        let with_own = own
            .into_iter()
            .map(|(tenant, tools)| {
                let set = self.built_in.iter().cloned().chain(tools).collect();
                (tenant, Arc::new(set))
            })
            .collect();
        self.tenants.write().expect("no panic while held").with_own = with_own;
    }
}

impl crate::engine::Tools for Registry {
    fn of(&self, tenant: &str) -> Arc<Toolset> {
        let tenants = self.tenants.read().expect("no panic while held");
        Arc::clone(tenants.with_own.get(tenant).unwrap_or(&tenants.built_in))
    }
}

/// Compiles and loads what is pushed, and lets go of what is removed.
pub(super) struct Keeper {
    pub registry: Arc<Registry>,
    pub workers: Arc<Workers>,
    pub settings: WorkerSettings,
    pub metrics: Metrics,
    /// The tools that the server came with, compiled.
    pub built_in: Vec<Compiled>,
}

impl Keeper {
    /// Does so for ever. `served` is told when the tools that were there before run.
    pub async fn keep(self, served: oneshot::Sender<()>) {
        let mut loaded = BTreeMap::new();
        let mut served = Some(served);
        let mut seen = None;
        loop {
            let more = match self.look(&mut loaded, &mut seen).await {
                Ok(more) => more,
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "can't look after the tools");
                    false
                }
            };
            if let Some(served) = served.take() {
                let _ = served.send(());
            }
            if !more {
                let _ = tokio::time::timeout(LOOK, self.registry.changed.notified()).await;
            }
        }
    }

    /// Does what is to be done, for a while; returns whether there is more.
    async fn look(
        &self,
        loaded: &mut BTreeMap<String, Compiled>,
        seen: &mut Option<i64>,
    ) -> anyhow::Result<bool> {
        let store = &self.registry.store;
        let revision = store.tools_revision().await?;
        if *seen == Some(revision) {
            return Ok(false);
        }
        let rows = store.tools_to_serve().await?;
        // What is ready elsewhere can be named at once, and runs as soon as it does here.
        self.registry.publish(&rows, loaded);
        let mut wanted: BTreeMap<String, Compiled> = rows
            .iter()
            .filter_map(|row| Some((row.digest.clone(), loaded.get(&row.digest)?.clone())))
            .collect();
        let mut waiting = by_turns(rows.iter().filter(|row| !loaded.contains_key(&row.digest)));
        for row in &waiting {
            self.registry.at(&row.digest, Stage::Waiting);
        }
        let until = Instant::now() + BATCH;
        while let Some(row) = waiting.pop_front() {
            if !wanted.contains_key(&row.digest) {
                match self.compile(row).await {
                    Ok(compiled) => drop(wanted.insert(row.digest.clone(), compiled)),
                    Err(error) => self.failed(row, &error).await?,
                }
            }
            if Instant::now() >= until {
                break;
            }
        }
        if !wanted.keys().eq(loaded.keys()) {
            self.load(&rows, loaded, wanted).await?;
        }
        self.registry.publish(&rows, loaded);
        for row in rows.iter().filter(|row| loaded.contains_key(&row.digest)) {
            self.registry.stages().remove(&row.digest);
            if row.status == "compiling" {
                store.tool_compiled(row, Ok(())).await?;
            }
        }
        let more = !waiting.is_empty();
        *seen = (!more).then_some(revision);
        Ok(more)
    }

    /// Has workers take over that have the wanted tools. If that can't be, those stay
    /// that run.
    async fn load(
        &self,
        rows: &[StoredTool],
        loaded: &mut BTreeMap<String, Compiled>,
        wanted: BTreeMap<String, Compiled>,
    ) -> sqlx::Result<()> {
        let new = |digest: &&String| !loaded.contains_key(*digest);
        for digest in wanted.keys().filter(new) {
            self.registry.at(digest, Stage::Loading);
        }
        let tools = self.built_in.iter().chain(wanted.values());
        match self.workers.replace(tools.cloned().collect()).await {
            Ok(()) => *loaded = wanted,
            Err(error) => {
                for row in rows.iter().filter(|row| new(&&row.digest)) {
                    self.failed(row, &error).await?;
                }
            }
        }
        Ok(())
    }

    /// Machine code that has shown that workers can load it.
    async fn compile(&self, row: &StoredTool) -> anyhow::Result<Compiled> {
        let StoredTool {
            tenant, digest: of, ..
        } = row;
        self.registry.at(of, Stage::Compiling);
        let component = self.registry.store.tool_component(tenant, of).await?;
        let component = component.context("its component is gone")?;
        anyhow::ensure!(
            digest(&component) == *of,
            "the component that is stored for {of} is another one"
        );
        let started = Instant::now();
        let (settings, key) = (self.settings.clone(), of.clone());
        let compiling = move || {
            Workers::compile_bytes(&settings, &key, &component).map(|tool| (tool, component.len()))
        };
        let (tool, size) = tokio::task::spawn_blocking(compiling).await??;
        self.metrics.component(tool.cached, started.elapsed());
        tracing::info!(
            tenant,
            tool = row.name,
            version = row.version,
            digest = of,
            size,
            ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "tool compiled"
        );
        self.registry.at(of, Stage::Checking);
        Workers::probe(&self.settings, std::slice::from_ref(&tool)).await?;
        Ok(tool)
    }

    async fn failed(&self, row: &StoredTool, error: &anyhow::Error) -> sqlx::Result<()> {
        let error = format!("{error:#}");
        tracing::warn!(
            tenant = row.tenant,
            tool = row.name,
            version = row.version,
            digest = row.digest,
            error,
            "tool can't be used"
        );
        self.registry.stages().remove(&row.digest);
        self.registry.store.tool_compiled(row, Err(&error)).await
    }
}

/// The first of each tenant, then the second of each: who pushes much does not hold up
/// who pushes little.
fn by_turns<'r>(rows: impl Iterator<Item = &'r StoredTool>) -> VecDeque<&'r StoredTool> {
    let mut before: HashMap<&str, usize> = HashMap::new();
    let mut turns: Vec<_> = rows
        .map(|row| {
            let turn = before.entry(&row.tenant).or_default();
            *turn += 1;
            (*turn, row)
        })
        .collect();
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, row)| row).collect()
}
