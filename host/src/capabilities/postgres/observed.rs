//! Each call of a step as a span, and as a number in the metrics.

use std::time::Instant;

use async_trait::async_trait;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::call::{Answer, Backend, Call};
use crate::metrics::Metrics;
use crate::visible::visible;
use crate::wit::noetl::tool::postgres::Error;

/// Who answers a step's calls, watched.
pub struct Observed<'a> {
    backend: Box<dyn Backend>,
    metrics: &'a Metrics,
}

impl<'a> Observed<'a> {
    /// `backend`, watched.
    pub fn new(backend: Box<dyn Backend>, metrics: &'a Metrics) -> Self {
        Self { backend, metrics }
    }
}

#[async_trait]
impl Backend for Observed<'_> {
    async fn call(&mut self, call: Call) -> Result<Answer, Error> {
        let kind = kind(&call);
        let span = span(kind, &call);
        let started = Instant::now();
        let answer = self.backend.call(call).instrument(span.clone()).await;
        let outcome = match &answer {
            Ok(_) => "ok",
            Err(error) => {
                let outcome = outcome(error);
                span.record("otel.status_code", "ERROR");
                span.record("error.type", outcome);
                if let Error::QueryFailed(found) = error {
                    span.record("db.response.status_code", visible(&found.code));
                }
                outcome
            }
        };
        self.metrics.host_call(kind, outcome, started.elapsed());
        answer
    }
}

/// A call with what it is about. Neither values nor the statement's text: who wrote
/// that may have put a secret into it.
fn span(kind: &'static str, call: &Call) -> Span {
    if !tracing::span_enabled!(tracing::Level::DEBUG) {
        return Span::none();
    }
    let (credential, operation) = match call {
        Call::Open { credential } => (Some(visible(credential)), None),
        Call::Query { statement, .. } | Call::QueryIn { statement, .. } => {
            (None, Some(operation(statement)))
        }
        _ => (None, None),
    };
    tracing::debug_span!(
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
fn kind(call: &Call) -> &'static str {
    match call {
        Call::Open { .. } => "postgres.open",
        Call::Query { .. } | Call::QueryIn { .. } => "postgres.query",
        Call::Begin { .. } => "postgres.begin",
        Call::Commit { .. } => "postgres.commit",
        Call::Rollback { .. } => "postgres.rollback",
        Call::CloseConnection { .. } | Call::CloseTransaction { .. } => "postgres.close",
    }
}

fn outcome(error: &Error) -> &'static str {
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
