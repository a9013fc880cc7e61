//! PostgreSQL's answers, as a case has them.

#![expect(
    clippy::result_large_err,
    reason = "the error is generated from the WIT"
)]

use serde_json::{Map, Value};

use super::scene::Scene;
use crate::capabilities::postgres::{Answer, Call};
use crate::cli::judge::text;
use crate::wit::noetl::tool::postgres::{Column, DbError, DbValue, Error, ParameterValue, RowSet};
use crate::yaml::{Node, Report, find};

/// A statement that is foreseen, and its answer.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Any, if there is none.
    statement: Option<String>,
    /// Any, if there are none.
    params: Option<Vec<Value>>,
    answer: Result<Vec<Map<String, Value>>, (String, String)>,
}

impl Statement {
    /// Reads an item of a case's `postgres`.
    pub fn read(report: &mut Report, node: &Node, field: &str) -> Option<Self> {
        let entries = report.mapping(node, field)?;
        let known = ["statement", "params", "rows", "error"];
        report.unknown_fields(entries, &known, &format!("{field}."));
        let params = find(entries, "params").and_then(|entry| {
            let list = report.list(&entry.value, &format!("{field}.params"))?;
            Some(list.iter().map(Node::to_json).collect())
        });
        let mut rows = Vec::new();
        if let Some(entry) = find(entries, "rows") {
            let list = report.list(&entry.value, &format!("{field}.rows"));
            for (index, row) in list.unwrap_or_default().iter().enumerate() {
                if let Some(row) = report.mapping(row, &format!("{field}.rows[{index}]")) {
                    rows.push(crate::yaml::entries_to_json(row));
                }
            }
        }
        let error = find(entries, "error").map(|entry| {
            let field = format!("{field}.error");
            let entries = report.mapping(&entry.value, &field).unwrap_or_default();
            report.unknown_fields(entries, &["code", "message"], &format!("{field}."));
            let mut of = |key| text(report, entries, key, &field);
            (
                of("code").unwrap_or_else(|| "XX000".into()),
                of("message").unwrap_or_default(),
            )
        });
        Some(Self {
            statement: text(report, entries, "statement", field),
            params,
            answer: match error {
                Some(error) => Err(error),
                None => Ok(rows),
            },
        })
    }

    /// Why this is not the statement that the tool sent.
    fn difference(&self, statement: &str, params: &[ParameterValue]) -> Option<String> {
        if let Some(expected) = &self.statement
            && expected.trim() != statement.trim()
        {
            return Some(format!(
                "the tool sent another statement\n- {}\n+ {}",
                expected.trim(),
                statement.trim()
            ));
        }
        let params: Vec<Value> = params.iter().map(parameter).collect();
        match &self.params {
            Some(expected) if *expected != params => Some(format!(
                "the tool sent other parameters with `{}`\n- {}\n+ {}",
                statement.trim(),
                Value::from(expected.clone()),
                Value::from(params),
            )),
            _ => None,
        }
    }

    fn answer(self) -> Result<RowSet, Error> {
        match self.answer {
            Ok(rows) => Ok(row_set(rows)),
            Err((code, message)) => Err(Error::QueryFailed(DbError {
                code,
                severity: "ERROR".into(),
                message,
                detail: None,
                hint: None,
                constraint: None,
                table: None,
                column: None,
                position: None,
            })),
        }
    }
}

/// Answers a call of the tool.
pub fn call(scene: &Scene, call: Call) -> Result<Answer, Error> {
    match call {
        Call::Open { credential } => match scene.rights().postgres(&credential) {
            Ok(()) => Ok(Answer::Handle(scene.handle())),
            Err(why) => Err(Error::AccessDenied(why)),
        },
        Call::Begin { .. } => Ok(Answer::Handle(scene.handle())),
        Call::Query {
            statement, params, ..
        }
        | Call::QueryIn {
            statement, params, ..
        } => query(scene, &statement, &params).map(Answer::Rows),
        Call::CopyIn { .. } => {
            scene.fault("the tool copies rows into a table, which a case can't foresee".into());
            Err(Error::Other("a case has no answer to this".into()))
        }
        Call::Commit { .. }
        | Call::Rollback { .. }
        | Call::CloseConnection { .. }
        | Call::CloseTransaction { .. } => Ok(Answer::Done),
    }
}

