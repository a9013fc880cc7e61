//! The wasmtime engine: one for the process, ticked by one thread.

use std::time::Duration;

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result,
};

use super::limiter::{MEMORIES, TABLES};
use crate::limits::Limit;

/// Steps that can run at once. Each slot reserves address space, not memory.
pub(super) const SLOTS: u32 = 512;

/// How often a running guest is asked whether its time is over.
pub(super) const TICK: Duration = Duration::from_millis(2);

/// With less, deeply nested calls of the python tool end the instance before the
/// interpreter can raise its own `RecursionError`.
pub(super) const WASM_STACK: usize = 8 << 20;
/// Host functions run on what the guest's stack leaves of the fiber's.
const FIBER_STACK: usize = WASM_STACK + (1 << 20);

/// What compiled code depends on. The build tool that snapshots components and
/// the benchmarks have no need of it: only a cache entry made with the same
/// configuration is ever loaded.
fn config() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(SLOTS)
        .total_core_instances(SLOTS * Limit::Instances.most() as u32)
        .total_memories(SLOTS)
        .total_tables(SLOTS * 4)
        .total_stacks(SLOTS)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_core_instances_per_component(Limit::Instances.most() as u32)
        .table_elements(Limit::TableElements.most() as usize)
        .max_memory_size(Limit::Memory.most() as usize)
        .async_stack_keep_resident(64 << 10)
        .max_unused_warm_slots(64);

    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // No component-model async: most advisories of 2026 are in it.
        .concurrency_support(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16))
        .generate_address_map(false);
    config
}

/// An error of wasmtime, which has a type of its own, as the crate's.
pub(super) fn error(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into_boxed_dyn_error())
}

/// Makes the engine. Nothing runs in it before it is [`tick`]ed.
pub(super) fn engine() -> Result<Engine> {
    Engine::new(&config())
}

/// Starts the thread that ticks the engine, which ends when the engine is dropped.
/// The thread runs when this returns: what starts a thread may be forbidden next.
pub(super) fn tick(engine: &Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    let (started, running) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name("noetl-epoch".into())
        .spawn(move || {
            let _ = started.send(());
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })?;
    running.recv().map_err(std::io::Error::other)
}
