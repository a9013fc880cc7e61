//! Snapshots of components: a component in, the same component out, with the
//! memory that its `init` left as its initial memory.

pub mod harness;
mod state;

use std::time::{Duration, Instant};

use wasmtime::component::{Component, Linker, ResourceTable, ResourceType, types::ComponentItem};
use wasmtime::error::Context as _;
use wasmtime::{Config, Engine, OptLevel, Result, Store, bail, format_err};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wizer::Wizer;

use state::SnapshotInstance;

/// The function that the build calls. It stays an export: without it the
/// rewritten component does not validate.
const INIT: &str = "init";

/// `init` runs deep inside the guest's own interpreter, once.
const WASM_STACK: usize = 16 << 20;

/// What took how long.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Compiling the component to run it here.
    pub compile: Duration,
    /// The guest's `init`.
    pub init: Duration,
    /// Reading the memory back and writing the component.
    pub snapshot: Duration,
}

/// A snapshotted component.
pub struct Snapshot {
    /// The component's bytes.
    pub component: Vec<u8>,
    /// What took how long.
    pub times: Times,
}

/// What the guest sees while it starts: no directory, no environment, no
/// arguments. What it prints goes to the terminal.
struct Outside {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Outside {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.ctx,
            table: &mut self.table,
        }
    }
}

/// Runs `init` of the component `wasm` and returns the component with the memory
/// that it left.
///
/// # Errors
/// If `wasm` is no component with an export `init: func()`, imports something
/// beyond WASI that `init` calls, or if `init` traps.
pub async fn snapshot(wasm: &[u8]) -> Result<Snapshot> {
    let mut wizer = Wizer::new();
    wizer.init_func(INIT).keep_init_func(true);
    let (context, instrumented) = wizer
        .instrument_component(wasm)
        .context("the file can't be snapshotted")?;

    let started = Instant::now();
    let engine = Engine::new(&config())?;
    let component = Component::new(&engine, &instrumented)?;
    let compile = started.elapsed();

    let (item, init) = component
        .get_export(None, INIT)
        .ok_or_else(|| format_err!("the component exports no function `{INIT}`"))?;
    match item {
        ComponentItem::ComponentFunc(ty) if ty.params().len() == 0 && ty.results().len() == 0 => {}
        _ => bail!("the component's `{INIT}` must be a function without parameters and results"),
    }

    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    refuse_the_rest(&mut linker, &component)?;
    let ctx = WasiCtx::builder().inherit_stdout().inherit_stderr().build();
    let mut store = Store::new(
        &engine,
        Outside {
            ctx,
            table: ResourceTable::new(),
        },
    );

    let started = Instant::now();
    let instance = linker.instantiate_async(&mut store, &component).await?;
    instance
        .get_typed_func::<(), ()>(&mut store, init)?
        .call_async(&mut store, ())
        .await
        .context("the component's `init` failed")?;
    let init = started.elapsed();

    let started = Instant::now();
    let mut instance = SnapshotInstance { store, instance };
    let component = wizer.snapshot_component(&context, &mut instance).await?;
    Ok(Snapshot {
        component,
        times: Times {
            compile,
            init,
            snapshot: started.elapsed(),
        },
    })
}

/// Lets the tool's own interfaces link. `init` has no step to use them for.
fn refuse_the_rest(linker: &mut Linker<Outside>, component: &Component) -> Result<()> {
    let engine = component.engine();
    for (interface, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if interface.starts_with("wasi:") {
            continue;
        }
        let mut linked = linker.instance(interface)?;
        for (name, item) in instance.exports(engine) {
            let called = format!("{interface}#{name}");
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    linked.func_new(name, move |_, _, _, _| {
                        bail!("`init` must not call {called}")
                    })?;
                }
                ComponentItem::Resource(_) => {
                    linked.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))?
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::None)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(WASM_STACK + (2 << 20))
        .concurrency_support(false);
    config
}

/// The names of what a component imports.
///
/// # Errors
/// If `wasm` is no valid component.
pub fn imports(wasm: &[u8]) -> Result<Vec<String>> {
    let engine = Engine::new(&config())?;
    let component = Component::new(&engine, wasm)?;
    Ok(component
        .component_type()
        .imports(&engine)
        .map(|(name, _)| name.to_owned())
        .collect())
}
