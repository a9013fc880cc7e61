//! An execution as a span, and as a number in the metrics.

use std::time::Instant;

use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::execution::failed;
use super::{Execution, Outcome};
use crate::metrics::Metrics;
use crate::store::RecordError;
use crate::visible::visible;

/// An execution that is being run, or was: however it ends, it counts.
pub(super) struct Watched<'a> {
    metrics: &'a Metrics,
    tenant: String,
    span: Span,
    started: Instant,
    status: &'static str,
}

impl<'a> Watched<'a> {
    /// It begins now.
    pub fn new(metrics: &'a Metrics, execution: &Execution) -> Self {
        let path = visible(&execution.plan.playbook.path);
        Self {
            metrics,
            tenant: execution.tenant.clone(),
            span: tracing::error_span!(
                "execution",
                otel.name = format!("execute {path}"),
                execution_id = %execution.id,
                tenant = visible(&execution.tenant),
                playbook = path,
                version = execution.version,
                otel.status_code = Empty,
                error.r#type = Empty,
            ),
            started: Instant::now(),
            // If it breaks, nobody says so.
            status: "failed",
        }
    }

    /// Runs it.
    pub async fn run(
        mut self,
        running: impl Future<Output = Result<Outcome, RecordError>>,
    ) -> Result<Outcome, RecordError> {
        let outcome = running.instrument(self.span.clone()).await;
        match &outcome {
            Ok(outcome) => match &outcome.failure {
                None => self.status = "success",
                Some(failure) => {
                    self.status = failed(&failure.error);
                    self.fail(failure.error.category.as_str());
                }
            },
            Err(_) => self.fail("store"),
        }
        outcome
    }

    fn fail(&mut self, kind: &str) {
        self.span.record("otel.status_code", "ERROR");
        self.span.record("error.type", kind);
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.metrics
            .execution(&self.tenant, self.status, self.started.elapsed());
    }
}
