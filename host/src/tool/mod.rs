//! What a tool is to those who choose one: its manifest, and how playbooks name it.

mod component;
mod manifest;
mod reference;
pub mod schema;
pub mod signature;

pub use component::{Interfaces, digest};
pub use manifest::{Capabilities, Hosts, Manifest, ManifestError, SECTION, Schemas};
pub use reference::{Name, NameError, Pin, Reference};
