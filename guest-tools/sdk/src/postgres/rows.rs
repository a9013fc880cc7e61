use std::collections::HashSet;
use std::fmt::Write;

use serde::de::DeserializeOwned;

use super::{Column, DbValue, RowSet};
use crate::Error;

impl RowSet {
    /// The rows as structs, by the columns' names.
    ///
    /// A value has the JSON that [`to_json`](Self::to_json) gives it: numeric is a
    /// text, and so are times and uuids.
    ///
    /// # Errors
    /// If a row does not fit; names the row and the column.
    pub fn into<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        let json = self.to_json();
        let mut reader = serde_json::Deserializer::from_str(&json);
        serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| Error::failed("postgres", crate::call::located("rows", &error)))
    }

    /// The first row, if there is one; else like [`into`](Self::into).
    ///
    /// # Errors
    /// If the row does not fit; names the column.
    pub fn first<T: DeserializeOwned>(mut self) -> Result<Option<T>, Error> {
        self.rows.truncate(1);
        Ok(self.into()?.pop())
    }

    /// The rows as a JSON array of objects: `[{"id": 1, "at": "2026-01-01"}]`.
    ///
    /// It is written as text, so that no number and no json value of the database
    /// is changed on its way. Numeric, times, uuids and all types that JSON does not
    /// have are texts; bytea is `\x…`. A second column `id` is called `id_2`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let keys: Vec<String> = self.names().iter().map(|name| string(name)).collect();
        let mut json = String::from("[");
        for (index, row) in self.rows.iter().enumerate() {
            json.push_str(if index == 0 { "{" } else { ",{" });
            for (index, (key, value)) in keys.iter().zip(row).enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let _ = write!(json, "{comma}{key}:");
                write_value(value, &mut json);
            }
            json.push('}');
        }
        json.push(']');
        json
    }

    /// The columns' names in that JSON. A second `id` is called `id_2`, so that no
    /// value is lost.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        names(&self.columns)
    }
}

fn names(columns: &[Column]) -> Vec<String> {
    let own: HashSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let mut used: HashSet<String> = HashSet::new();
    columns
        .iter()
        .map(|column| {
            let mut name = column.name.clone();
            let mut number = 2;
            while used.contains(&name) || (number > 2 && own.contains(name.as_str())) {
                name = format!("{}_{number}", column.name);
                number += 1;
            }
            used.insert(name.clone());
            name
        })
        .collect()
}

fn write_value(value: &DbValue, json: &mut String) {
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
        DbValue::Binary(bytes) => {
            json.push_str("\"\\\\x");
            for byte in bytes {
                let _ = write!(json, "{byte:02x}");
            }
            write!(json, "\"")
        }
        DbValue::Json(text) | DbValue::Array(text) => write!(json, "{text}"),
        DbValue::Numeric(text)
        | DbValue::Text(text)
        | DbValue::Temporal(text)
        | DbValue::Uuid(text)
        | DbValue::Other(text) => write!(json, "{}", string(text)),
    };
}

/// JSON has no such numbers; PostgreSQL reads these texts.
fn special(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn string(text: &str) -> String {
    serde_json::to_string(text).expect("a string is JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Column {
        Column {
            name: name.into(),
            data_type: "text".into(),
        }
    }

    #[test]
    fn rows_become_objects_without_loss() {
        let answer = RowSet {
            columns: ["a", "b", "c", "d", "e", "f"].map(column).into(),
            rows: vec![vec![
                DbValue::Int64(i64::MAX),
                DbValue::Text("\"\n𝄞".into()),
                DbValue::Binary(vec![0, 255]),
                DbValue::Json("{\"n\": 1.50}".into()),
                DbValue::Float32(0.1),
                DbValue::Float64(f64::NEG_INFINITY),
            ]],
            affected: 1,
        };
        assert_eq!(
            answer.to_json(),
            r#"[{"a":9223372036854775807,"b":"\"\n𝄞","c":"\\x00ff","d":{"n": 1.50},"e":0.1,"f":"-Infinity"}]"#
        );
    }

    #[test]
    fn equal_names_get_numbers() {
        assert_eq!(
            names(&["id", "id", "id_2", "id"].map(column)),
            ["id", "id_3", "id_2", "id_4"]
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let rows = crate::testing::rows(serde_json::json!([{"n": 1}, {"n": "x"}]));
        assert_eq!(
            rows.clone().into::<Row>().unwrap_err().message(),
            "rows[1].n: invalid type: string \"x\", expected u8"
        );
        assert_eq!(rows.first::<Row>().unwrap(), Some(Row { n: 1 }));
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Row {
        n: u8,
    }
}
