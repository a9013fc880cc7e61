//! The postgres tool: a step's statements as calls on the host's `postgres`
//! interface. It never sees an address, a user or a password.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(
        clippy::result_large_err,
        reason = "WebAssembly's pointers are half as long"
    )
)]

mod config;
mod failure;
mod result;
mod script;

use noetl_tool::Error;
use noetl_tool::serde_json::value::RawValue;

use crate::config::Config;

#[noetl_tool::tool(schema = false)]
fn postgres(config: Config) -> Result<Box<RawValue>, Error> {
    script::run(config)
}
