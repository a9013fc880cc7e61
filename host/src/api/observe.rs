//! Each request as a span, and as a number in the metrics.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::request_id::RequestId;
use crate::metrics::Metrics;
use crate::trace;
use crate::visible::visible;

/// The header by which a client finds its request's trace.
const TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");
/// What stands for a route that does not exist.
const NO_ROUTE: &str = "none";

/// Lets the request be seen while it is answered, and counts it.
pub(super) async fn observe(
    State(metrics): State<Metrics>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let method = method(request.method());
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        None => NO_ROUTE.to_owned(),
    };
    let span = span(&request, method, &route);
    trace::continue_from(&span, request.headers());
    let answering = async {
        let mut response = next.run(request).await;
        let status = response.status();
        let span = Span::current();
        span.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        let trace = trace::traceparent().and_then(|trace| HeaderValue::try_from(trace).ok());
        if let Some(trace) = trace {
            response.headers_mut().insert(TRACE_RESPONSE, trace);
        }
        response
    };
    let response = answering.instrument(span).await;
    metrics.request(
        method,
        &route,
        response.status().as_u16(),
        started.elapsed(),
    );
    response
}

/// It is there whatever messages are chosen, since it says what they are about.
fn span(request: &Request, method: &'static str, route: &str) -> Span {
    let id = request.extensions().get::<RequestId>();
    tracing::error_span!(
        "request",
        request_id = id.map(RequestId::as_str),
        tenant = Empty,
        http.request.method = method,
        http.route = (route != NO_ROUTE).then_some(route),
        url.path = visible(request.uri().path()),
        http.response.status_code = Empty,
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
    )
}

/// The method, if it is one: a client may call it what it likes.
fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
