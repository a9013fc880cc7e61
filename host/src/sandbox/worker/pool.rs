//! Some workers, and steps for them.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::super::compile::Compiler;
use super::super::components::{ComponentCache, read_component};
use super::super::job::{Done, Job};
use super::super::lockdown::Confinement;
use super::super::runtime::{engine, error};
use super::super::{ErrorCategory, StepError, StepOutcome, StepRequest, StepRunner, Usage};
use super::link::{Link, Said};
use super::process::{self, Process};
use super::protocol::{ToWorker, ToolFiles, WireDone};
use crate::capabilities::log::Written;
use crate::capabilities::{Backend, Observed, Outside};
use crate::metrics::{Metrics, memory};

/// A step is over in its worker this long after its deadline at the latest; a
/// worker that still has it then does not obey, and is ended.
const GRACE: Duration = Duration::from_secs(5);
/// A worker that dies at once when it has been started is started again after
/// this long.
const PAUSE: Duration = Duration::from_secs(1);
/// A step whose worker died before the step had any effect is run again, this
/// often in all: it may be what the worker dies of.
const ATTEMPTS: usize = 2;
/// Workers that die together are all known to be dead this long after the first.
const SETTLE: Duration = Duration::from_millis(50);

/// What workers need to start.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// The program `noetl`.
    pub program: PathBuf,
    /// How many processes. A tenant uses all but one of them at once.
    pub workers: usize,
    /// Where compiled components are kept.
    pub cache_dir: PathBuf,
}

impl WorkerSettings {
    /// One worker more than there are cores, of the program that runs now.
    pub fn new(cache_dir: PathBuf) -> Self {
        Self {
            program: "/proc/self/exe".into(),
            workers: std::thread::available_parallelism().map_or(1, usize::from) + 1,
            cache_dir,
        }
    }
}

/// The runner whose instances live in worker processes. Dropping it ends them.
pub struct Workers {
    places: Arc<Places>,
    program: PathBuf,
    /// The ways to put another worker into a place; held by who replaces them.
    replace: tokio::sync::Mutex<Vec<mpsc::Sender<Process>>>,
    outside: Outside,
    metrics: Metrics,
    confinement: Confinement,
    /// Keep the places filled.
    _keepers: JoinSet<()>,
}

/// Where the workers are; a place is empty while its worker is being replaced.
struct Places {
    links: Mutex<Vec<Option<Arc<Link>>>>,
    /// Told when a place is filled.
    filled: Notify,
    /// What a worker that is started has.
    tools: Mutex<Arc<ToolFiles>>,
}

impl Places {
    fn fill(&self, place: usize, link: Option<Arc<Link>>) {
        self.lock()[place] = link;
        self.filled.notify_waiters();
    }

    fn tools(&self) -> Arc<ToolFiles> {
        Arc::clone(&self.tools.lock().expect("never poisoned"))
    }

    /// The worker with the least to do, of those that have the tool and that the
    /// tenant may use: never all of them, if there are several. What takes a while
    /// and can't be broken off, a copy of a large memory for one, then delays only
    /// who does it.
    fn idlest(&self, tenant: &str, tool: &str) -> Option<Arc<Link>> {
        let links = self.lock();
        let states: Vec<_> = links
            .iter()
            .flatten()
            .filter_map(|link| Some((link.running(tenant)?, link)))
            .collect();
        let used = states.iter().filter(|((_, has), _)| *has).count();
        let full = used > 0 && used + 1 >= links.len();
        states
            .into_iter()
            .filter(|((_, has), link)| (*has || !full) && link.has(tool))
            .min_by_key(|((running, _), _)| *running)
            .map(|(_, link)| Arc::clone(link))
    }

