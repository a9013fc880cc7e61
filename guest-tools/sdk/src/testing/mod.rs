//! Tests of tools, without WebAssembly and without a server.
//!
//! ```
//! use noetl_tool::testing::{Answer, Host, rows};
//! use noetl_tool::{Error, http, postgres::{Connection, params}};
//! use serde_json::json;
//!
//! #[noetl_tool::shape]
//! struct Config {
//!     auth: String,
//! }
//!
//! /// Stores the rate of the day.
//! #[noetl_tool::tool]
//! fn rate(config: Config) -> Result<f64, Error> {
//!     let rate: f64 = http::get("https://api.example.com/rate").send()?.json()?;
//!     Connection::open(&config.auth)?.query("INSERT INTO rates VALUES ($1)", params![rate])?;
//!     Ok(rate)
//! }
//!
//! let host = Host::new();
//! host.http("GET https://api.example.com/rate", Answer::json(json!(1.07)));
//! host.postgres("INSERT INTO rates VALUES ($1)", Ok(rows(json!([]))));
//! assert_eq!(host.run(Tool, json!({"auth": "pg"}), json!({})), Ok(json!(1.07)));
//! assert_eq!(host.opened(), ["pg"]);
//! ```
//!
//! What a tool asks of the host is answered from what the test has written down, in
//! the same order. A request without an answer, or other than the one that is due,
//! panics and says so, and so does an answer that nobody asked for.

mod answer;
mod host;
pub(crate) mod script;

use serde_json::{Map, Value};

use crate::bindings::noetl::tool::postgres::{Column, DbValue, RowSet};
use crate::{Error, Tool};

pub use crate::bindings::noetl::tool::http::Request as Sent;
pub use answer::Answer;
pub use host::Host;

/// Calls a tool that asks nothing of the host, or of a [`Host`] that is there.
///
/// # Errors
/// Why the tool has no result.
pub fn run<T: Tool>(tool: T, config: Value, args: Value) -> Result<Value, Error> {
    let data = run_text(tool, &config.to_string(), &args.to_string())?;
    Ok(serde_json::from_str(&data)?)
}

/// The same from JSON texts to a JSON text, where every digit matters.
///
/// # Errors
/// Why the tool has no result.
pub fn run_text<T: Tool>(tool: T, config: &str, args: &str) -> Result<String, Error> {
    let _ = tool;
    host::call::<T>(config, args, None)
}

/// Calls a tool as a server does that has called its `prepare` before.
///
/// # Errors
/// Why the tool has no result, or why its `prepare` has none.
pub fn run_prepared<T: Tool>(tool: T, config: Value, args: Value) -> Result<Value, Error> {
    let _ = tool;
    let config = config.to_string();
    let prepared = T::prepare(&config)?;
    let data = host::call::<T>(&config, &args.to_string(), Some(prepared))?;
    Ok(serde_json::from_str(&data)?)
}

/// The tool's schemas: an object with `config`, `args` and `result`.
#[must_use]
pub fn describe<T: Tool>(tool: T) -> Value {
    let _ = tool;
    T::describe()
}

/// Rows as PostgreSQL would give them, from a JSON array of objects. Integers are
/// int8, other numbers float8, arrays and objects jsonb.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn rows(rows: Value) -> RowSet {
    let rows: Vec<Map<String, Value>> =
        serde_json::from_value(rows).expect("rows are a JSON array of objects");
    let mut columns: Vec<Column> = Vec::new();
    for (name, value) in rows.iter().flatten() {
        match columns.iter_mut().find(|column| column.name == *name) {
            None => columns.push(Column {
                name: name.clone(),
                data_type: data_type(value).into(),
            }),
            Some(column) if !value.is_null() => column.data_type = data_type(value).into(),
            Some(_) => {}
        }
    }
    let affected = rows.len() as u64;
    let rows = rows
        .into_iter()
        .map(|mut row| {
            columns
                .iter()
                .map(|column| db_value(row.remove(&column.name).unwrap_or_default()))
                .collect()
        })
        .collect();
    RowSet {
        columns,
        rows,
        affected,
    }
}

fn data_type(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::String(_) => "text",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int8",
        Value::Number(_) => "float8",
        Value::Array(_) | Value::Object(_) => "jsonb",
    }
}

fn db_value(value: Value) -> DbValue {
    match value {
        Value::Null => DbValue::Null,
        Value::Bool(value) => DbValue::Boolean(value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(value), _) => DbValue::Int64(value),
            (None, Some(value)) => DbValue::Float64(value),
            (None, None) => DbValue::Numeric(number.to_string()),
        },
        Value::String(text) => DbValue::Text(text),
        value => DbValue::Json(value.to_string()),
    }
}
