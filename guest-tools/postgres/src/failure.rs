//! The interface's errors as those of a step.

use noetl_tool::serde_json::{Value, json};
use noetl_tool::{Error, Failure, postgres};

/// Which statement of the script failed.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// From 1.
    pub number: usize,
    pub total: usize,
}

pub fn of(error: postgres::Error, place: Option<Place>) -> Error {
    let error = Error::from(error);
    let Some(place) = place else {
        return error;
    };
    match error {
        Error::Denied(message) => Error::Denied(message),
        Error::InvalidInput(message) => Error::InvalidInput(located(message, place)),
        Error::Timeout(message) => Error::Timeout(located(message, place)),
        Error::Limit(message) => Error::Limit(located(message, place)),
        Error::Failed(failure) => Error::Failed(Failure {
            message: located(failure.message, place),
            details: Some(details(failure.details, place)),
            ..failure
        }),
    }
}

fn located(message: String, Place { number, total }: Place) -> String {
    match total {
        1 => message,
        _ => format!("{message} (in statement {number} of {total}; all are undone)"),
    }
}

fn details(details: Option<Value>, place: Place) -> Value {
    let mut details = details.unwrap_or_else(|| json!({}));
    details["statement"] = place.number.into();
    details
}