    /// The same, once there is one.
    async fn worker(&self, tenant: &str, tool: &str) -> Arc<Link> {
        loop {
            let filled = self.filled.notified();
            if let Some(link) = self.idlest(tenant, tool) {
                return link;
            }
            filled.await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Option<Arc<Link>>>> {
        self.links.lock().expect("never poisoned")
    }
}

/// A tool that was made ready for workers.
#[derive(Debug, Clone)]
pub struct Tool {
    /// What steps call it by.
    pub name: String,
    /// Its machine code.
    code: PathBuf,
    /// Whether that was in the cache.
    pub cached: bool,
}

impl Workers {
    /// Compiles a component for workers, in a process of its own, unless the cache
    /// has it.
    ///
    /// # Errors
    /// If it can't be read or compiled, or the cache is unsafe.
    pub fn compile(settings: &WorkerSettings, name: &str, wasm: &Path) -> anyhow::Result<Tool> {
        let bytes = read_component(wasm)?;
        Self::compile_bytes(settings, name, &bytes)
            .with_context(|| format!("can't use {}", wasm.display()))
    }

    /// The same, of a component's bytes.
    ///
    /// # Errors
    /// If it can't be compiled, or the cache is unsafe.
    pub fn compile_bytes(
        settings: &WorkerSettings,
        name: &str,
        component: &[u8],
    ) -> anyhow::Result<Tool> {
        let engine = engine().map_err(error)?;
        let compiler = Compiler::Process(settings.program.clone());
        let cache = ComponentCache::open(&engine, &settings.cache_dir, compiler)?;
        let compiled = cache.compile(component)?;
        Ok(Tool {
            name: name.into(),
            code: compiled.code,
            cached: compiled.cached,
        })
    }

    /// Starts the workers, and keeps as many running.
    ///
    /// # Errors
    /// If one can't be started, or a component is no tool.
    pub async fn start(
        settings: WorkerSettings,
        tools: Vec<Tool>,
        outside: Outside,
        metrics: Metrics,
    ) -> anyhow::Result<Self> {
        let program = settings.program;
        let tools = files(tools);
        let starts = (0..settings.workers.max(1)).map(|_| process::start(&program, &tools));
        let processes = futures_util::future::try_join_all(starts).await?;
        let confinement = processes[0].confinement.clone();
        let places = Arc::new(Places {
            links: Mutex::new(vec![None; processes.len()]),
            filled: Notify::new(),
            tools: Mutex::new(tools),
        });
        let mut keepers = JoinSet::new();
        let mut replace = Vec::new();
        for (place, process) in processes.into_iter().enumerate() {
            let (sender, replacements) = mpsc::channel(1);
            replace.push(sender);
            let keeper = Keeper {
                places: Arc::clone(&places),
                place,
                program: program.clone(),
                replacements,
                metrics: metrics.clone(),
            };
            let (link, life) = Link::new(process);
            places.fill(place, Some(Arc::clone(&link)));
            metrics.worker_started(false);
            keepers.spawn(keeper.keep(link, Box::pin(life)));
        }
        watch(&places, &metrics);
        Ok(Self {
            places,
            program,
            replace: tokio::sync::Mutex::new(replace),
            outside,
            metrics,
            confinement,
            _keepers: keepers,
        })
    }

    /// Has other workers with these tools take the places of those that run: they
    /// have every step from then on. Steps that run end where they are. If it can't
    /// be done, all stays as it was.
    ///
    /// # Errors
    /// If a worker can't be started, or a component is no tool.
    pub async fn replace(&self, tools: Vec<Tool>) -> anyhow::Result<()> {
        let places = self.replace.lock().await;
        let tools = files(tools);
        // A worker at a time: what starts takes a core from steps that run.
        let mut first = Some(process::start(&self.program, &tools).await?);
        *self.places.tools.lock().expect("never poisoned") = Arc::clone(&tools);
        for place in places.iter() {
            let process = match first.take() {
                Some(process) => process,
                None => process::start(&self.program, &tools).await?,
            };
            // Its keeper is gone only when all of this is.
            let _ = place.send(process).await;
        }
        Ok(())
    }

    /// Starts one worker, and tells how it is confined.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub async fn probe(settings: &WorkerSettings, tools: &[Tool]) -> anyhow::Result<Confinement> {
        let process = process::start(&settings.program, &files(tools.to_vec())).await?;
        Ok(process.confinement)
    }

    /// How the workers are confined.
    pub fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    /// The process ids of the workers that live.
    pub fn pids(&self) -> Vec<u32> {
        let links = self.places.lock();
        links.iter().flatten().map(|link| link.pid).collect()
    }

    /// Runs a step in one worker.
    async fn attempt(&self, request: &StepRequest, job: &Job) -> Result<Done, Lost> {
        let deadline = Instant::now() + request.limits.time;
        let worker = self.places.worker(&request.tenant, &request.tool);
        let worker = tokio::time::timeout_at(deadline, worker);
        let Ok(link) = worker.await else {
            return Err(Lost {
                why: "no sandbox worker could be started".into(),
                touched: true,
            });
        };
        let Some(mut run) = link.run(job) else {
            return Err(Lost::of(&link, false));
        };
        let outside = self.outside.step(request.scope());
        let mut outside = Observed::new(Box::new(outside), &self.metrics);
        let mut touched = false;
        let talk = async {
            let mut said = run.hear().await;
            while let Some(Said::Call(call)) = said {
                touched |= call.has_effect();
                // A step that ends while its call is under way does not wait for
                // it: the call is broken off, and its connection with it.
                said = tokio::select! {
                    answer = outside.call(call) => {
                        run.tell(|id| ToWorker::Answer(id, answer));
                        run.hear().await
                    }
                    next = run.hear() => next,
                };
            }
            match said {
                Some(Said::Done(done)) => Some(done),
                _ => None,
            }
        };
        match tokio::time::timeout_at(deadline + GRACE, talk).await {
            Ok(Some(done)) => Ok(arrived(done)),
            Ok(None) => Err(Lost::of(&link, touched)),
            Err(_) => {
                link.kill("it was killed, because a step did not end at its deadline");
                Err(Lost::of(&link, true))
            }
        }
    }
}

/// A step whose worker is gone.
struct Lost {
    why: String,
    /// The step may have changed something outside.
    touched: bool,
}

impl Lost {
    fn of(link: &Link, touched: bool) -> Self {
        Self {
            why: link.why().to_owned(),
            touched,
        }
    }

