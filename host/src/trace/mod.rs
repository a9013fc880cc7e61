//! Traces: which request led to which execution, step and statement.
//!
//! Spans are those of `tracing`, which the log has too. Where an OpenTelemetry
//! collector is named, [`Exporter`] sends them there; where none is, nothing is
//! collected and nothing sent.

mod context;
mod export;

pub use context::{continue_from, traceparent};
pub use export::Exporter;
