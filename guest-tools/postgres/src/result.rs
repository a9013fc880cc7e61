//! What the statements gave, as the step's `result.data`.
//!
//! ```json
//! {"command_1": [{"id": 1}], "statements": [{"rows": [{"id": 1}], "row_count": 1,
//!  "columns": [{"name": "id", "type": "int4"}]}]}
//! ```
//!
//! The JSON is written as text, so that no number and no json value of the
//! database is changed on its way.

use std::collections::HashSet;
use std::fmt::Write;

use crate::bindings::Output;
use crate::bindings::noetl::tool::postgres::{Column, DbValue, RowSet};

pub fn output(answers: &[RowSet]) -> Output {
    let mut data = String::from("{");
    let mut statements = String::new();
    for (index, answer) in answers.iter().enumerate() {
        let rows = rows(answer);
        let _ = write!(data, "\"command_{}\":{rows},", index + 1);
        if index > 0 {
            statements.push(',');
        }
        let _ = write!(
            statements,
            "{{\"rows\":{rows},\"row_count\":{},\"columns\":{}}}",
            answer.affected,
            columns(&answer.columns)
        );
    }
    let _ = write!(data, "\"statements\":[{statements}]}}");
    Output { data }
}

fn rows(answer: &RowSet) -> String {
    let keys: Vec<String> = names(&answer.columns)
        .iter()
        .map(|name| string(name))
        .collect();
    let mut json = String::from("[");
    for (index, row) in answer.rows.iter().enumerate() {
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

fn columns(columns: &[Column]) -> String {
    let written = names(columns);
    let all: Vec<String> = written
        .iter()
        .zip(columns)
        .map(|(name, column)| {
            format!(
                "{{\"name\":{},\"type\":{}}}",
                string(name),
                string(&column.data_type)
            )
        })
        .collect();
    format!("[{}]", all.join(","))
}

/// The columns' names. A second `id` is called `id_2`, so that no value is lost.
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
            rows(&answer),
            r#"[{"a":9223372036854775807,"b":"\"\n𝄞","c":"\\x00ff","d":{"n": 1.50},"e":0.1,"f":"-Infinity"}]"#
        );
        serde_json::from_str::<serde_json::Value>(&output(&[answer]).data).unwrap();
    }

    #[test]
    fn equal_names_get_numbers() {
        assert_eq!(
            names(&["id", "id", "id_2", "id"].map(column)),
            ["id", "id_3", "id_2", "id_4"]
        );
    }
}
