//! The parts of the server that read what others wrote, without the rest of it:
//! wasmtime alone would take longer to build than a fuzzing run.

#[path = "../../host/src/grants/mod.rs"]
pub mod grants;
#[path = "../../host/src/limits/mod.rs"]
pub mod limits;
#[path = "../../host/src/playbook/mod.rs"]
pub mod playbook;
#[path = "../../host/src/template/mod.rs"]
pub mod template;
#[path = "../../host/src/tool/mod.rs"]
pub mod tool;
#[path = "../../host/src/visible.rs"]
pub mod visible;
#[path = "../../host/src/yaml/mod.rs"]
pub mod yaml;

/// Cuts an input into the text and the values that belong to it: they stand
/// behind lines of `===`.
pub fn cut(data: &[u8]) -> Option<(&str, Vec<&str>)> {
    let mut parts = std::str::from_utf8(data).ok()?.split("\n===\n");
    let text = parts.next()?;
    Some((text, parts.collect()))
}
