//! The interface's errors as those of a step.

use noetl_tool::serde_json::{Value, json};
use noetl_tool::{Error, Failure, postgres};

/// Where it went wrong.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a statement of the script.
    Statement {
        /// From 1.
        number: usize,
        total: usize,
    },
    /// In one of the rows.
    Row {
        /// From 1.
        number: usize,
        column: Option<String>,
    },
}

pub fn of(error: postgres::Error, place: Option<Place>) -> Error {
    let error = Error::from(error);
    let Some(place) = place else {
        return error;
    };
    match error {
        Error::Denied(message) => Error::Denied(message),
        Error::InvalidInput(message) => Error::InvalidInput(place.located(message)),
        Error::Timeout(message) => Error::Timeout(place.located(message)),
        Error::Limit(message) => Error::Limit(place.located(message)),
        Error::Failed(failure) => Error::Failed(Failure {
            message: place.located(failure.message),
            details: Some(place.details(failure.details)),
            ..failure
        }),
    }
}

impl Place {
    fn located(&self, message: String) -> String {
        match self {
            Self::Statement { total: 1, .. } => message,
            Self::Statement { number, total } => {
                format!("{message} (in statement {number} of {total}; all are undone)")
            }
            Self::Row { number, column } => {
                let column = column.as_ref().map(|column| format!(", column `{column}`"));
                let column = column.unwrap_or_default();
                format!("{message} (in row {number}{column}; no row was stored)")
            }
        }
    }

    fn details(self, details: Option<Value>) -> Value {
        let mut details = details.unwrap_or_else(|| json!({}));
        match self {
            Self::Statement { number, .. } => details["statement"] = number.into(),
            Self::Row { number, column } => {
                details["row"] = number.into();
                if let Some(column) = column {
                    details["column"] = column.into();
                }
            }
        }
        details
    }
}
