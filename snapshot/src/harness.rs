//! Runs a tool as the server does: the same engine configuration, a fresh
//! instance for each call. For benchmarks and for checking a tool by itself.

use std::time::{Duration, Instant};

use wasmtime::component::{Component, HasData, Linker, ResourceTable};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result,
    Store, StoreContextMut,
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use bindings::noetl::tool::{log, types};
use bindings::{Tool, ToolPre};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../wit/0.2",
        world: "tool",
        imports: { default: async | trappable },
        exports: { default: async },
    });
}

pub use types::{Failure, Invocation, Output, ToolError};

/// What a store holds: nothing of the machine, and the log.
pub struct Running {
    ctx: WasiCtx,
    table: ResourceTable,
    /// (`warn` or `info` …, message)
    log: Vec<(&'static str, String)>,
}

impl WasiView for Running {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.ctx,
            table: &mut self.table,
        }
    }
}

impl types::Host for Running {}

impl log::Host for Running {
    async fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        let level = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        self.log.push((level, message));
        Ok(())
    }
}

/// The interfaces of tools that were built against 0.1.0: they have the same shapes.
fn add_0_1(linker: &mut Linker<Running>) -> Result<()> {
    linker.instance("noetl:tool/types@0.1.0")?;
    linker.instance("noetl:tool/log@0.1.0")?.func_wrap_async(
        "write",
        |mut running: StoreContextMut<'_, Running>, (level, message): (log::Level, String)| {
            Box::new(async move { log::Host::write(running.data_mut(), level, message).await })
        },
    )
}

struct Whole;

impl HasData for Whole {
    type Data<'a> = &'a mut Running;
}

/// One call and where its time went.
pub struct Call {
    /// What the tool answered, or the trap's message.
    pub answer: Result<Result<Output, ToolError>>,
    /// (level, message) of each log entry.
    pub log: Vec<(&'static str, String)>,
    /// Making the store and the instance.
    pub instantiate: Duration,
    /// The tool's `run`.
    pub run: Duration,
    /// Dropping the store.
    pub drop: Duration,
}

impl Call {
    /// From the request to the freed slot.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.instantiate + self.run + self.drop
    }
}

/// A compiled tool.
pub struct Guest {
    engine: Engine,
    pre: ToolPre<Running>,
}

impl Guest {
    /// Compiles `wasm`, for as many instances at once as `slots`.
    ///
    /// # Errors
    /// If it is no component, or imports what no tool can have.
    pub fn new(wasm: &[u8], slots: u32) -> Result<Self> {
        let engine = Engine::new(&config(slots))?;
        let weak = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let component = Component::new(&engine, wasm)?;
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        types::add_to_linker::<_, Whole>(&mut linker, |running| running)?;
        log::add_to_linker::<_, Whole>(&mut linker, |running| running)?;
        add_0_1(&mut linker)?;
        let pre = ToolPre::new(linker.instantiate_pre(&component)?)?;
        Ok(Self { engine, pre })
    }

    fn store(&self) -> Store<Running> {
        let ctx = WasiCtx::builder()
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut store = Store::new(
            &self.engine,
            Running {
                ctx,
                table: ResourceTable::new(),
                log: Vec::new(),
            },
        );
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        store
    }

    /// Runs the tool once, in an instance of its own.
    pub async fn call(&self, config: &str, args: &str) -> Call {
        let invocation = Invocation {
            execution_id: "00000000-0000-0000-0000-000000000000".into(),
            step: "step".into(),
            tenant: "default".into(),
            config: config.into(),
            prepared: None,
            args: args.into(),
        };
        let started = Instant::now();
        let mut store = self.store();
        let tool: Result<Tool> = self.pre.instantiate_async(&mut store).await;
        let instantiate = started.elapsed();

        let started = Instant::now();
        let answer = match tool {
            Ok(tool) => tool.call_run(&mut store, &invocation).await,
            Err(error) => Err(error),
        };
        let run = started.elapsed();

        let log = std::mem::take(&mut store.data_mut().log);
        let started = Instant::now();
        drop(store);
        Call {
            answer,
            log,
            instantiate,
            run,
            drop: started.elapsed(),
        }
    }

    /// An instance, made and dropped.
    ///
    /// # Errors
    /// If there is no free slot.
    pub async fn instantiate(&self) -> Result<Duration> {
        let started = Instant::now();
        let mut store = self.store();
        self.pre.instantiate_async(&mut store).await?;
        Ok(started.elapsed())
    }
}

/// As `host/src/sandbox/runtime.rs`.
fn config(slots: u32) -> Config {
    let knob = |name: &str, default: usize| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots * 64)
        .total_memories(slots)
        .total_tables(slots * 4)
        .total_stacks(slots)
        .max_memories_per_component(1)
        .max_tables_per_component(8)
        .max_core_instances_per_component(64)
        .table_elements(100_000)
        .max_memory_size(4 << 30)
        .linear_memory_keep_resident(knob("KEEP_MEMORY", 0))
        .table_keep_resident(knob("KEEP_TABLE", 0))
        .async_stack_keep_resident(knob("KEEP_STACK", 64 << 10))
        .max_unused_warm_slots(64)
        .pagemap_scan(if knob("PAGEMAP", 1) == 1 {
            Enabled::Auto
        } else {
            Enabled::No
        });

    let profiler = if knob("PERFMAP", 0) == 1 {
        wasmtime::ProfilingStrategy::PerfMap
    } else {
        wasmtime::ProfilingStrategy::None
    };
    let wasm_stack = knob("WASM_STACK", 8 << 20);

    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .profiler(profiler)
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .max_wasm_stack(wasm_stack)
        .async_stack_size(wasm_stack + (1 << 20))
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .generate_address_map(false);
    config
}
