//! What the playbook says of the step, as the engine hands it over.

use noetl_tool::postgres::ParameterValue;
use noetl_tool::serde::Deserialize;

/// `invocation.config`.
#[derive(Debug, Deserialize)]
#[serde(crate = "noetl_tool::serde")]
pub struct Config {
    /// The credential's alias.
    pub credential: String,
    /// The script, split.
    pub statements: Vec<Statement>,
}

/// One statement, with `$1` … for its parameters.
#[derive(Debug, Deserialize)]
#[serde(crate = "noetl_tool::serde")]
pub struct Statement {
    pub text: String,
    #[serde(default)]
    pub params: Vec<Parameter>,
}

/// `{"literal": "x"}`, `{"null": null}`, …
#[derive(Debug, Deserialize)]
#[serde(crate = "noetl_tool::serde")]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    Null,
    Boolean(bool),
    Int64(i64),
    Float64(f64),
    Numeric(String),
    Literal(String),
    Document(String),
}

impl From<Parameter> for ParameterValue {
    fn from(parameter: Parameter) -> Self {
        match parameter {
            Parameter::Null => Self::Null,
            Parameter::Boolean(value) => Self::Boolean(value),
            Parameter::Int64(value) => Self::Int64(value),
            Parameter::Float64(value) => Self::Float64(value),
            Parameter::Numeric(text) => Self::Numeric(text),
            Parameter::Literal(text) => Self::Literal(text),
            Parameter::Document(json) => Self::Document(json),
        }
    }
}
