//! Instances of the tools' components in this process, one for each step.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wasmtime::component::{Component, ComponentExportIndex, Linker};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use super::cpu::CpuMeter;
use super::job::{Done, Job};
use super::limiter::{Limiter, exceeded};
use super::linker::{linker, no_sockets};
use super::prepared::{Key, PreparedCache};
use super::runtime::{SLOTS, WASM_STACK, error};
use super::{ErrorCategory, Limit, Limits, StepError, Usage};
use crate::capabilities::log::Log;
use crate::capabilities::{Backend, Call, Reply, StepState};
use crate::wit::ToolPre;
use crate::wit::noetl::tool::types::{Invocation, ToolError};

/// What a store holds while a step runs.
pub(super) struct Running {
    state: StepState,
    limiter: Limiter,
    host_calls: u64,
}

impl Running {
    /// What the host serves a call of the instance with. Each call counts.
    pub(super) fn host(&mut self) -> &mut StepState {
        self.host_calls += 1;
        &mut self.state
    }
}

/// One step, as far as its instances have it in common.
struct Bounds {
    limits: Limits,
    deadline: Instant,
    cpu: CpuMeter,
}

impl Bounds {
    /// From now on.
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            deadline: Instant::now() + limits.time,
            cpu: CpuMeter::default(),
        }
    }

    /// Runs an instance, `None` if the step's time is over first: ticks don't
    /// end a guest that waits in a host call.
    async fn run<F: Future>(&self, instance: F) -> Option<F::Output> {
        let run = self.cpu.measure(instance);
        tokio::time::timeout_at(self.deadline, run).await.ok()
    }
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
        let mut linker = self.linker.clone();
        no_sockets(&mut linker, component).map_err(error)?;
        let pre = linker
            .instantiate_pre(component)
            .and_then(ToolPre::new)
            .map_err(|e| anyhow::anyhow!("not a tool of the world noetl:tool/tool: {e:#}"))?;
        let prepare = component.get_export_index(None, "prepare");
        self.tools.insert(name.into(), Tool { pre, prepare });
        Ok(())
    }

    /// Runs a step in an instance of its own, with `outside` to answer its calls.
    pub async fn run(&self, job: Job, outside: Box<dyn Backend>) -> Done {
        let started = Instant::now();
        let log = Log::new(usize::try_from(job.limits.log).unwrap_or(usize::MAX));
        let mut usage = Usage::default();
        let result = match self.tools.get(&job.tool) {
            Some(tool) => {
                let _slot = self.slots.acquire().await.expect("never closed");
                self.call(tool, job, log.clone(), outside, &mut usage).await
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

    /// An instance of a tool that has not been called.
    ///
    /// # Errors
    /// If there is no such tool, or no room for one more instance.
    pub async fn instantiate(&self, name: &str) -> anyhow::Result<impl Send + use<>> {
        let tool = self.tools.get(name).context("there is no such tool")?;
        let bounds = Bounds::new(Limits::default());
        let mut store = self.store(&bounds, Log::new(0), Box::new(Nobody));
        let instance = tool.pre.instantiate_async(&mut store).await;
        Ok((instance.map_err(error)?, store))
    }

    /// A store for one instance of a tool.
    fn store(&self, bounds: &Bounds, log: Log, outside: Box<dyn Backend>) -> Store<Running> {
        let Bounds {
            limits, deadline, ..
        } = *bounds;
        let mut store = Store::new(
            &self.engine,
            Running {
                state: StepState::new(log, outside),
                limiter: Limiter::new(limits),
                host_calls: 0,
            },
        );
        store.limiter(|running| &mut running.limiter);
        store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        // Every tick a guest lets others run, and is stopped if it is over a limit.
        let cpu = bounds.cpu.clone();
        store.epoch_deadline_callback(move |mut store| {
            let running = store.data_mut();
            let over = if Instant::now() >= deadline {
                Limit::Time
            } else if cpu.spent_so_far() >= limits.cpu {
                Limit::Cpu
            } else if running.host_calls > limits.host_calls {
                Limit::HostCalls
            } else {
                return Ok(UpdateDeadline::Yield(1));
            };
            running.limiter.exceed(over);
            Ok(UpdateDeadline::Interrupt)
        });
        store
    }

    /// What the tool makes of the step's configuration, in an instance of its
    /// own, unless it is known already.
    async fn prepared(&self, tool: &Tool, job: &Job, bounds: &Bounds) -> Option<Arc<[u8]>> {
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
        let mut store = self.store(bounds, Log::new(0), Box::new(Nobody));
        let answer = bounds
            .run(async {
                let instance = tool
                    .pre
                    .instance_pre()
                    .instantiate_async(&mut store)
                    .await?;
                let prepare = instance.get_typed_func::<(&str,), (Result<Vec<u8>, ToolError>,)>(
                    &mut store, prepare,
                )?;
                prepare.call_async(&mut store, (&job.config,)).await
            })
            .await;
        // What went wrong goes wrong again when the step runs, and is told then.
        let prepared = match answer {
            Some(Ok((Ok(bytes),))) => Some(bytes.into()),
            Some(Ok((Err(_),))) => None,
            // That may have been a limit, which is not the same for every step.
            _ => return None,
        };
        self.prepared.put(key, prepared.clone());
        prepared
    }

    /// What the tool says of its own shapes, if it has the function `describe`.
    ///
    /// # Errors
    /// If there is no such tool, or its function breaks or takes too long.
    pub async fn describe(&self, name: &str) -> anyhow::Result<Option<String>> {
        let tool = self.tools.get(name).context("there is no such tool")?;
        let pre = tool.pre.instance_pre();
        let Some(describe) = pre.component().get_export_index(None, "describe") else {
            return Ok(None);
        };
        let bounds = Bounds::new(Limits::default());
        let mut store = self.store(&bounds, Log::new(0), Box::new(Nobody));
        let answer = bounds
            .run(async {
                let instance = pre.instantiate_async(&mut store).await?;
                let describe = instance.get_typed_func::<(), (String,)>(&mut store, &describe)?;
                describe.call_async(&mut store, ()).await
            })
            .await;
        let answer = answer.context("its function `describe` takes too long")?;
        let (text,) = answer
            .map_err(error)
            .context("its function `describe` broke")?;
        Ok(Some(text))
    }

    async fn call(
        &self,
        tool: &Tool,
        job: Job,
        log: Log,
        outside: Box<dyn Backend>,
        usage: &mut Usage,
    ) -> Result<String, StepError> {
        let limits = job.limits;
        let bounds = Bounds::new(limits);
        let prepared = self.prepared(tool, &job, &bounds).await;
        let mut store = self.store(&bounds, log, outside);
        let invocation = Invocation {
            execution_id: job.execution_id.to_string(),
            step: job.step,
            tenant: job.tenant,
            config: job.config,
            prepared: prepared.map(|bytes| bytes.to_vec()),
            args: job.args,
        };
        let answer = bounds
            .run(async {
                let tool = tool.pre.instantiate_async(&mut store).await?;
                tool.call_run(&mut store, &invocation).await
            })
            .await;

        let running = store.data();
        usage.cpu = bounds.cpu.spent();
        usage.memory_bytes = running.limiter.peak_memory;
        usage.host_calls = running.host_calls;
        match answer {
            None => Err(exceeded(limits, Limit::Time)),
            // It was done before a tick came.
            Some(Ok(_)) if running.host_calls > limits.host_calls => {
                Err(exceeded(limits, Limit::HostCalls))
            }
            Some(Ok(Ok(output))) => Ok(output.data),
            // A host call that the deadline ended.
            Some(Ok(Err(ToolError::Timeout(what)))) if Instant::now() >= bounds.deadline => {
                let StepError { message, .. } = exceeded(limits, Limit::Time);
                Err(StepError::new(
                    ErrorCategory::Timeout,
                    format!("{message}; {what}"),
                ))
            }
            Some(Ok(Err(error))) => {
                Err(match (tool_error(error, limits), running.limiter.error()) {
                    // Python's way to say that the sandbox gave it no more memory.
                    (error, Some(limit)) if error.kind == "MemoryError" => limit,
                    (error, _) => error,
                })
            }
            Some(Err(error)) => {
                let known = running.limiter.error();
                Err(known.unwrap_or_else(|| trap(&error, limits)))
            }
        }
    }
}

/// Preparing a configuration reaches nothing.
struct Nobody;

#[async_trait::async_trait]
impl Backend for Nobody {
    async fn call(&mut self, call: Call) -> Reply {
        call.denied("a configuration is prepared without any credential and host")
    }
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
                .filter(|details| details.len() as u64 <= limits.output)
                .and_then(|details| serde_json::from_str(&details).ok()),
        },
    }
}

fn trap(error: &wasmtime::Error, limits: Limits) -> StepError {
    if let Some(Trap::StackOverflow) = error.downcast_ref::<Trap>() {
        return StepError::new(
            ErrorCategory::Limit,
            format!(
                "the step's calls went deeper than the stack of {} MiB that every tool has; recurse less deeply",
                WASM_STACK >> 20
            ),
        );
    }
    // These errors have no type that could be asked for.
    let text = error.root_cause().to_string();
    if text.contains("fuel allocated for hostcalls") {
        exceeded(limits, Limit::HostCallBytes)
    } else if text.contains("instance count too high") {
        exceeded(limits, Limit::Instances)
    } else {
        StepError::new(
            ErrorCategory::Trap,
            format!("the tool's instance broke: {text}"),
        )
    }
}
