//! What is told of a call in traces and metrics.

use tracing::Span;
use tracing::field::Empty;
use url::Url;

use super::call::{Answer, Call, Error, Request};
use crate::capabilities::observed::{TARGET, is_traced};
use crate::visible::visible;

/// A call with what it is about. Of the URL only the host: there may be a secret in
/// the rest of it.
pub(in crate::capabilities) fn span(call: &Call) -> Span {
    if !is_traced() {
        return Span::none();
    }
    let kind = kind(call);
    let request = match call {
        Call::Send(request) => Some(request),
        Call::Read { .. } | Call::Close { .. } => None,
    };
    let method = request.map(method);
    let url = request.and_then(|request| Url::parse(&request.url).ok());
    let url = url.as_ref();
    tracing::debug_span!(
        target: TARGET,
        "host_call",
        otel.name = method.unwrap_or(kind),
        otel.kind = "client",
        http.request.method = method,
        server.address = url.and_then(Url::host_str),
        server.port = url.and_then(Url::port_or_known_default),
        call = kind,
        credential = request.and_then(|request| Some(visible(request.credential.as_ref()?))),
        http.response.status_code = Empty,
        otel.status_code = Empty,
        error.r#type = Empty,
    )
}

/// What the call is, by its name in the interface.
pub(in crate::capabilities) fn kind(call: &Call) -> &'static str {
    match call {
        Call::Send(_) => "http.send",
        Call::Read { .. } => "http.read",
        Call::Close { .. } => "http.close",
    }
}

/// How it went, in a word; the rest goes into the span.
pub(in crate::capabilities) fn outcome(
    answer: &Result<Answer, Error>,
    span: &Span,
) -> &'static str {
    match answer {
        Ok(Answer::Head(head)) => {
            span.record("http.response.status_code", head.status);
            "ok"
        }
        Ok(_) => "ok",
        Err(Error::Denied(_)) => "denied",
        Err(Error::InvalidRequest(_)) => "invalid_request",
        Err(Error::ConnectionFailed(_)) => "connection_failed",
        Err(Error::Timeout(_)) => "timeout",
        Err(Error::Limit(_)) => "limit",
        Err(Error::Other(_)) => "error",
    }
}

/// A method that everybody knows.
fn method(request: &Request) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == request.method);
    known.unwrap_or("_OTHER")
}
