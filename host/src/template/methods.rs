//! The methods of Python's `dict`, `str` and `list` that people write in
//! templates. Most are the template engine's own; here are those that cost more
//! or say less than they should there.

use std::collections::HashSet;

use minijinja::value::{Kwargs, Value, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::environment::{FUEL, refuse_undefined};
use super::measure;

/// Bytes of a text that a unit of fuel pays for.
const BYTES_PER_FUEL: u64 = 64;
/// The longest text of a number: a float in full.
const MAX_NUMBER: usize = 400;
/// How much longer a text may be as part of a list's.
const ESCAPED: usize = 8;
/// More than a template can pay for.
const LIST_BYTES: usize = (FUEL * BYTES_PER_FUEL) as usize;

pub(crate) fn call(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Map => on_map(state, value, method, args),
        ValueKind::String => on_text(state, value, method, args),
        ValueKind::Seq => on_list(state, value, method, args),
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
        // The filters pay for what they make before they make it.
        "capitalize" | "lower" | "replace" | "split" | "title" | "upper" => {
            let all: Vec<Value> = std::iter::once(value).chain(args).cloned().collect();
            state.apply_filter(method, &all)
        }
        "join" => {
            let (items,): (Value,) = from_args(args)?;
            state.apply_filter("join", &[items, value.clone()])
        }
        "format" => {
            pay_for_format(state, text, args)?;
            unknown_method_callback(state, value, method, args)
        }
        "strip" => strip(args, true, true),
        "lstrip" => strip(args, true, false),
        "rstrip" => strip(args, false, true),
        _ => unknown_method_callback(state, value, method, args),
    }
}

/// Pays for as much as `format` may make: a field can ask for any width, and
/// each can name the longest argument.
fn pay_for_format(state: &mut State, text: &str, args: &[Value]) -> Result<(), Error> {
    let (values, named): (&[Value], Kwargs) = from_args(args)?;
    let named: Result<Vec<Value>, Error> = named.args().map(|name| named.peek(name)).collect();
    let mut longest = 0;
    for value in values.iter().chain(&named?) {
        refuse_undefined(state, value)?;
        let mut left = LIST_BYTES;
        let bytes = match value.as_str() {
            Some(text) => text.len(),
            None => measure::take(value, &mut left)
                .map_or(LIST_BYTES, |()| (LIST_BYTES - left).saturating_mul(ESCAPED)),
        };
        longest = bytes.max(longest);
    }
    let fields = text.matches('{').count();
    let widths = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .map(|digits| digits.parse().unwrap_or(usize::MAX))
        .fold(0, usize::saturating_add);
    let bytes = fields
        .saturating_mul(longest.saturating_add(MAX_NUMBER))
        .saturating_add(widths);
    state.consume_fuel(bytes as u64 / BYTES_PER_FUEL)
}

fn on_list(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    // Each item is compared.
    let mut left = LIST_BYTES;
    let looked = measure::take_look(value, &mut left);
    looked.map_err(|_| Error::from(ErrorKind::OutOfFuel))?;
    state.consume_fuel((LIST_BYTES - left) as u64 / BYTES_PER_FUEL)?;
    unknown_method_callback(state, value, method, args)
}
