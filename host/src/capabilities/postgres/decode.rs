//! From rows to the interface's values, without losing anything.
//!
//! The usual types are read here from their binary form. For the others (ranges,
//! network addresses, composites, types of extensions …) the server is asked for
//! the text that it prints: the values of one type go back to it as one array.

use std::collections::HashMap;
use std::fmt::Write;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Column as _, Executor, PgConnection, Row, ValueRef};

use super::error;
use super::parameter::Binary;
use super::temporal;
use super::types::{Class, ServerText, TypeInfo, Types};
use super::{arguments, numeric};
use crate::wit::noetl::tool::postgres::{Column, DbValue, Error};

/// The columns of a result and where their types are.
pub(super) struct Layout {
    pub columns: Vec<Column>,
    oids: Vec<u32>,
}

impl Layout {
    /// Of a statement that returns no rows.
    pub fn none() -> Self {
        Self {
            columns: Vec::new(),
            oids: Vec::new(),
        }
    }

    /// Finds out about the types of `columns`, with the server where they are new.
    pub async fn load(
        connection: &mut PgConnection,
        types: &Types,
        columns: &[sqlx::postgres::PgColumn],
    ) -> Result<Self, Error> {
        let oids: Vec<u32> = columns
            .iter()
            .map(|column| column.type_info().oid().map_or(0, |oid| oid.0))
            .collect();
        types
            .load(connection, oids.iter().copied())
            .await
            .map_err(|error| error::statement(&error, None))?;
        let columns = columns
            .iter()
            .zip(&oids)
            .map(|(column, oid)| Column {
                name: column.name().to_owned(),
                data_type: types
                    .get(*oid)
                    .map_or_else(|| format!("oid {oid}"), |found| found.display.clone()),
            })
            .collect();
        Ok(Self { columns, oids })
    }
}

/// Reads all rows. In a transaction, asking the server must not break it.
pub(super) async fn rows(
    connection: &mut PgConnection,
    types: &Types,
    layout: &Layout,
    rows: &[PgRow],
    in_transaction: bool,
) -> Result<Vec<Vec<DbValue>>, Error> {
    let mut reader = Reader {
        types,
        asked: HashMap::new(),
        answers: None,
    };
    // Which values only the server can write.
    for (index, &oid) in layout.oids.iter().enumerate() {
        if needs_server(types, oid) {
            for row in rows {
                reader.read(layout, row, index)?;
            }
        }
    }
    let asked = std::mem::take(&mut reader.asked);
    let mut answers = HashMap::new();
    for (oid, values) in asked {
        let texts = texts(connection, types, oid, values, in_transaction).await?;
        answers.insert(oid, texts.into_iter());
    }
    reader.answers = Some(answers);
    // The same order as before: column by column where the server was asked.
    let mut read: Vec<Vec<DbValue>> = rows
        .iter()
        .map(|_| vec![DbValue::Null; layout.oids.len()])
        .collect();
    for index in 0..layout.oids.len() {
        for (row, values) in rows.iter().zip(&mut read) {
            values[index] = reader.read(layout, row, index)?;
        }
    }
    Ok(read)
}

fn needs_server(types: &Types, oid: u32) -> bool {
    match types.base(oid).map(|found| found.class) {
        Some(Class::Server(_)) => true,
        Some(Class::Array { element }) => needs_server(types, element),
        _ => false,
    }
}

struct Reader<'a> {
    types: &'a Types,
    asked: HashMap<u32, Vec<Vec<u8>>>,
    answers: Option<HashMap<u32, std::vec::IntoIter<String>>>,
}

