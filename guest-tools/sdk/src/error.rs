use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::bindings::noetl::tool::types;
use crate::{http, postgres};

/// Why a tool has no result.
///
/// ```
/// use noetl_tool::Error;
/// use serde_json::json;
///
/// let error = Error::failed("quota", "the account has no requests left")
///     .code("E42")
///     .details(json!({"resets_in": 60}));
/// assert_eq!(error.category(), "failed");
/// ```
///
/// The errors of [`postgres`] and [`http`](crate::http), and those of serde_json,
/// turn into one with `?`.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The configuration or the arguments are not what the tool needs.
    InvalidInput(String),
    /// The step's grant does not allow what the tool asked for.
    Denied(String),
    /// The tool did its work, and the work failed.
    Failed(Failure),
    /// Something outside took longer than the step may.
    Timeout(String),
    /// A limit of the step was reached. Names the limit and its value.
    Limit(String),
}

/// Work that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// What failed, for programs: `http_status`.
    pub kind: String,
    /// What failed, for people.
    pub message: String,
    /// A code from a standard, if there is one: an SQLSTATE, a status.
    pub code: Option<String>,
    /// More about it, as a JSON object.
    pub details: Option<Value>,
}

impl Error {
    /// The configuration or the arguments are not what the tool needs. The message
    /// names the field.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::InvalidInput(message.into())
    }

    /// What the tool asked for is not allowed.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::Denied(message.into())
    }

    /// The work failed: what, for programs and for people.
    pub fn failed(kind: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::Failed(Failure {
            kind: kind.into(),
            message: message.to_string(),
            code: None,
            details: None,
        })
    }

    /// It took too long.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::Timeout(message.into())
    }

    /// A limit was reached. The message names the limit and its value.
    pub fn limit(message: impl Into<String>) -> Self {
        Self::Limit(message.into())
    }

    /// The same with a code. Only a [failure](Self::failed) has one.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        if let Self::Failed(failure) = &mut self {
            failure.code = Some(code.into());
        }
        self
    }

    /// The same with more about it: a JSON object. Only a [failure](Self::failed)
    /// has it, and only what is a JSON object is kept.
    #[must_use]
    pub fn details(mut self, details: impl Serialize) -> Self {
        if let Self::Failed(failure) = &mut self {
            failure.details = serde_json::to_value(details).ok().filter(Value::is_object);
        }
        self
    }

    /// `invalid_input`, `denied`, `failed`, `timeout` or `limit`, as in a tool's
    /// test cases.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "invalid_input",
            Self::Denied(_) => "denied",
            Self::Failed(_) => "failed",
            Self::Timeout(_) => "timeout",
            Self::Limit(_) => "limit",
        }
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Failed(failure) => &failure.message,
            Self::InvalidInput(message)
            | Self::Denied(message)
            | Self::Timeout(message)
            | Self::Limit(message) => message,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::failed("json", error)
    }
}

impl From<http::Error> for Error {
    fn from(error: http::Error) -> Self {
        match error {
            http::Error::Denied(message) => Self::Denied(message),
            http::Error::InvalidRequest(message) => Self::InvalidInput(message),
            http::Error::Timeout(message) => Self::Timeout(message),
            http::Error::Limit(message) => Self::Limit(message),
            http::Error::ConnectionFailed(message) | http::Error::Other(message) => {
                Self::failed("http", message)
            }
        }
    }
}

impl From<postgres::Error> for Error {
    fn from(error: postgres::Error) -> Self {
        match error {
            postgres::Error::AccessDenied(message) => Self::Denied(message),
            postgres::Error::BadParameter(message) | postgres::Error::InvalidState(message) => {
                Self::InvalidInput(message)
            }
            postgres::Error::Timeout(message) => Self::Timeout(message),
            postgres::Error::Limit(message) => Self::Limit(message),
            postgres::Error::ConnectionFailed(message)
            | postgres::Error::ValueConversionFailed(message)
            | postgres::Error::Other(message) => Self::failed("postgres", message),
            postgres::Error::QueryFailed(error) => {
                Self::failed("postgres", format!("{}: {}", error.severity, error.message))
                    .code(&error.code)
                    .details(details(error))
            }
        }
    }
}

fn details(error: postgres::DbError) -> Value {
    let fields = [
        ("detail", error.detail.map(Value::from)),
        ("hint", error.hint.map(Value::from)),
        ("constraint", error.constraint.map(Value::from)),
        ("table", error.table.map(Value::from)),
        ("column", error.column.map(Value::from)),
        ("position", error.position.map(Value::from)),
    ];
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

impl From<Error> for types::ToolError {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidInput(message) => Self::InvalidInput(message),
            Error::Denied(message) => Self::Denied(message),
            Error::Timeout(message) => Self::Timeout(message),
            Error::Limit(message) => Self::Limit(message),
            Error::Failed(failure) => Self::Failed(types::Failure {
                kind: failure.kind,
                message: failure.message,
                code: failure.code,
                details: failure.details.map(|details| details.to_string()),
            }),
        }
    }
}