fn query(scene: &Scene, statement: &str, params: &[ParameterValue]) -> Result<RowSet, Error> {
    let Some(next) = scene.next_statement() else {
        let fault = format!(
            "the case has no answer to the statement\n+ {}",
            statement.trim()
        );
        scene.fault(fault);
        return Err(Error::Other("the case has no answer to this".into()));
    };
    match next.difference(statement, params) {
        None => next.answer(),
        Some(difference) => {
            scene.fault(difference);
            Err(Error::Other("the case foresees another statement".into()))
        }
    }
}

/// A parameter as a case writes it.
fn parameter(value: &ParameterValue) -> Value {
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| text.into());
    match value {
        ParameterValue::Null => Value::Null,
        ParameterValue::Boolean(value) => (*value).into(),
        ParameterValue::Int64(value) => (*value).into(),
        ParameterValue::Float64(value) => (*value).into(),
        ParameterValue::Numeric(text)
        | ParameterValue::Text(text)
        | ParameterValue::Literal(text) => text.as_str().into(),
        ParameterValue::Binary(bytes) => format!("\\x{}", hex::encode(bytes)).into(),
        ParameterValue::Jsonb(text) | ParameterValue::Document(text) => json(text),
    }
}

/// The rows as PostgreSQL would send them; the columns are those that any row has.
fn row_set(rows: Vec<Map<String, Value>>) -> RowSet {
    let mut columns: Vec<Column> = Vec::new();
    for (name, value) in rows.iter().flatten() {
        let data_type = data_type(value);
        match columns.iter_mut().find(|column| column.name == *name) {
            Some(column) if column.data_type.is_empty() => column.data_type = data_type.into(),
            Some(_) => {}
            None => columns.push(Column {
                name: name.clone(),
                data_type: data_type.into(),
            }),
        }
    }
    for column in &mut columns {
        if column.data_type.is_empty() {
            column.data_type = "text".into();
        }
    }
    RowSet {
        affected: rows.len() as u64,
        rows: rows
            .into_iter()
            .map(|mut row| {
                let of = |column: &Column| row.remove(&column.name).map_or(DbValue::Null, db_value);
                columns.iter().map(of).collect()
            })
            .collect(),
        columns,
    }
}

/// Empty if the value does not tell.
fn data_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int8",
        Value::Number(_) => "float8",
        Value::String(_) => "text",
        Value::Array(_) | Value::Object(_) => "jsonb",
    }
}

fn db_value(value: Value) -> DbValue {
    match value {
        Value::Null => DbValue::Null,
        Value::Bool(value) => DbValue::Boolean(value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => DbValue::Int64(number),
            None => DbValue::Float64(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => DbValue::Text(text),
        json => DbValue::Json(json.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_have_the_columns_of_all() {
        let rows = json!([{"n": null}, {"n": 1, "tags": ["a"]}, {"name": "x"}]);
        let rows = serde_json::from_value(rows).unwrap();
        let set = row_set(rows);
        let columns: Vec<_> = set
            .columns
            .iter()
            .map(|column| (&*column.name, &*column.data_type))
            .collect();
        assert_eq!(
            columns,
            [("n", "int8"), ("tags", "jsonb"), ("name", "text")]
        );
        assert!(matches!(
            &set.rows[1][..],
            [DbValue::Int64(1), DbValue::Json(tags), DbValue::Null] if tags == "[\"a\"]"
        ));
    }

    #[test]
    fn a_statement_and_its_parameters_are_compared() {
        let foreseen = Statement {
            statement: Some("SELECT $1\n".into()),
            params: Some(vec![json!({"a": 1}), json!("x")]),
            answer: Ok(Vec::new()),
        };
        let params = [
            ParameterValue::Document("{\"a\":1}".into()),
            ParameterValue::Text("x".into()),
        ];
        assert_eq!(foreseen.difference(" SELECT $1", &params), None);
        assert!(foreseen.difference("SELECT $2", &params).is_some());
        assert!(foreseen.difference("SELECT $1", &params[..1]).is_some());
    }
}
