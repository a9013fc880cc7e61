//! Instances of the tools' components in this process, one for each step.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use wasmtime::component::{Component, ComponentExportIndex, Linker};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use super::job::{Done, Job};
use super::limits::Limiter;
use super::linker::linker;
use super::prepared::{Key, PreparedCache};
use super::runtime::SLOTS;
use super::{ErrorCategory, Limits, StepError, Usage};
use crate::capabilities::StepState;
use crate::capabilities::log::Log;
use crate::capabilities::postgres::{Answer, Backend, Call};
use crate::wit::ToolPre;
use crate::wit::noetl::tool::postgres::Error;
use crate::wit::noetl::tool::types::{Invocation, ToolError};

/// What a store holds while a step runs.
pub(super) struct Running {
    pub(super) state: StepState,
    limiter: Limiter,
}

/// A tool whose imports are resolved.
struct Tool {
    pre: ToolPre<Running>,
    /// Its function `prepare`, if it has one.
    prepare: Option<ComponentExportIndex>,
}

/// The tools, and what it takes to run a step with one.
pub(super) struct Instances {
    engine: Engine,
    linker: Linker<Running>,
    tools: HashMap<String, Tool>,
    prepared: PreparedCache,
    /// Steps wait here for a slot: past the pool's size instantiation fails.
    slots: Semaphore,
}

impl Instances {
    /// No tools yet.
    pub fn new(engine: &Engine) -> wasmtime::Result<Self> {
        Ok(Self {
            linker: linker(engine)?,
            tools: HashMap::new(),
            prepared: PreparedCache::new(),
            slots: Semaphore::new(SLOTS as usize),
            engine: engine.clone(),
        })
    }

    /// Adds the tool `name`.
    ///
    /// # Errors
    /// If the component imports what no tool can have, or is no tool.
    pub fn add(&mut self, name: &str, component: &Component) -> anyhow::Result<()> {
        let pre = self
            .linker
            .instantiate_pre(component)
            .and_then(ToolPre::new)
            .map_err(|e| anyhow::anyhow!("not a tool of the world noetl:tool/tool: {e:#}"))?;
        let prepare = component.get_export_index(None, "prepare");
        self.tools.insert(name.into(), Tool { pre, prepare });
        Ok(())
    }

    /// The names of the tools.
    pub fn names(&self) -> Vec<String> {
        self.tools.keys().cloned().collect()
    }

    /// Runs a step in an instance of its own, with `postgres` to answer its calls.
    pub async fn run(&self, job: Job, postgres: Box<dyn Backend>) -> Done {
        let started = Instant::now();
        let log = Log::new(job.limits.log_bytes);
        let mut usage = Usage::default();
        let result = match self.tools.get(&job.tool) {
            Some(tool) => {
                let _slot = self.slots.acquire().await.expect("never closed");
                self.call(tool, job, log.clone(), postgres, &mut usage)
                    .await
            }
            None => Err(StepError::new(
                ErrorCategory::Internal,
                format!("there is no tool `{}` here", job.tool),
            )),
        };
        usage.duration = started.elapsed();
        Done {
            result,
            log: log.take(),
            usage,
        }
    }

    /// A store for one call of a tool, which ends at `deadline`.
    fn store(
        &self,
        limits: Limits,
        deadline: Instant,
        log: Log,
        postgres: Box<dyn Backend>,
    ) -> Store<Running> {
        let mut store = Store::new(
            &self.engine,
            Running {
                state: StepState::new(log, postgres),
                limiter: Limiter::new(limits),
            },
        );
        store.limiter(|running| &mut running.limiter);
        store.set_hostcall_fuel(host_call_bytes(limits));
        store.set_epoch_deadline(1);
        // Every tick a guest lets others run, and is stopped if its time is over.
        store.epoch_deadline_callback(move |_| {
            Ok(if Instant::now() >= deadline {
                UpdateDeadline::Interrupt
            } else {
                UpdateDeadline::Yield(1)
            })
        });
        store
    }

