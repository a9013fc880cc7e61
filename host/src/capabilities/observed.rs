//! Each call of a step as a span, and as a number in the metrics.

use std::time::Instant;

use async_trait::async_trait;
use tracing::{Instrument, Level};

use super::{Backend, Call, Reply, http, postgres};
use crate::metrics::Metrics;

/// The target of calls' spans.
pub(super) const TARGET: &str = "noetl::host_call";

/// Whether anybody looks at the spans.
pub(super) fn is_traced() -> bool {
    tracing::span_enabled!(target: TARGET, Level::DEBUG)
}

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
    async fn call(&mut self, call: Call) -> Reply {
        let (kind, span) = match &call {
            Call::Postgres(call) => (
                postgres::observed::kind(call),
                postgres::observed::span(call),
            ),
            Call::Http(call) => (http::observed::kind(call), http::observed::span(call)),
        };
        let started = Instant::now();
        let reply = self.backend.call(call).instrument(span.clone()).await;
        let outcome = match &reply {
            Reply::Postgres(answer) => postgres::observed::outcome(answer, &span),
            Reply::Http(answer) => http::observed::outcome(answer, &span),
        };
        if outcome != "ok" {
            span.record("otel.status_code", "ERROR");
            span.record("error.type", outcome);
        }
        self.metrics.host_call(kind, outcome, started.elapsed());
        reply
    }
}