impl Reader<'_> {
    fn read(&mut self, layout: &Layout, row: &PgRow, index: usize) -> Result<DbValue, Error> {
        let fail = |reason: &str| {
            let column = &layout.columns[index];
            Error::ValueConversionFailed(format!(
                "column `{}` of type {}: {reason}",
                column.name, column.data_type
            ))
        };
        let value = row
            .try_get_raw(index)
            .map_err(|_| fail("PostgreSQL sent fewer values than columns"))?;
        if value.is_null() {
            return Ok(DbValue::Null);
        }
        let bytes = value.as_bytes().map_err(|_| fail("it has no bytes"))?;
        self.value(layout.oids[index], bytes)
            .map_err(|error| match error {
                Unread::Type => fail(
                    "values of this type can't be read; cast it in the statement, such as to text",
                ),
                Unread::Bytes => {
                    fail("its binary form was not understood; cast it in the statement to text")
                }
            })
    }

    fn value(&mut self, oid: u32, bytes: &[u8]) -> Result<DbValue, Unread> {
        let found = self.types.base(oid).ok_or(Unread::Type)?;
        Ok(match found.class {
            Class::Void => DbValue::Null,
            Class::Bool => DbValue::Boolean(fixed::<1>(bytes)?[0] != 0),
            Class::Int2 => DbValue::Int16(i16::from_be_bytes(fixed(bytes)?)),
            Class::Int4 => DbValue::Int32(i32::from_be_bytes(fixed(bytes)?)),
            Class::Int8 => DbValue::Int64(i64::from_be_bytes(fixed(bytes)?)),
            Class::Oid => DbValue::Int64(u32::from_be_bytes(fixed(bytes)?).into()),
            Class::Float4 => DbValue::Float32(f32::from_be_bytes(fixed(bytes)?)),
            Class::Float8 => DbValue::Float64(f64::from_be_bytes(fixed(bytes)?)),
            Class::Numeric => DbValue::Numeric(numeric::text(bytes).ok_or(Unread::Bytes)?),
            Class::Text => DbValue::Text(text(bytes)?),
            Class::Bytea => DbValue::Binary(bytes.to_vec()),
            Class::Date => DbValue::Temporal(temporal::date(i32::from_be_bytes(fixed(bytes)?))),
            Class::Time => DbValue::Temporal(temporal::time(i64::from_be_bytes(fixed(bytes)?))),
            Class::TimeTz => {
                let (micros, west) = bytes.split_at_checked(8).ok_or(Unread::Bytes)?;
                DbValue::Temporal(temporal::time_tz(
                    i64::from_be_bytes(fixed(micros)?),
                    i32::from_be_bytes(fixed(west)?),
                ))
            }
            Class::Timestamp => {
                DbValue::Temporal(temporal::timestamp(i64::from_be_bytes(fixed(bytes)?), ""))
            }
            // It is an instant, which PostgreSQL sends in UTC.
            Class::TimestampTz => DbValue::Temporal(temporal::timestamp(
                i64::from_be_bytes(fixed(bytes)?),
                "+00:00",
            )),
            Class::Interval => {
                let (micros, rest) = bytes.split_at_checked(8).ok_or(Unread::Bytes)?;
                let (days, months) = rest.split_at_checked(4).ok_or(Unread::Bytes)?;
                DbValue::Temporal(temporal::interval(
                    i64::from_be_bytes(fixed(micros)?),
                    i32::from_be_bytes(fixed(days)?),
                    i32::from_be_bytes(fixed(months)?),
                ))
            }
            Class::Uuid => DbValue::Uuid(
                uuid::Uuid::from_bytes(fixed(bytes)?)
                    .hyphenated()
                    .to_string(),
            ),
            Class::Json => DbValue::Json(text(bytes)?),
            // A version number stands before the text.
            Class::Jsonb => DbValue::Json(text(bytes.strip_prefix(&[1]).ok_or(Unread::Bytes)?)?),
            Class::Array { element } => DbValue::Array(self.array(element, bytes)?),
            Class::Server(variant) => self.server(&found, variant, bytes)?,
            Class::Unreadable => return Err(Unread::Type),
        })
    }

    /// On the first pass the value is put down to be asked for, on the second the
    /// answer is there.
    fn server(
        &mut self,
        found: &TypeInfo,
        variant: ServerText,
        bytes: &[u8],
    ) -> Result<DbValue, Unread> {
        let Some(answers) = &mut self.answers else {
            self.asked
                .entry(found.oid)
                .or_default()
                .push(bytes.to_vec());
            return Ok(DbValue::Null);
        };
        let text = answers
            .get_mut(&found.oid)
            .and_then(Iterator::next)
            .ok_or(Unread::Type)?;
        Ok(match variant {
            ServerText::Numeric => DbValue::Numeric(text),
            ServerText::Text => DbValue::Text(text),
            ServerText::Other => DbValue::Other(text),
        })
    }

    fn array(&mut self, element: u32, bytes: &[u8]) -> Result<String, Unread> {
        let mut rest = bytes;
        let dimensions = usize::try_from(take_i32(&mut rest)?).map_err(|_| Unread::Bytes)?;
        let _has_nulls = take_i32(&mut rest)?;
        let _element_type = take_i32(&mut rest)?;
        let mut lengths = Vec::new();
        for _ in 0..dimensions.min(6) {
            lengths.push(usize::try_from(take_i32(&mut rest)?).map_err(|_| Unread::Bytes)?);
            let _lower_bound = take_i32(&mut rest)?;
        }
        let mut json = String::new();
        if lengths.is_empty() {
            json.push_str("[]");
        } else {
            self.dimension(element, &lengths, &mut rest, &mut json)?;
        }
        Ok(json)
    }

    fn dimension(
        &mut self,
        element: u32,
        lengths: &[usize],
        rest: &mut &[u8],
        json: &mut String,
    ) -> Result<(), Unread> {
        json.push('[');
        for index in 0..lengths[0] {
            if index > 0 {
                json.push(',');
            }
            if lengths.len() > 1 {
                self.dimension(element, &lengths[1..], rest, json)?;
                continue;
            }
            match usize::try_from(take_i32(rest)?) {
                Err(_) => json.push_str("null"),
                Ok(length) => {
                    let (bytes, after) = rest.split_at_checked(length).ok_or(Unread::Bytes)?;
                    *rest = after;
                    write_json(&self.value(element, bytes)?, json);
                }
            }
        }
        json.push(']');
        Ok(())
    }
}

