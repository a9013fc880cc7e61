//! Sends spans to a collector, as OTLP over HTTP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;
use std::time::Duration;
use std::{env, fmt};

use anyhow::bail;
use opentelemetry::Key;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

/// The variable that names a collector's route for traces alone, as it is.
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// How long the last spans may take when the server ends.
const FLUSH: Duration = Duration::from_secs(5);

/// Collects spans and sends them, some at a time.
#[derive(Debug)]
pub struct Exporter(SdkTracerProvider);

impl Exporter {
    /// To the collector at `endpoint`, or the one that the environment names for
    /// traces. `None` if there is none. Must be called inside of the runtime.
    ///
    /// # Errors
    /// The collector's address can't be used.
    pub fn start(endpoint: Option<&str>) -> anyhow::Result<Option<Self>> {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let off = |name, off: &str| set(name).is_some_and(|value| value.eq_ignore_ascii_case(off));
        let own = set(TRACES_ENDPOINT);
        if endpoint.is_none() && own.is_none()
            || off("OTEL_SDK_DISABLED", "true")
            || off("OTEL_TRACES_EXPORTER", "none")
        {
            return Ok(None);
        }
        let mut builder = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary);
        match (&own, endpoint) {
            (Some(url), _) => check(url, TRACES_ENDPOINT)?,
            (None, Some(url)) => {
                check(url, "the OTLP endpoint")?;
                builder = builder.with_endpoint(format!("{}/v1/traces", url.trim_end_matches('/')));
            }
            (None, None) => {}
        }
        let exporter = OnRuntime {
            exporter: builder.build()?,
            runtime: Handle::current(),
            failing: AtomicBool::new(false),
        };
        let provider = SdkTracerProvider::builder()
            .with_resource(resource())
            .with_batch_exporter(exporter)
            .build();
        Ok(Some(Self(provider)))
    }

    /// The layer that collects the spans that it is given, with the log's lines in
    /// them.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(env!("CARGO_PKG_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
    }

    /// Sends what has been collected. Blocks.
    pub fn stop(self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH) {
            tracing::warn!(%error, "the last spans of traces could not be sent");
        }
    }
}

fn check(url: &str, name: &str) -> anyhow::Result<()> {
    let parsed = url::Url::parse(url).ok();
    let Some(url) = parsed.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        bail!("{name} is not the URL of a collector, such as http://127.0.0.1:4318");
    };
    if !url.username().is_empty() || url.password().is_some() {
        bail!(
            "{name} has a password in it; give what the collector asks for with \
             OTEL_EXPORTER_OTLP_HEADERS"
        );
    }
    Ok(())
}

/// What the environment says of this service, with the program's name for it
/// unless there is another.
fn resource() -> Resource {
    let name = Key::from_static_str("service.name");
    let named = Resource::builder_empty()
        .with_detector(Box::new(
            opentelemetry_sdk::resource::EnvResourceDetector::new(),
        ))
        .build();
    let mut resource = Resource::builder().with_attribute(opentelemetry::KeyValue::new(
        "service.version",
        env!("CARGO_PKG_VERSION"),
    ));
    if env::var("OTEL_SERVICE_NAME").is_err() && named.get(&name).is_none() {
        resource = resource.with_service_name(env!("CARGO_PKG_NAME"));
    }
    resource.build()
}

/// The exporter on the runtime that its HTTP client needs. The thread that sends
/// batches is the SDK's own, which is no part of it.
struct OnRuntime<E> {
    exporter: E,
    runtime: Handle,
    failing: AtomicBool,
}

impl<E> fmt::Debug for OnRuntime<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnRuntime").finish_non_exhaustive()
    }
}

impl<E: SpanExporter> SpanExporter for OnRuntime<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut export = Box::pin(self.exporter.export(batch));
        let sent = std::future::poll_fn(|cx: &mut Context<'_>| {
            let _inside = self.runtime.enter();
            export.as_mut().poll(cx)
        })
        .await;
        // Once for each time that the collector goes away.
        match &sent {
            Ok(()) => self.failing.store(false, Ordering::Relaxed),
            Err(error) if !self.failing.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "spans of traces can't be sent; they are dropped");
            }
            Err(_) => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
