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
use super::limits::Limiter;
use super::linker::linker;
use super::prepared::{Key, PreparedCache};
use super::runtime::{SLOTS, engine, error};
use super::{ErrorCategory, Limits, StepError, StepOutcome, StepRequest, StepRunner, Usage};
use crate::capabilities::StepState;
use crate::capabilities::log::Log;
use crate::capabilities::postgres::{self, Grant, Pools, Postgres};
use crate::wit::ToolPre;
use crate::wit::noetl::tool::types::{Invocation, Output, ToolError};

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

    /// A store for one call of a tool, which ends at `deadline`.
    fn store(&self, tenant: &str, limits: Limits, deadline: Instant, log: Log) -> Store<Running> {
        let postgres = Postgres::new(
            self.pools.clone(),
            tenant,
            Grant::All,
            postgres::Limits::default(),
            deadline.into_std(),
        );
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
    async fn prepared(
        &self,
        tool: &Tool,
        request: &StepRequest,
        config: &str,
        deadline: Instant,
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
        let mut store = self.store(&request.tenant, request.limits, deadline, Log::new(0));
        let answer = tokio::time::timeout_at(deadline, async {
            let instance = tool
                .pre
                .instance_pre()
                .instantiate_async(&mut store)
                .await?;
            let prepare = instance
                .get_typed_func::<(&str,), (Result<Vec<u8>, ToolError>,)>(&mut store, prepare)?;
            prepare.call_async(&mut store, (config,)).await
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
        request: StepRequest,
        log: Log,
        usage: &mut Usage,
    ) -> Result<Value, StepError> {
        let limits = request.limits;
        let deadline = Instant::now() + limits.time;
        let config = request.config.to_string();
        let prepared = self.prepared(tool, &request, &config, deadline).await;
        let mut store = self.store(&request.tenant, limits, deadline, log);
        let invocation = Invocation {
            execution_id: request.execution_id.to_string(),
            step: request.step,
            tenant: request.tenant,
            config,
            prepared: prepared.map(|bytes| bytes.to_vec()),
            args: request.args.to_string(),
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
            Ok(Ok(Ok(output))) => parse(output, limits),
            Ok(Ok(Err(error))) => Err(match (tool_error(error, limits), limiter.error()) {
                // Python's way to say that the sandbox gave it no more memory.
                (error, Some(limit)) if error.kind == "MemoryError" => limit,
                (error, _) => error,
            }),
            Ok(Err(error)) => Err(limiter.error().unwrap_or_else(|| trap(&error, limits))),
        }
    }
}

#[async_trait]
impl StepRunner for InProcess {
    fn tools(&self) -> Vec<String> {
        self.tools.keys().cloned().collect()
    }

    async fn run(&self, request: StepRequest) -> StepOutcome {
        let started = Instant::now();
        let log = Log::new(request.limits.log_bytes);
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

/// What one call between the instance and the host may move: the largest result
/// and something for the rest.
fn host_call_bytes(limits: Limits) -> usize {
    limits
        .output_bytes
        .saturating_mul(2)
        .saturating_add(1 << 20)
}

fn parse(output: Output, limits: Limits) -> Result<Value, StepError> {
    if output.data.len() > limits.output_bytes {
        return Err(StepError::new(
            ErrorCategory::Limit,
            format!(
                "the step's result is {} bytes of JSON, more than its limit output_bytes = {}; return less, or ask for a higher output_bytes",
                output.data.len(),
                limits.output_bytes
            ),
        ));
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
