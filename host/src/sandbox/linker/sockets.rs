use wasmtime::component::{Component, Linker, ResourceType, types::ComponentItem};
use wasmtime::{Result, bail};
use wasmtime_wasi_io::poll::DynPollable;
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, Error as StreamError};

use super::Running;

/// A socket, which nobody has.
struct Socket;

/// Lets a component import sockets, as those made from Python do whether they use
/// them or not. Calling one of their functions ends the step.
pub(crate) fn no_sockets(linker: &mut Linker<Running>, component: &Component) -> Result<()> {
    let engine = component.engine();
    for (interface, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else {
            continue;
        };
        if !interface.starts_with("wasi:sockets/") {
            continue;
        }
        let mut linked = linker.instance(interface)?;
        for (name, item) in instance.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let called = format!("{interface}#{name}");
                    linked.func_new(name, move |_, _, _, _| {
                        bail!("{called}: the sandbox has no sockets; use noetl:tool/http")
                    })?;
                }
                ComponentItem::Resource(_) => {
                    linked.resource(name, resource(name), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// What a resource is here: of those that come from `wasi:io`, what the linker has there.
fn resource(name: &str) -> ResourceType {
    match name {
        "pollable" => ResourceType::host::<DynPollable>(),
        "input-stream" => ResourceType::host::<DynInputStream>(),
        "output-stream" => ResourceType::host::<DynOutputStream>(),
        "error" => ResourceType::host::<StreamError>(),
        _ => ResourceType::host::<Socket>(),
    }
}
