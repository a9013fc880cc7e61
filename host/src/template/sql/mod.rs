//! SQL templates: each expression becomes a bind parameter.
//!
//! The template is rendered with a marker in place of every expression, and
//! the values apart from it. A lexer then finds where each marker stands: in
//! the open it becomes `$n`; a literal around it becomes one parameter as a
//! whole, whose text is put together here and never read as SQL.

mod bind;
mod lexer;
mod literal;

use minijinja::value::Value;
use serde::{Deserialize, Serialize};

use self::bind::{Failure, Place};
use super::compiled::{Compiled, Reference, Undefined};
use super::environment::Ident;
use super::inspect::{Dialect, Path};
use super::{Scope, TemplateError};

/// One statement and its parameters; the text has `$1` … `$n`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// SQL.
    pub text: String,
    /// The values of `$1` … `$n`.
    pub params: Vec<Parameter>,
}

/// The value of a bind parameter. As JSON `{"literal": "x"}`, `{"null": null}`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "ParameterJson")]
pub enum Parameter {
    /// SQL NULL.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// An integer.
    Int64(i64),
    /// A double.
    Float64(f64),
    /// A decimal number as text.
    Numeric(String),
    /// Text of which PostgreSQL infers the type, as of a quoted literal.
    Literal(String),
    /// JSON text of a list or an object.
    Document(String),
}

/// The serde form: `null` is a variant with a value, so that every parameter is
/// an object with one key.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ParameterJson {
    Null(()),
    Boolean(bool),
    Int64(i64),
    Float64(f64),
    Numeric(String),
    Literal(String),
    Document(String),
}

impl From<Parameter> for ParameterJson {
    fn from(parameter: Parameter) -> Self {
        match parameter {
            Parameter::Null => ParameterJson::Null(()),
            Parameter::Boolean(value) => ParameterJson::Boolean(value),
            Parameter::Int64(value) => ParameterJson::Int64(value),
            Parameter::Float64(value) => ParameterJson::Float64(value),
            Parameter::Numeric(value) => ParameterJson::Numeric(value),
            Parameter::Literal(value) => ParameterJson::Literal(value),
            Parameter::Document(value) => ParameterJson::Document(value),
        }
    }
}

impl From<ParameterJson> for Parameter {
    fn from(parameter: ParameterJson) -> Self {
        match parameter {
            ParameterJson::Null(()) => Parameter::Null,
            ParameterJson::Boolean(value) => Parameter::Boolean(value),
            ParameterJson::Int64(value) => Parameter::Int64(value),
            ParameterJson::Float64(value) => Parameter::Float64(value),
            ParameterJson::Numeric(value) => Parameter::Numeric(value),
            ParameterJson::Literal(value) => Parameter::Literal(value),
            ParameterJson::Document(value) => Parameter::Document(value),
        }
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ParameterJson::deserialize(deserializer).map(Parameter::from)
    }
}

/// A query of a playbook.
#[derive(Debug, Clone)]
pub struct SqlTemplate {
    compiled: Compiled,
}

impl SqlTemplate {
    /// Compiles a script of one or more statements.
    ///
    /// # Errors
    /// Those of [`super::Template::compile`]; an expression where no parameter
    /// can stand; `$1` in the text; an unclosed literal; a script without any
    /// statement.
    pub fn compile(source: &str) -> Result<SqlTemplate, TemplateError> {
        let (compiled, paths) = Compiled::new(source, Dialect::Sql)?;
        let mut statements = 0;
        for path in &paths {
            let values: Vec<Value> = path
                .markers
                .iter()
                .map(|(_, ident)| example(*ident))
                .collect();
            statements += bind::statements(&path.text, &values)
                .map_err(|failure| static_error(source, path, failure))?
                .len();
        }
        if statements == 0 {
            return Err(TemplateError::new("the query holds no statement"));
        }
        Ok(SqlTemplate { compiled })
    }

    /// The script as written.
    #[must_use]
    pub fn source(&self) -> &str {
        self.compiled.source()
    }

    /// The names that it reads.
    #[must_use]
    pub fn references(&self) -> &[Reference] {
        &self.compiled.facts().references
    }

    /// The statements with their parameters, empty ones left out.
    ///
    /// # Errors
    /// A value that is undefined, whatever fails in an expression, and text
    /// with a NUL character, which PostgreSQL can't store.
    pub fn render(&self, scope: &Scope) -> Result<Vec<Statement>, TemplateError> {
        let (text, values) = self.compiled.run(scope, Undefined::Strict)?;
        bind::statements(&text, &values).map_err(|failure| self.failed(failure, values.len()))
    }

    fn failed(&self, failure: Failure, rendered: usize) -> TemplateError {
        let emits = &self.compiled.facts().emits;
        match failure.place {
            // Without branches and loops, the n-th value is of the n-th expression.
            Place::Marker(index) if emits.len() == rendered => with_hint(
                self.compiled.error_at(&emits[index], failure.message),
                failure.hint,
            ),
            _ => with_hint(TemplateError::new(failure.message), failure.hint),
        }
    }
}

fn example(ident: bool) -> Value {
    match ident {
        true => Value::from_object(Ident("name".to_owned())),
        false => Value::from("text"),
    }
}

fn static_error(source: &str, path: &Path, failure: Failure) -> TemplateError {
    let error = TemplateError::new(failure.message);
    let error = match failure.place {
        Place::Marker(index) => match path.markers.get(index) {
            Some((range, _)) => error
                .at(source, range.start)
                .expression(source.get(range.clone()).unwrap_or_default().trim()),
            None => error,
        },
        Place::Text(offset) => {
            let origin = path.origins.iter().rev().find(|(text, _)| *text <= offset);
            match origin {
                Some((text, from)) => error.at(source, from + (offset - text)),
                None => error,
            }
        }
    };
    with_hint(error, failure.hint)
}

fn with_hint(error: TemplateError, hint: String) -> TemplateError {
    match hint.is_empty() {
        true => error,
        false => error.hint(hint),
    }
}

#[cfg(test)]
mod tests;
