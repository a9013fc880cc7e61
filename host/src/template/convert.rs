//! JSON to template values and back, by hand: the serde bridge of minijinja
//! knows marker keys, which data from outside could imitate, and turns NaN
//! into null.

use std::io;

use minijinja::value::{Value, ValueKind};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Number, Value as Json};

/// How deep a value may nest: as deep as serde_json reads.
pub(super) const MAX_DEPTH: usize = 128;

pub(crate) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => number
            .as_i64()
            .map(Value::from)
            .or_else(|| number.as_u64().map(Value::from))
            .or_else(|| number.as_f64().map(Value::from))
            .unwrap_or_else(|| Value::from(number.to_string())),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect(),
        Json::Object(map) => from_map(map),
    }
}

pub(crate) fn from_map(map: &Map<String, Json>) -> Value {
    Value::from_pairs(
        map.iter()
            .map(|(key, value)| (key.as_str(), from_json(value))),
    )
}

/// The memory that a value takes once it is converted; rather more than less,
/// which a test holds against what is really allocated.
pub(crate) fn bytes(json: &Json) -> usize {
    match json {
        Json::Null | Json::Bool(_) | Json::Number(_) => SCALAR_BYTES,
        Json::String(text) => OWNER_BYTES + text.len(),
        Json::Array(items) => OWNER_BYTES + items.iter().map(bytes).sum::<usize>(),
        Json::Object(map) => {
            let entry = |(key, value): (&String, &Json)| OWNER_BYTES + key.len() + bytes(value);
            OWNER_BYTES + map.iter().map(entry).sum::<usize>()
        }
    }
}

/// What a number, and what a text, list, object or object's key takes beside
/// what is in it.
pub(super) const SCALAR_BYTES: usize = 32;
pub(super) const OWNER_BYTES: usize = 112;

/// The JSON of a value; undefined parts read as null. The error says why not.
pub(crate) fn to_json(value: &Value) -> Result<Json, String> {
    convert(value, 0)
}

fn convert(value: &Value, depth: usize) -> Result<Json, String> {
    if depth > MAX_DEPTH {
        return Err(format!("the value nests deeper than {MAX_DEPTH} levels"));
    }
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Json::Null,
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => Json::Number(number(value)?),
        ValueKind::String => Json::String(value.as_str().unwrap_or_default().to_owned()),
        ValueKind::Seq | ValueKind::Iterable => Json::Array(
            value
                .try_iter()
                .map_err(|error| error.to_string())?
                .map(|item| convert(&item, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        ValueKind::Map => {
            let mut map = Map::new();
            for key in value.try_iter().map_err(|error| error.to_string())? {
                let item = value.get_item(&key).map_err(|error| error.to_string())?;
                let name = match key.kind() {
                    ValueKind::String => key.as_str().unwrap_or_default().to_owned(),
                    ValueKind::Number => number(&key)?.to_string(),
                    kind => return Err(format!("a key is {kind}, JSON keys are text")),
                };
                map.insert(name, convert(&item, depth + 1)?);
            }
            Json::Object(map)
        }
        ValueKind::Bytes => return Err("bytes have no JSON form".to_owned()),
        ValueKind::Invalid => return Err(value.to_string()),
        _ => return Err("the value has no JSON form (is it a function?)".to_owned()),
    })
}

fn number(value: &Value) -> Result<Number, String> {
    if value.is_integer() {
        let integer = i128::try_from(value.clone()).map_err(|_| too_large(value))?;
        return i64::try_from(integer)
            .map(Number::from)
            .or_else(|_| u64::try_from(integer).map(Number::from))
            .map_err(|_| too_large(value));
    }
    f64::try_from(value.clone())
        .ok()
        .and_then(Number::from_f64)
        .ok_or_else(|| format!("{value} is no JSON number"))
}

fn too_large(value: &Value) -> String {
    format!("{value} is outside of -2^63 … 2^64-1, the integers JSON carries here; use `| string`")
}

/// The text of a value inside a longer text: null is nothing, a list or an
/// object is its JSON.
pub(crate) fn to_text(value: &Value) -> Result<String, String> {
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => String::new(),
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        ValueKind::Number if value.is_integer() => value.to_string(),
        _ => to_json(value)?.to_string(),
    })
}

/// JSON on lines of its own; nothing, if it takes more than `limit` bytes.
pub(crate) fn indented(json: &Json, indent: usize, limit: usize) -> Option<String> {
    let blanks = vec![b' '; indent];
    let mut bytes = Bounded(Vec::new(), limit);
    let formatter = PrettyFormatter::with_indent(&blanks);
    json.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))
        .ok()?;
    String::from_utf8(bytes.0).ok()
}

struct Bounded(Vec<u8>, usize);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > self.1 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