    fn error(self, attempts: usize) -> StepError {
        let (again, hint) = match self.touched {
            true => (
                String::new(),
                "what it did to a database in a transaction is undone, what it sent is not",
            ),
            false => (format!(", {attempts} times"), "it had no effect"),
        };
        StepError {
            kind: "worker_lost".into(),
            ..StepError::new(
                ErrorCategory::Internal,
                format!(
                    "the sandbox worker that ran the step is gone{again}: {}; {hint}",
                    self.why
                ),
            )
        }
    }
}

/// What a worker says of a step, which need not be true.
fn arrived(done: WireDone) -> Done {
    let WireDone { result, log, usage } = done;
    Done {
        result: result.map_err(|error| {
            serde_json::from_str(&error).unwrap_or_else(|_| {
                StepError::new(
                    ErrorCategory::Trap,
                    "the step's worker gave no readable error",
                )
            })
        }),
        log,
        usage,
    }
}

#[async_trait]
impl StepRunner for Workers {
    fn ready(&self) -> Result<(), String> {
        match self.pids().is_empty() {
            true => Err("no sandbox worker runs".into()),
            false => Ok(()),
        }
    }

    async fn run(&self, request: StepRequest) -> StepOutcome {
        let started = Instant::now();
        let limits = request.limits;
        let job = Job::from(&request);
        let mut attempts = 0;
        let mut done = loop {
            attempts += 1;
            match self.attempt(&request, &job).await {
                Ok(done) => break done,
                Err(lost) if !lost.touched && attempts < ATTEMPTS => {
                    tokio::time::sleep(SETTLE).await;
                }
                Err(lost) => {
                    break Done {
                        result: Err(lost.error(attempts)),
                        log: Written::default(),
                        usage: Usage::default(),
                    };
                }
            }
        };
        done.usage.duration = started.elapsed();
        done.admit(limits)
    }
}

/// How many workers live, and what memory they and the server have.
fn watch(places: &Arc<Places>, metrics: &Metrics) {
    let living = Arc::clone(places);
    metrics.watch("workers", "Sandbox workers that live", move || {
        let count = living.lock().iter().flatten().count();
        vec![(Vec::new(), count as f64)]
    });
    let processes = Arc::clone(places);
    metrics.watch(
        "memory_bytes",
        "Memory of a process: resident, and its share of what others have mapped too",
        move || {
            let pids: Vec<_> = {
                let links = processes.lock();
                let pid = |link: &Option<Arc<Link>>| Some(link.as_ref()?.pid.to_string());
                links.iter().map(pid).collect()
            };
            let workers = pids.iter().enumerate().filter_map(|(place, pid)| {
                Some(memory(&format!("worker-{place}"), pid.as_deref()?))
            });
            memory("server", "self")
                .into_iter()
                .chain(workers.flatten())
                .collect()
        },
    );
}

fn files(tools: Vec<Tool>) -> Arc<ToolFiles> {
    let files = tools.into_iter().map(|tool| (tool.name, tool.code));
    Arc::new(files.collect())
}

/// Keeps one place filled.
struct Keeper {
    places: Arc<Places>,
    place: usize,
    program: PathBuf,
    replacements: mpsc::Receiver<Process>,
    metrics: Metrics,
}

type Life = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Keeper {
    async fn keep(mut self, mut link: Arc<Link>, mut life: Life) {
        loop {
            let started = Instant::now();
            let (process, lives) = tokio::select! {
                () = &mut life => {
                    self.places.fill(self.place, None);
                    tracing::warn!(pid = link.pid, "a sandbox worker is gone: {}", link.why());
                    if started.elapsed() < PAUSE {
                        tokio::time::sleep(PAUSE).await;
                    }
                    (self.restart().await, false)
                }
                Some(process) = self.replacements.recv() => (process, true),
            };
            let (next, next_life) = Link::new(process);
            let before = std::mem::replace(&mut link, next);
            let ends = std::mem::replace(&mut life, Box::pin(next_life));
            self.places.fill(self.place, Some(Arc::clone(&link)));
            if lives {
                // Steps that were given to it before end there.
                tokio::spawn(async move { tokio::join!(before.retire(), ends) });
            }
        }
    }

    /// A new worker, however long it takes to get one.
    async fn restart(&self) -> Process {
        loop {
            match process::start(&self.program, &self.places.tools()).await {
                Ok(process) => {
                    self.metrics.worker_started(true);
                    return process;
                }
                Err(error) => tracing::error!("{error:#}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
