//! Runs steps in this process.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wasmtime::component::{ComponentExportIndex, Linker};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use super::components::{ComponentCache, Loaded};
use super::cpu::CpuMeter;
use super::limiter::{Limiter, exceeded};
use super::linker::linker;
use super::prepared::{Key, PreparedCache};
use super::runtime::{SLOTS, WASM_STACK, engine, error};
use super::{ErrorCategory, Limit, Limits, StepError, StepOutcome, StepRequest, StepRunner, Usage};
use crate::capabilities::StepState;
use crate::capabilities::log::Log;
use crate::capabilities::postgres::{Pools, Postgres};
use crate::wit::ToolPre;
use crate::wit::noetl::tool::types::{Invocation, Output, ToolError};

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
struct Call {
    limits: Limits,
    deadline: Instant,
    cpu: CpuMeter,
}

/// A tool whose imports are resolved.
struct Tool {
    pre: ToolPre<Running>,
    /// Its function `prepare`, if it has one.
    prepare: Option<ComponentExportIndex>,
}

/// The runner whose instances live in this process.
pub struct InProcess {
    engine: Engine,
    linker: Linker<Running>,
    cache: ComponentCache,
    tools: HashMap<String, Tool>,
    prepared: PreparedCache,
    pools: Pools,
    /// Steps wait here for a slot: past the pool's size instantiation fails.
    slots: Semaphore,
}

impl InProcess {
    /// A runner without tools, whose compiled components lie in `cache_dir`.
    ///
    /// # Errors
    /// If the machine can't reserve the address space, or the cache is unsafe.
    pub fn new(cache_dir: &Path, pools: Pools) -> anyhow::Result<Self> {
        let engine = engine().map_err(error)?;
        Ok(Self {
            linker: linker(&engine).map_err(error)?,
            cache: ComponentCache::open(&engine, cache_dir)?,
            tools: HashMap::new(),
            prepared: PreparedCache::new(),
            pools,
            slots: Semaphore::new(SLOTS as usize),
            engine,
        })
    }

    /// Adds the tool `name`, the component in the file `wasm`.
    ///
    /// # Errors
    /// If it is no component, imports what no tool can have, or is no tool.
    pub fn add_tool(&mut self, name: &str, wasm: &Path) -> anyhow::Result<Loaded> {
        let loaded = self.cache.load(wasm)?;
        let pre = self
            .linker
            .instantiate_pre(&loaded.component)
            .and_then(ToolPre::new)
            .map_err(|e| {
                anyhow::anyhow!(
                    "{} is not a tool of the world noetl:tool/tool: {e:#}",
                    wasm.display()
                )
            })?;
        let prepare = loaded.component.get_export_index(None, "prepare");
        self.tools.insert(name.into(), Tool { pre, prepare });
        Ok(loaded)
    }

    /// A store for one instance of a tool.
    fn store(&self, request: &StepRequest, call: &Call, log: Log) -> Store<Running> {
        let Call {
            limits, deadline, ..
        } = *call;
        let postgres = Postgres::new(
            self.pools.clone(),
            request.caller(),
            Arc::clone(&request.grant),
            limits,
            deadline.into_std(),
        );
        let mut store = Store::new(
            &self.engine,
            Running {
                state: StepState::new(log, postgres),
                limiter: Limiter::new(limits),
                host_calls: 0,
            },
        );
        store.limiter(|running| &mut running.limiter);
        store.set_hostcall_fuel(usize::try_from(limits.host_call_bytes).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        // Every tick a guest lets others run, and is stopped if it is over a limit.
        let cpu = call.cpu.clone();
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
    async fn prepared(
        &self,
        tool: &Tool,
        request: &StepRequest,
        config: &str,
        call: &Call,
    ) -> Option<Arc<[u8]>> {
        let prepare = tool.prepare.as_ref()?;
        if !PreparedCache::takes(config) {
            return None;
        }
        let key = Key {
            tenant: request.tenant.clone(),
            tool: request.tool.clone(),
            config: config.into(),
        };
        if let Some(prepared) = self.prepared.get(&key) {
            return prepared;
        }
        let mut store = self.store(request, call, Log::new(0));
        let answer = call
            .run(async {
                let instance = tool
                    .pre
                    .instance_pre()
                    .instantiate_async(&mut store)
                    .await?;
                let prepare = instance.get_typed_func::<(&str,), (Result<Vec<u8>, ToolError>,)>(
                    &mut store, prepare,
                )?;
                prepare.call_async(&mut store, (config,)).await
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

    async fn call(
        &self,
        tool: &Tool,
        request: StepRequest,
        log: Log,
        usage: &mut Usage,
    ) -> Result<Value, StepError> {
        let limits = request.limits;
        let call = Call {
            limits,
            deadline: Instant::now() + limits.time,
            cpu: CpuMeter::default(),
        };
        let config = request.config.to_string();
        let prepared = self.prepared(tool, &request, &config, &call).await;
        let mut store = self.store(&request, &call, log);
        let invocation = Invocation {
            execution_id: request.execution_id.to_string(),
            step: request.step,
            tenant: request.tenant,
            config,
            prepared: prepared.map(|bytes| bytes.to_vec()),
            args: request.args.to_string(),
        };
        let answer = call
            .run(async {
                let tool = tool.pre.instantiate_async(&mut store).await?;
                tool.call_run(&mut store, &invocation).await
            })
            .await;

        let running = store.data();
        usage.cpu = call.cpu.spent();
        usage.memory_bytes = running.limiter.peak_memory;
        usage.host_calls = running.host_calls;
        match answer {
            None => Err(exceeded(limits, Limit::Time)),
            // It was done before a tick came.
            Some(Ok(_)) if running.host_calls > limits.host_calls => {
                Err(exceeded(limits, Limit::HostCalls))
            }
            Some(Ok(Ok(output))) => parse(output, limits),
            // A host call that the deadline ended.
            Some(Ok(Err(ToolError::Timeout(what)))) if Instant::now() >= call.deadline => {
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

impl Call {
    /// Runs an instance, `None` if the step's time is over first: ticks don't
    /// end a guest that waits in a host call.
    async fn run<F: Future>(&self, instance: F) -> Option<F::Output> {
        let run = self.cpu.measure(instance);
        tokio::time::timeout_at(self.deadline, run).await.ok()
    }
}

#[async_trait]
impl StepRunner for InProcess {
    fn tools(&self) -> Vec<String> {
        self.tools.keys().cloned().collect()
    }

    async fn run(&self, request: StepRequest) -> StepOutcome {
        let started = Instant::now();
        let log = Log::new(usize::try_from(request.limits.log).unwrap_or(usize::MAX));
        let mut usage = Usage::default();
        let result = match self.tools.get(&request.tool) {
            Some(tool) => {
                let _slot = self.slots.acquire().await.expect("never closed");
                self.call(tool, request, log.clone(), &mut usage).await
            }
            None => Err(StepError::new(
                ErrorCategory::Internal,
                format!("there is no tool `{}` here", request.tool),
            )),
        };
        usage.duration = started.elapsed();
        StepOutcome {
            result,
            log: log.take(),
            usage,
        }
    }
}

fn parse(output: Output, limits: Limits) -> Result<Value, StepError> {
    if output.data.len() as u64 > limits.output {
        return Err(exceeded(limits, Limit::Output));
    }
    serde_json::from_str(&output.data).map_err(|e| {
        StepError::new(
            ErrorCategory::Trap,
            format!("the tool returned text that is not JSON: {e}"),
        )
    })
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
