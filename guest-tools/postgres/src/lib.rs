//! The postgres tool: a step's statements, or its rows, as calls on the host's
//! `postgres` interfaces. It never sees an address, a user or a password.

#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(
        clippy::result_large_err,
        reason = "WebAssembly's pointers are half as long"
    )
)]

mod config;
mod copy;
mod failure;
mod result;
mod rows;
mod script;
mod upsert;

use noetl_tool::Error;
use noetl_tool::serde_json::value::RawValue;

use crate::config::{Config, Work};

#[noetl_tool::tool(schema = false)]
fn postgres(config: Config, args: Box<RawValue>) -> Result<Box<RawValue>, Error> {
    match config.work {
        Work::Statements(statements) => script::run(&config.credential, statements),
        Work::Copy(target) => copy::run(&config.credential, &target, &args),
    }
}
