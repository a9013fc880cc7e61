//! A guest's parameters, as they go to PostgreSQL.

use std::collections::BTreeSet;

use serde_json::value::RawValue;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{Encode, Postgres, Type};

use super::lexer::Scan;
use super::plan::Target;
use super::types::{BOOL, BYTEA, FLOAT8, INT4, INT8, TEXT};
use crate::wit::noetl::tool::postgres::{Error, ParameterValue};

/// Which type a parameter has of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// None: the statement decides.
    Inferred,
    Boolean,
    Int4,
    Int8,
    Float8,
    Numeric,
    Text,
    Bytea,
    Jsonb,
}

impl Kind {
    /// PostgreSQL takes an integer that is written in a statement as int4 where it
    /// fits.
    pub fn of(value: &ParameterValue) -> Self {
        match value {
            ParameterValue::Null | ParameterValue::Literal(_) | ParameterValue::Document(_) => {
                Self::Inferred
            }
            ParameterValue::Boolean(_) => Self::Boolean,
            ParameterValue::Int64(value) if i32::try_from(*value).is_ok() => Self::Int4,
            ParameterValue::Int64(_) => Self::Int8,
            ParameterValue::Float64(_) => Self::Float8,
            ParameterValue::Numeric(_) => Self::Numeric,
            ParameterValue::Text(_) => Self::Text,
            ParameterValue::Binary(_) => Self::Bytea,
            ParameterValue::Jsonb(_) => Self::Jsonb,
        }
    }

    /// What is written behind the placeholder, and after `::`.
    pub fn cast(self) -> Option<&'static str> {
        Some(match self {
            Self::Inferred => return None,
            Self::Boolean => "bool",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Float8 => "float8",
            // The server reads the text: no digit can be lost on the way.
            Self::Numeric => "text::numeric",
            Self::Text => "text",
            Self::Bytea => "bytea",
            Self::Jsonb => "text::jsonb",
        })
    }
}

/// A value in its type's binary form.
#[derive(Debug)]
pub(super) struct Binary {
    pub oid: u32,
    /// `None` is NULL.
    pub bytes: Option<Vec<u8>>,
}

impl Type<Postgres> for Binary {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(TEXT))
    }
}

impl Encode<'_, Postgres> for Binary {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Ok(match &self.bytes {
            Some(bytes) => {
                buffer.extend_from_slice(bytes);
                IsNull::No
            }
            None => IsNull::Yes,
        })
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.oid)))
    }
}

/// Checks that statement and parameters belong together.
pub(super) fn check(scan: &Scan, parameters: &[ParameterValue]) -> Result<(), Error> {
    let numbers: BTreeSet<usize> = scan.placeholders.iter().map(|p| p.number).collect();
    let count = parameters.len();
    if let Some(number) = numbers
        .iter()
        .find(|&&number| number == 0 || number > count)
    {
        return Err(Error::BadParameter(format!(
            "the statement has ${number}, but there are {count} parameters"
        )));
    }
    if let Some(unused) = (1..=count).find(|number| !numbers.contains(number)) {
        return Err(Error::BadParameter(format!(
            "parameter ${unused} does not occur in the statement"
        )));
    }
    // The protocol counts in 16 bits.
    if scan.placeholders.len() > usize::from(u16::MAX) {
        return Err(Error::BadParameter(format!(
            "the statement has {} placeholders; PostgreSQL takes at most {}",
            scan.placeholders.len(),
            u16::MAX
        )));
    }
    Ok(())
}

