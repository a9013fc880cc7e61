//! The interface's errors as those of a tool.

use serde_json::{Map, Value, json};

use crate::bindings::ToolError;
use crate::bindings::noetl::tool::postgres::{DbError, Error};
use crate::bindings::noetl::tool::types::Failure;

/// Which statement of the script failed.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// From 1.
    pub number: usize,
    pub total: usize,
}

pub fn of(error: Error, place: Option<Place>) -> ToolError {
    let located = |message: String| match place {
        Some(Place { number, total }) if total > 1 => {
            format!("{message} (in statement {number} of {total}; all are undone)")
        }
        _ => message,
    };
    let failed = |message: String| {
        ToolError::Failed(Failure {
            kind: "postgres".into(),
            message: located(message),
            code: None,
            details: place.map(|place| json!({ "statement": place.number }).to_string()),
        })
    };
    match error {
        Error::AccessDenied(message) => ToolError::Denied(message),
        Error::BadParameter(message) | Error::InvalidState(message) => {
            ToolError::InvalidInput(located(message))
        }
        Error::Timeout(message) => ToolError::Timeout(located(message)),
        Error::Limit(message) => ToolError::Limit(located(message)),
        Error::ConnectionFailed(message)
        | Error::ValueConversionFailed(message)
        | Error::Other(message) => failed(message),
        Error::QueryFailed(error) => ToolError::Failed(Failure {
            kind: "postgres".into(),
            message: located(format!("{}: {}", error.severity, error.message)),
            code: Some(error.code.clone()),
            details: Some(details(error, place)),
        }),
    }
}

fn details(error: DbError, place: Option<Place>) -> String {
    let mut details = Map::new();
    let texts = [
        ("detail", error.detail),
        ("hint", error.hint),
        ("constraint", error.constraint),
        ("table", error.table),
        ("column", error.column),
    ];
    for (key, text) in texts {
        if let Some(text) = text {
            details.insert(key.into(), text.into());
        }
    }
    if let Some(position) = error.position {
        details.insert("position".into(), position.into());
    }
    if let Some(place) = place {
        details.insert("statement".into(), place.number.into());
    }
    Value::Object(details).to_string()
}
