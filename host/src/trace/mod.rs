//! Traces: which request led to which execution, step and statement.
//!
//! Spans are those of `tracing`, which the log has too. Where an OpenTelemetry
//! collector is named, [`Exporter`] sends them there; where none is, nothing is
//! collected and nothing sent.

mod context;
mod export;

/// What the log's filter has to let through so that a trace has each call of a step.
pub const CALLS: &str = "noetl::host_call=debug";

pub use context::{continue_from, traceparent};
pub use export::Exporter;
