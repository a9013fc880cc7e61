//! The methods of Python's `dict` and `str` that people write in templates.

use std::collections::HashSet;

use minijinja::value::{Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};

/// Bytes of a text that a unit of fuel pays for.
const BYTES_PER_FUEL: u64 = 64;

/// Methods that exist on a text or an object.
pub(crate) const NAMES: [&str; 13] = [
    "get",
    "items",
    "keys",
    "values",
    "upper",
    "lower",
    "strip",
    "lstrip",
    "rstrip",
    "split",
    "replace",
    "startswith",
    "endswith",
];

pub(crate) fn call(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Map => on_map(state, value, method, args),
        ValueKind::String => on_text(state, value, method, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// Characters to strip off: blanks, if none are named.
pub(crate) struct Chars(Option<HashSet<char>>);

impl Chars {
    pub(crate) fn new(chars: Option<&str>) -> Self {
        Self(chars.map(|chars| chars.chars().collect()))
    }

    pub(crate) fn has(&self, c: char) -> bool {
        self.0
            .as_ref()
            .map_or_else(|| c.is_whitespace(), |chars| chars.contains(&c))
    }
}

fn on_map(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match method {
        "get" => {
            let (key, default): (&Value, Option<Value>) = from_args(args)?;
            let item = value.get_item(key)?;
            Ok(match item.is_undefined() {
                true => default.unwrap_or_else(|| Value::from(())),
                false => item,
            })
        }
        "items" => {
            let () = from_args(args)?;
            state.apply_filter("items", std::slice::from_ref(value))
        }
        "keys" => {
            let () = from_args(args)?;
            Ok(value.try_iter()?.collect())
        }
        "values" => {
            let () = from_args(args)?;
            let values: Result<Vec<Value>, Error> =
                value.try_iter()?.map(|key| value.get_item(&key)).collect();
            values.map(Value::from)
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn on_text(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let text = value.as_str().unwrap_or_default();
    state.consume_fuel(text.len() as u64 / BYTES_PER_FUEL)?;
    let strip = |args: &[Value], start: bool, end: bool| -> Result<Value, Error> {
        let (chars,): (Option<&str>,) = from_args(args)?;
        let chars = Chars::new(chars);
        let drop = |c: char| chars.has(c);
        let text = if start {
            text.trim_start_matches(drop)
        } else {
            text
        };
        Ok(Value::from(if end {
            text.trim_end_matches(drop)
        } else {
            text
        }))
    };
    match method {
        "upper" | "lower" | "split" | "replace" => {
            let all: Vec<Value> = std::iter::once(value).chain(args).cloned().collect();
            state.apply_filter(method, &all)
        }
        "strip" => strip(args, true, true),
        "lstrip" => strip(args, true, false),
        "rstrip" => strip(args, false, true),
        "startswith" | "endswith" => {
            let (part,): (&str,) = from_args(args)?;
            Ok(Value::from(match method {
                "startswith" => text.starts_with(part),
                _ => text.ends_with(part),
            }))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
