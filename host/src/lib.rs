//! noetl runs workflow playbooks written by people it does not trust: every
//! tool step runs in a fresh WebAssembly sandbox.
//!
//! `cli → api → engine → sandbox → capabilities → wit`; `engine → playbook →
//! template`; `store` stands beside them.

pub mod api;
pub mod app;
pub mod capabilities;
pub mod cli;
pub mod engine;
pub mod playbook;
pub mod sandbox;
pub mod store;
pub mod template;
pub mod wit;
