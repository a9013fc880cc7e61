//! Write tools for noetl in Rust.
//!
//! ```
//! use noetl_tool::{Error, http, log};
//!
//! #[noetl_tool::shape]
//! struct Args {
//!     /// The place to look for.
//!     city: String,
//! }
//!
//! #[noetl_tool::shape]
//! struct Place {
//!     lat: f64,
//!     lon: f64,
//! }
//!
//! #[noetl_tool::tool]
//! fn geocode(args: Args) -> Result<Place, Error> {
//!     if args.city.is_empty() {
//!         return Err(Error::invalid_input("`city` is empty"));
//!     }
//!     log::info!("looking for {}", args.city);
//!     let answer = http::get("https://api.example.com/geocode")
//!         .query("q", &args.city)
//!         .send()?;
//!     Ok(answer.json()?)
//! }
//!
//! // A unit test would look the same; it runs without WebAssembly.
//! use noetl_tool::testing::{Answer, Host};
//! use serde_json::json;
//!
//! let host = Host::new();
//! host.http(
//!     "GET https://api.example.com/geocode?q=Berlin",
//!     Answer::json(json!({"lat": 52.5, "lon": 13.4})),
//! );
//! let place = host.run(Tool, json!({}), json!({"city": "Berlin"}));
//! assert_eq!(place, Ok(json!({"lat": 52.5, "lon": 13.4})));
//! assert_eq!(host.logged(), ["info: looking for Berlin"]);
//! ```
//!
//! Its `Cargo.toml` has a `[lib]` with `crate-type = ["cdylib"]`, and `cargo build
//! --release --target wasm32-wasip2` gives the component. A playbook calls it with
//!
//! ```yaml
//! - step: find
//!   tool: acme/geocode
//!   args: {city: "{{ workload.city }}"}
//! ```
//!
//! # The function
//!
//! [`#[tool]`](tool) reads what the function needs from its parameters' names. Each
//! may be left out, and their order does not matter:
//!
//! | parameter | what it gets |
//! |---|---|
//! | `args: T` | the step's arguments |
//! | `config: T` | the step's other fields |
//! | `fields: T` | both in one; where both have a field, that of `args` counts |
//! | `invocation: &Invocation` | the [execution, the step and the tenant](Invocation) |
//! | `prepared: Option<Vec<u8>>` | what `prepare` made of the config, see [`tool`] |
//!
//! The function may be `async`. It returns `Result<T, E>`, where [`Error`] is made
//! from `E`, or just `T`. What does not fit its type is refused with the field's
//! name before the function is called:
//!
//! ```
//! # use noetl_tool::testing;
//! # use serde_json::json;
//! #[noetl_tool::shape]
//! struct Args {
//!     numbers: Vec<i64>,
//! }
//!
//! #[noetl_tool::tool]
//! async fn sum(args: Args) -> i64 {
//!     args.numbers.iter().sum()
//! }
//!
//! assert_eq!(testing::run(Tool, json!({}), json!({"numbers": [1, 2]})), Ok(json!(3)));
//!
//! let refused = |args| testing::run(Tool, json!({}), args).unwrap_err().to_string();
//! assert_eq!(refused(json!({})), "args: missing field `numbers`");
//! assert_eq!(
//!     refused(json!({"numbers": [1, "two"]})),
//!     "args.numbers[1]: invalid type: string \"two\", expected i64",
//! );
//! assert_eq!(
//!     refused(json!({"numbers": [], "unit": "km"})),
//!     "args.unit: unknown field `unit`, expected `numbers`",
//! );
//! ```
//!
//! # Types
//!
//! [`#[shape]`](shape) derives what a type needs here: serde's traits, and a JSON
//! Schema of it. `noetl tool build` writes the schemas into the component, and
//! servers check a step's fields against them when a playbook is registered. It is
//! short for
//!
//! ```
//! use noetl_tool::{schemars, serde};
//!
//! #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
//! #[serde(crate = "noetl_tool::serde", deny_unknown_fields)]
//! #[schemars(crate = "noetl_tool::schemars")]
//! struct Args {
//!     city: String,
//! }
//! ```
//!
//! serde's and schemars' attributes work in both.
//!
//! # What a tool can reach
//!
//! [`http`], [`postgres`] and [`log`], as far as its `tool.toml` asks for it and the
//! tenant was granted it. There are no files, no environment and no sockets. What a
//! tool does not use, its component does not import.
//!

#![warn(missing_docs)]
#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(
        clippy::result_large_err,
        reason = "WebAssembly's pointers are half as long"
    )
)]

// So that what the attributes write works in here too.
extern crate self as noetl_tool;

#[cfg_attr(target_arch = "wasm32", path = "backend/wasm.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "backend/native.rs")]
mod backend;
#[doc(hidden)]
pub mod bindings;
mod call;
mod error;
pub mod http;
pub mod log;
pub mod postgres;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
pub mod time;

pub use call::{Invocation, Tool};
pub use error::{Error, Failure};
pub use noetl_tool_macros::{shape, tool};
pub use {schemars, serde, serde_json};

/// What a tool's function returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the attributes write needs. No part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings;
    pub use crate::call::{Call, Exported, finish, input_schema, merged_schema, output_schema};
    pub use pollster::block_on;
}
