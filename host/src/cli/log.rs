//! Where the program's messages and spans go.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::trace::{self, Exporter};

/// How the server tells what happens inside of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Telemetry")]
pub struct TelemetryOptions {
    /// Also serves /metrics and /health on this address, and until the very end
    #[arg(long, env = "NOETL_METRICS_LISTEN", value_name = "ADDRESS")]
    pub metrics_listen: Option<String>,
    /// How log lines are written to stderr
    #[arg(
        long,
        env = "NOETL_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: LogFormat,
    /// Sends traces to this OpenTelemetry collector, by OTLP over HTTP [example: http://127.0.0.1:4318]
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object in each line
    Json,
}

/// Starts the log of a command, with messages of this level: `NOETL_LOG` may choose
/// others.
pub fn start(level: &str, format: LogFormat, exporter: Option<&Exporter>) {
    let filter = EnvFilter::try_from_env("NOETL_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    // Never, whatever is chosen: what sqlx says of a URL that it does not
    // understand quotes it, and notices of PostgreSQL are the playbooks' words.
    let quiet = ["sqlx_postgres::options=off", "sqlx::postgres::notice=off"];
    // The log needs no span for each call of a step, but a trace does.
    let traced = exporter.map(|_| trace::CALLS);
    let filter = quiet
        .into_iter()
        .chain(traced)
        .fold(filter, |filter, more| {
            filter.add_directive(more.parse().expect("a constant directive"))
        });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    // One filter for all: filters of single layers leave their state behind where
    // nobody wants what was asked for, and then lose the next span.
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(exporter.map(Exporter::layer))
        .init();
}