enum Unread {
    Type,
    Bytes,
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Unread> {
    bytes.try_into().map_err(|_| Unread::Bytes)
}

fn text(bytes: &[u8]) -> Result<String, Unread> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Unread::Bytes)
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, Unread> {
    let (head, tail) = rest.split_first_chunk().ok_or(Unread::Bytes)?;
    *rest = tail;
    Ok(i32::from_be_bytes(*head))
}

/// A value as an element of a JSON array.
fn write_json(value: &DbValue, json: &mut String) {
    let _ = match value {
        DbValue::Null => write!(json, "null"),
        DbValue::Boolean(value) => write!(json, "{value}"),
        DbValue::Int16(value) => write!(json, "{value}"),
        DbValue::Int32(value) => write!(json, "{value}"),
        DbValue::Int64(value) => write!(json, "{value}"),
        DbValue::Float32(value) if value.is_finite() => write!(json, "{value:?}"),
        DbValue::Float64(value) if value.is_finite() => write!(json, "{value:?}"),
        DbValue::Float32(value) => write!(json, "\"{}\"", special(f64::from(*value))),
        DbValue::Float64(value) => write!(json, "\"{}\"", special(*value)),
        DbValue::Json(text) | DbValue::Array(text) => write!(json, "{text}"),
        DbValue::Binary(bytes) => write!(json, "\"\\\\x{}\"", hex::encode(bytes)),
        DbValue::Numeric(text)
        | DbValue::Text(text)
        | DbValue::Temporal(text)
        | DbValue::Uuid(text)
        | DbValue::Other(text) => write!(json, "{}", serde_json::Value::from(text.as_str())),
    };
}

fn special(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// What the server prints for values of one type, in their order.
async fn texts(
    connection: &mut PgConnection,
    types: &Types,
    oid: u32,
    values: Vec<Vec<u8>>,
    in_transaction: bool,
) -> Result<Vec<String>, Error> {
    let Some((found, array)) = types
        .get(oid)
        .and_then(|found| Some((found.clone(), found.array?)))
    else {
        return Err(Error::ValueConversionFailed(format!(
            "type {oid} can't be read; cast it in the statement to text"
        )));
    };
    let mut bytes = Vec::new();
    let length = |length: usize| i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes();
    // One dimension, no NULL, the elements' type, their number, the lower bound.
    for part in [
        length(1),
        length(0),
        oid.to_be_bytes(),
        length(values.len()),
        length(1),
    ] {
        bytes.extend_from_slice(&part);
    }
    for value in &values {
        bytes.extend_from_slice(&length(value.len()));
        bytes.extend_from_slice(value);
    }
    // `u` as a whole: of composites, unnest makes columns.
    let sql = format!(
        "SELECT u::pg_catalog.text FROM pg_catalog.unnest($1::{}[]) AS u",
        found.qualified
    );
    let arguments = arguments([Binary {
        oid: array,
        bytes: Some(bytes),
    }])?;
    if in_transaction {
        connection
            .execute("SAVEPOINT noetl_text")
            .await
            .map_err(|error| error::statement(&error, None))?;
    }
    let asked: Result<Vec<String>, _> = sqlx::query_scalar_with(AssertSqlSafe(sql), arguments)
        .persistent(false)
        .fetch_all(&mut *connection)
        .await;
    if in_transaction {
        let end = match asked {
            Ok(_) => "RELEASE SAVEPOINT noetl_text",
            Err(_) => "ROLLBACK TO SAVEPOINT noetl_text; RELEASE SAVEPOINT noetl_text",
        };
        sqlx::raw_sql(end)
            .execute(&mut *connection)
            .await
            .map_err(|error| error::statement(&error, None))?;
    }
    match asked {
        Ok(texts) if texts.len() == values.len() => Ok(texts),
        _ => Err(Error::ValueConversionFailed(format!(
            "values of type {} can't be read; cast them in the statement to text",
            found.display
        ))),
    }
}
