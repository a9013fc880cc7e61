//! What the playbook says of the step, as the engine hands it over.

use noetl_tool::postgres::ParameterValue;
use noetl_tool::serde::Deserialize;

/// `invocation.config`.
#[derive(Debug, Deserialize)]
#[serde(crate = "noetl_tool::serde")]
pub struct Config {
    /// The credential's alias.
    pub credential: String,
    #[serde(flatten)]
    pub work: Work,
}

/// What the step does there.
#[derive(Debug, Deserialize)]
#[serde(crate = "noetl_tool::serde", rename_all = "snake_case")]
pub enum Work {
    /// Runs a script, split.
    Statements(Vec<Statement>),
    /// Stores the rows that are in the arguments.
    Copy(Target),
}

/// Where rows go.
#[derive(Debug, Deserialize)]
#[serde(crate = "noetl_tool::serde")]
pub struct Target {
    /// The table's name, after its schema's if that is named.
    pub table: Vec<String>,
    /// The columns whose values say which row of the table a row replaces. Without
    /// any, all rows are new.
    #[serde(default)]
    pub key: Vec<String>,
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
