//! What the statements gave, as the step's `result.data`.
//!
//! ```json
//! {"command_1": [{"id": 1}], "statements": [{"rows": [{"id": 1}], "row_count": 1,
//!  "columns": [{"name": "id", "type": "int4"}]}]}
//! ```
//!
//! The JSON is written as text, so that no number and no json value of the
//! database is changed on its way.

use std::fmt::Write;

use noetl_tool::postgres::RowSet;
use noetl_tool::serde_json::value::RawValue;
use noetl_tool::serde_json::{self, json};

pub fn output(answers: &[RowSet]) -> serde_json::Result<Box<RawValue>> {
    let mut data = String::from("{");
    let mut statements = String::new();
    for (index, answer) in answers.iter().enumerate() {
        let rows = answer.to_json();
        let _ = write!(data, "\"command_{}\":{rows},", index + 1);
        if index > 0 {
            statements.push(',');
        }
        let _ = write!(
            statements,
            "{{\"rows\":{rows},\"row_count\":{},\"columns\":{}}}",
            answer.affected,
            columns(answer)
        );
    }
    let _ = write!(data, "\"statements\":[{statements}]}}");
    RawValue::from_string(data)
}

fn columns(answer: &RowSet) -> serde_json::Value {
    answer
        .names()
        .iter()
        .zip(&answer.columns)
        .map(|(name, column)| json!({"name": name, "type": column.data_type}))
        .collect()
}
