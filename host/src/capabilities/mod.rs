//! What a running step can reach: one module for each WIT interface.

mod call;
pub mod http;
pub mod log;
mod observed;
mod outside;
pub mod postgres;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::wit::noetl::tool::types;
pub use call::{Backend, Call, Reply};
pub use observed::Observed;
pub use outside::{Outside, Scope, Step};

/// Handles that a guest can hold at once.
const HANDLES: usize = 1000;
/// Bytes that one call for random bytes can ask for.
const RANDOM_BYTES: u64 = 1 << 20;

/// The state behind one instance: the `Store`'s data, dropped with the step.
pub struct StepState {
    /// Handles that the guest holds.
    pub table: ResourceTable,
    /// Clocks and randomness; no files, environment, arguments or network.
    pub wasi: WasiCtx,
    /// The step's log.
    pub log: log::Log,
    /// Who answers the step's calls that leave the sandbox.
    pub outside: Box<dyn Backend>,
}

impl StepState {
    /// The state of a step that has just these capabilities.
    pub fn new(log: log::Log, outside: Box<dyn Backend>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Self {
            table,
            wasi: WasiCtx::builder()
                .max_random_size(RANDOM_BYTES)
                .allow_tcp(false)
                .allow_udp(false)
                .build(),
            log,
            outside,
        }
    }
}

impl WasiView for StepState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl types::Host for StepState {}
