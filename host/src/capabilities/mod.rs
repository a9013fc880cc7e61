//! What a running step can reach: one module for each WIT interface.

pub mod log;
pub mod postgres;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::wit::noetl::tool::types;

/// The state behind one instance: the `Store`'s data, dropped with the step.
pub struct StepState {
    /// Handles that the guest holds.
    pub table: ResourceTable,
    /// Clocks and randomness; no files, environment, arguments or network.
    pub wasi: WasiCtx,
    /// The step's log.
    pub log: log::Log,
    /// The step's way to PostgreSQL.
    pub postgres: postgres::Postgres,
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
