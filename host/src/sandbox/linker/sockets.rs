use wasmtime::component::{Component, Linker, ResourceType, types::ComponentItem};
use wasmtime::{Result, bail};

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
                    linked.resource(name, ResourceType::host::<Socket>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}