/// The bytes of parameter `$number` for the place that it goes to.
pub(super) fn encode(
    value: &ParameterValue,
    number: usize,
    target: Target,
) -> Result<Binary, Error> {
    let bad = |reason| Error::BadParameter(format!("parameter ${number} {reason}"));
    let (oid, bytes) = match value {
        ParameterValue::Null => {
            return Ok(Binary {
                oid: TEXT,
                bytes: None,
            });
        }
        ParameterValue::Boolean(value) => (BOOL, vec![u8::from(*value)]),
        ParameterValue::Int64(value) => match i32::try_from(*value) {
            Ok(value) => (INT4, value.to_be_bytes().to_vec()),
            Err(_) => (INT8, value.to_be_bytes().to_vec()),
        },
        ParameterValue::Float64(value) => (FLOAT8, value.to_be_bytes().to_vec()),
        ParameterValue::Binary(bytes) => (BYTEA, bytes.clone()),
        ParameterValue::Document(json) => {
            let text = match target {
                Target::Array { of_json } => array(json, of_json).map_err(bad)?,
                Target::Single => json.clone(),
            };
            (TEXT, storable(&text).map_err(bad)?.into())
        }
        ParameterValue::Numeric(text)
        | ParameterValue::Text(text)
        | ParameterValue::Jsonb(text)
        | ParameterValue::Literal(text) => (TEXT, storable(text).map_err(bad)?.into()),
    };
    let bytes = Some(bytes);
    Ok(Binary { oid, bytes })
}

/// The text, or why PostgreSQL can't store it, as the end of a sentence.
pub(super) fn storable(text: &str) -> Result<&str, String> {
    match text.chars().position(|c| c == '\0') {
        None => Ok(text),
        Some(at) => Err(format!(
            "has the NUL character (U+0000) at character {}; PostgreSQL can't store it in a text",
            at + 1
        )),
    }
}

/// A JSON array as PostgreSQL's array literal. What is no array stays as it is:
/// PostgreSQL then says what it thinks of it. The error is the end of a sentence.
pub(super) fn array(json: &str, of_json: bool) -> Result<String, String> {
    if !json.trim_start().starts_with('[') {
        return Ok(json.to_owned());
    }
    let mut text = String::new();
    write_array(json, of_json, 1, &mut text)?;
    Ok(text)
}

/// PostgreSQL's own limit.
const MAX_DIMENSIONS: usize = 6;

fn write_array(json: &str, of_json: bool, depth: usize, out: &mut String) -> Result<(), String> {
    if depth > MAX_DIMENSIONS {
        return Err(format!(
            "is nested deeper than an array of PostgreSQL can be ({MAX_DIMENSIONS})"
        ));
    }
    let invalid = |error| format!("is not valid JSON: {error}");
    // The elements' own text, so that numbers keep their digits.
    let elements: Vec<&RawValue> = serde_json::from_str(json).map_err(invalid)?;
    out.push('{');
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let element = element.get();
        match element.as_bytes()[0] {
            b'n' => out.push_str("NULL"),
            b'[' if !of_json => write_array(element, of_json, depth + 1, out)?,
            b'"' if !of_json => {
                quote(
                    &serde_json::from_str::<String>(element).map_err(invalid)?,
                    out,
                );
            }
            _ => quote(element, out),
        }
    }
    out.push('}');
    Ok(())
}

fn quote(element: &str, out: &mut String) {
    out.push('"');
    for c in element.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_arrays_become_array_literals() {
        let plain = |json| array(json, false).unwrap();
        assert_eq!(plain("[]"), "{}");
        assert_eq!(
            plain("[1, 1.50, null, true]"),
            r#"{"1","1.50",NULL,"true"}"#
        );
        assert_eq!(
            plain(r#"["a\"b\\c", "NULL", ""]"#),
            r#"{"a\"b\\c","NULL",""}"#
        );
        assert_eq!(plain("[[1,2],[3,4]]"), r#"{{"1","2"},{"3","4"}}"#);
        assert_eq!(plain(r#"{"a": 1}"#), r#"{"a": 1}"#);
        let json = array(r#"[{"a":[1]}, [2], null, "x"]"#, true).unwrap();
        assert_eq!(json, r#"{"{\"a\":[1]}","[2]",NULL,"\"x\""}"#);
        assert!(array("[1", false).is_err());
    }
}
