//! What is told of a call in traces and metrics.

use tracing::Span;
use tracing::field::Empty;

use super::call::{Answer, Call};
use crate::capabilities::observed::{TARGET, is_traced};
use crate::visible::visible;
use crate::wit::noetl::tool::postgres::Error;

/// A call with what it is about. Neither values nor the statement's text: who wrote
/// that may have put a secret into it.
pub(in crate::capabilities) fn span(call: &Call) -> Span {
    if !is_traced() {
        return Span::none();
    }
    let kind = kind(call);
    let (credential, operation) = match call {
        Call::Open { credential } => (Some(visible(credential)), None),
        Call::Query { statement, .. } | Call::QueryIn { statement, .. } => {
            (None, Some(operation(statement)))
        }
        Call::CopyIn { .. } => (None, Some("COPY".to_owned())),
        _ => (None, None),
    };
    tracing::debug_span!(
        target: TARGET,
        "host_call",
        otel.name = operation.as_deref().unwrap_or(kind),
        otel.kind = "client",
        db.system.name = "postgresql",
        db.operation.name = operation,
        call = kind,
        credential,
        db.response.status_code = Empty,
        otel.status_code = Empty,
        error.r#type = Empty,
    )
}

/// What the call is, by its name in the interface.
pub(in crate::capabilities) fn kind(call: &Call) -> &'static str {
    match call {
        Call::Open { .. } => "postgres.open",
        Call::Query { .. } | Call::QueryIn { .. } => "postgres.query",
        Call::CopyIn { .. } => "postgres.copy",
        Call::Begin { .. } => "postgres.begin",
        Call::Commit { .. } => "postgres.commit",
        Call::Rollback { .. } => "postgres.rollback",
        Call::CloseConnection { .. } | Call::CloseTransaction { .. } => "postgres.close",
    }
}

/// How it went, in a word; the rest goes into the span.
pub(in crate::capabilities) fn outcome(
    answer: &Result<Answer, Error>,
    span: &Span,
) -> &'static str {
    let error = match answer {
        Err(error) => error,
        Ok(Answer::Copied(Err(failed))) => &failed.error,
        Ok(_) => return "ok",
    };
    if let Error::QueryFailed(found) = error {
        span.record("db.response.status_code", visible(&found.code));
    }
    match error {
        Error::AccessDenied(_) => "denied",
        Error::Limit(_) => "limit",
        Error::Timeout(_) => "timeout",
        Error::ConnectionFailed(_) => "connection_failed",
        Error::QueryFailed(_) => "query_failed",
        Error::BadParameter(_) => "bad_parameter",
        Error::ValueConversionFailed(_) => "value_conversion_failed",
        Error::InvalidState(_) => "invalid_state",
        Error::Other(_) => "error",
    }
}

/// The statement's first word, if it could be an SQL command's.
fn operation(statement: &str) -> String {
    let scan = super::lexer::scan(statement);
    let word = scan.words.first().map_or("", String::as_str);
    match (1..=20).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphabetic()) {
        true => word.to_ascii_uppercase(),
        false => "_OTHER".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::operation;

    #[test]
    fn a_statement_is_named_by_its_first_word() {
        for (statement, name) in [
            ("select 1", "SELECT"),
            ("-- note\n /* more */ Insert INTO t VALUES ($1)", "INSERT"),
            ("(SELECT 1)", "SELECT"),
            ("'secret'", "_OTHER"),
            ("", "_OTHER"),
        ] {
            assert_eq!(operation(statement), name, "{statement}");
        }
    }
}
