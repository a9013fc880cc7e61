//! What a component can import. An interface that is not here can't be had.

mod sockets;
mod v0_1;

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime::{Engine, Result};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi_io::bindings::wasi::io;

use super::instances::Running;
use crate::capabilities::StepState;
use crate::wit::copy::noetl::tool::postgres_copy;
use crate::wit::http::noetl::tool::http;
use crate::wit::noetl::tool::{log, postgres, types};
pub(super) use sockets::no_sockets;

/// The host's side of every interface: `noetl:tool/*`, and of WASI what the
/// standard libraries of guest languages can't do without. The file system has
/// no directory, and the environment is empty.
pub(super) fn linker(engine: &Engine) -> Result<Linker<Running>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;

    types::add_to_linker::<_, State>(l, state)?;
    log::add_to_linker::<_, State>(l, state)?;
    postgres::add_to_linker::<_, State>(l, state)?;
    postgres_copy::add_to_linker::<_, State>(l, state)?;
    http::add_to_linker::<_, State>(l, state)?;
    v0_1::add_to_linker(l)?;

    io::error::add_to_linker::<_, Handles>(l, handles)?;
    io::poll::add_to_linker::<_, Handles>(l, handles)?;
    io::streams::add_to_linker::<_, Handles>(l, handles)?;

    clocks::wall_clock::add_to_linker::<_, WasiClocks>(l, |r| r.host().clocks())?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(l, |r| r.host().clocks())?;

    random::random::add_to_linker::<_, WasiRandom>(l, |r| r.host().ctx().ctx.random())?;
    random::insecure::add_to_linker::<_, WasiRandom>(l, |r| r.host().ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(l, |r| r.host().ctx().ctx.random())?;

    cli::exit::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;
    cli::environment::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;
    cli::stdin::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;
    cli::stdout::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;
    cli::stderr::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(l, |r| r.host().cli())?;

    filesystem::types::add_to_linker::<_, WasiFilesystem>(l, |r| r.host().filesystem())?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(l, |r| r.host().filesystem())?;
    Ok(linker)
}

fn state(running: &mut Running) -> &mut StepState {
    running.host()
}

fn handles(running: &mut Running) -> &mut ResourceTable {
    &mut running.host().table
}

struct State;

impl HasData for State {
    type Data<'a> = &'a mut StepState;
}

struct Handles;

impl HasData for Handles {
    type Data<'a> = &'a mut ResourceTable;
}
