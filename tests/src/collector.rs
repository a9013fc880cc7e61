//! An OpenTelemetry collector: takes OTLP over HTTP and keeps the spans.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use prost::Message;

use crate::service::serve;

/// A running collector, on a free port.
pub struct Collector {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    spans: Spans,
}

type Spans = Arc<Mutex<Vec<Span>>>;

/// A span that was received.
#[derive(Debug, Clone)]
pub struct Span {
    /// Its trace, in hex.
    pub trace: String,
    /// Its own id, in hex.
    pub id: String,
    /// Its parent's id, in hex; empty without one.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// Its attributes, as texts.
    pub attributes: BTreeMap<String, String>,
    /// Those of the service that sent it.
    pub resource: BTreeMap<String, String>,
    /// Whether it says that it failed.
    pub failed: bool,
}

impl Collector {
    /// Starts it.
    pub async fn start() -> Self {
        let spans = Spans::default();
        let router = Router::new()
            .route("/v1/traces", post(receive))
            .with_state(Arc::clone(&spans));
        let url = format!("http://{}", serve(|_| router).await);
        Self { url, spans }
    }

    /// What has come so far.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("no panic while held").clone()
    }

    /// The spans of a trace, once one of them has this name.
    pub async fn trace(&self, trace: &str, name: &str) -> Vec<Span> {
        for _ in 0..600 {
            let spans = self.spans();
            let of_trace: Vec<Span> = spans.into_iter().filter(|s| s.trace == trace).collect();
            if of_trace.iter().any(|span| span.name == name) {
                return of_trace;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no span `{name}` of {trace} came: {:#?}", self.spans());
    }
}

async fn receive(State(spans): State<Spans>, headers: HeaderMap, body: Bytes) -> StatusCode {
    assert_eq!(headers["content-type"], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    for of_resource in request.resource_spans {
        let resource = attributes(of_resource.resource.unwrap_or_default().attributes);
        let sent = of_resource.scope_spans.into_iter().flat_map(|s| s.spans);
        let received = sent.map(|span| Span {
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            name: span.name,
            attributes: attributes(span.attributes),
            resource: resource.clone(),
            failed: span
                .status
                .is_some_and(|status| status.code() == SpanStatus::Error),
        });
        spans.lock().expect("no panic while held").extend(received);
    }
    StatusCode::OK
}

fn attributes(list: Vec<KeyValue>) -> BTreeMap<String, String> {
    list.into_iter()
        .map(|KeyValue { key, value, .. }| (key, text(value)))
        .collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
