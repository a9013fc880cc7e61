//! noetl runs workflow playbooks written by people it does not trust: every
//! tool step runs in a fresh WebAssembly sandbox.
//!
//! `cli → api → engine → sandbox → capabilities → wit`; `engine → playbook →
//! template`; `store` stands beside them; `limits`, `grants`, `tool`, `secrets`, `metrics` and
//! `trace` below all.

pub mod access;
pub mod admission;
pub mod api;
pub mod app;
pub mod capabilities;
pub mod cli;
pub mod engine;
pub mod grants;
pub mod integers;
pub mod limits;
pub mod metrics;
pub mod playbook;
pub mod sandbox;
pub mod secrets;
pub mod store;
pub mod template;
#[cfg(test)]
mod testing;
pub mod tls;
pub mod tool;
pub mod trace;
pub mod visible;
pub mod wit;
pub mod yaml;