    /// What the tool makes of the step's configuration, in an instance of its
    /// own, unless it is known already.
    async fn prepared(&self, tool: &Tool, job: &Job, deadline: Instant) -> Option<Arc<[u8]>> {
        let prepare = tool.prepare.as_ref()?;
        if !PreparedCache::takes(&job.config) {
            return None;
        }
        let key = Key {
            tenant: job.tenant.clone(),
            tool: job.tool.clone(),
            config: job.config.clone(),
        };
        if let Some(prepared) = self.prepared.get(&key) {
            return prepared;
        }
        let mut store = self.store(job.limits, deadline, Log::new(0), Box::new(Nobody));
        let answer = tokio::time::timeout_at(deadline, async {
            let instance = tool
                .pre
                .instance_pre()
                .instantiate_async(&mut store)
                .await?;
            let prepare = instance
                .get_typed_func::<(&str,), (Result<Vec<u8>, ToolError>,)>(&mut store, prepare)?;
            prepare.call_async(&mut store, (&job.config,)).await
        })
        .await;
        // What went wrong goes wrong again when the step runs, and is told then.
        let prepared = match answer {
            Ok(Ok((Ok(bytes),))) => Some(bytes.into()),
            _ => None,
        };
        self.prepared.put(key, prepared.clone());
        prepared
    }

    async fn call(
        &self,
        tool: &Tool,
        job: Job,
        log: Log,
        postgres: Box<dyn Backend>,
        usage: &mut Usage,
    ) -> Result<String, StepError> {
        let limits = job.limits;
        let deadline = Instant::now() + limits.time;
        let prepared = self.prepared(tool, &job, deadline).await;
        let mut store = self.store(limits, deadline, log, postgres);
        let invocation = Invocation {
            execution_id: job.execution_id.to_string(),
            step: job.step,
            tenant: job.tenant,
            config: job.config,
            prepared: prepared.map(|bytes| bytes.to_vec()),
            args: job.args,
        };
        // The timer covers what ticks can't: a guest that waits in a host call.
        let answer = tokio::time::timeout_at(deadline, async {
            let tool = tool.pre.instantiate_async(&mut store).await?;
            tool.call_run(&mut store, &invocation).await
        })
        .await;

        let limiter = &store.data().limiter;
        usage.memory_bytes = limiter.peak_memory;
        match answer {
            Err(_) => Err(out_of_time(limits)),
            Ok(Ok(Ok(output))) => Ok(output.data),
            Ok(Ok(Err(error))) => Err(match (tool_error(error, limits), limiter.error()) {
                // Python's way to say that the sandbox gave it no more memory.
                (error, Some(limit)) if error.kind == "MemoryError" => limit,
                (error, _) => error,
            }),
            Ok(Err(error)) => Err(limiter.error().unwrap_or_else(|| trap(&error, limits))),
        }
    }
}

/// Preparing a configuration reaches nothing.
struct Nobody;

#[async_trait::async_trait]
impl Backend for Nobody {
    async fn call(&mut self, _: Call) -> Result<Answer, Error> {
        Err(Error::AccessDenied(
            "a configuration is prepared without any credential".into(),
        ))
    }
}

/// What one call between the instance and the host may move: the largest result
/// and something for the rest.
fn host_call_bytes(limits: Limits) -> usize {
    limits
        .output_bytes
        .saturating_mul(2)
        .saturating_add(1 << 20)
}

fn tool_error(error: ToolError, limits: Limits) -> StepError {
    match error {
        ToolError::InvalidInput(m) => StepError::new(ErrorCategory::InvalidInput, m),
        ToolError::Denied(m) => StepError::new(ErrorCategory::Denied, m),
        ToolError::Timeout(m) => StepError::new(ErrorCategory::Timeout, m),
        ToolError::Limit(m) => StepError::new(ErrorCategory::Limit, m),
        ToolError::Failed(failure) => StepError {
            category: ErrorCategory::Failed,
            kind: failure.kind,
            message: failure.message,
            code: failure.code,
            details: failure
                .details
                .filter(|details| details.len() <= limits.output_bytes)
                .and_then(|details| serde_json::from_str(&details).ok()),
        },
    }
}

fn out_of_time(limits: Limits) -> StepError {
    StepError::new(
        ErrorCategory::Timeout,
        format!(
            "the step was stopped after its limit time = {} ms; make it shorter, or ask for a higher time",
            limits.time.as_millis()
        ),
    )
}

fn trap(error: &wasmtime::Error, limits: Limits) -> StepError {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => out_of_time(limits),
        Some(Trap::StackOverflow) => StepError::new(
            ErrorCategory::Limit,
            "the step's calls went deeper than its stack; recurse less deeply",
        ),
        // The error has no type that could be asked for.
        _ if error.to_string().contains("fuel allocated for hostcalls") => StepError::new(
            ErrorCategory::Limit,
            format!(
                "one call between the tool and the host moved more than its limit of {} bytes, which follows from output_bytes = {}; move less at once, or ask for a higher output_bytes",
                host_call_bytes(limits),
                limits.output_bytes
            ),
        ),
        _ => StepError::new(
            ErrorCategory::Trap,
            format!("the tool's instance broke: {}", error.root_cause()),
        ),
    }
}
