//! What the server counts and measures, for Prometheus.
//!
//! There is no global: whoever counts is handed a [`Metrics`]. What somebody else
//! keeps anyway, such as the length of a queue, is read when it is asked for
//! ([`Metrics::watch`]).

mod memory;
mod watch;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry};

pub use memory::memory;
pub use prometheus_text::CONTENT_TYPE;

/// What tells the values of one metric apart.
pub type Labels = Vec<(&'static str, String)>;

type Counters = Family<Labels, Counter>;
type Seconds = Family<Labels, Counter<f64, AtomicU64>>;
type Histograms = Family<Labels, Histogram, fn() -> Histogram>;

/// All that is counted and measured. Clones share it.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Mutex<Registry>,
    steps: Counters,
    step_duration: Histograms,
    step_wait: Histogram,
    step_memory: Histograms,
    step_cpu: Seconds,
    guest_calls: Counters,
    host_calls: Counters,
    host_call_duration: Histograms,
    executions: Counters,
    execution_duration: Histogram,
    components: Counters,
    component_load: Histograms,
    worker_starts: Counters,
    requests: Counters,
    request_duration: Histograms,
}

/// What a step has used, as it is measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepUse {
    /// From its turn to its end.
    pub duration: Duration,
    /// Until its turn.
    pub queued: Duration,
    /// What a processor worked for it.
    pub cpu: Duration,
    /// Its memory at its largest.
    pub memory_bytes: u64,
    /// Calls from its instance to the host.
    pub host_calls: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing is counted yet.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("noetl");
        let r = &mut registry;
        let inner = Inner {
            steps: counters(r, "steps", "Steps that the sandbox was asked to run"),
            step_duration: histograms(
                r,
                "step_duration_seconds",
                "From a step's turn to its end",
                seconds,
            ),
            step_wait: histogram(
                r,
                "step_queue_wait_seconds",
                "How long steps waited for their turn",
                seconds(),
            ),
            step_memory: histograms(
                r,
                "step_memory_bytes",
                "A step's linear memory at its largest",
                bytes,
            ),
            step_cpu: register(
                r,
                "step_cpu_seconds",
                "What processors worked for steps",
                Seconds::default(),
            ),
            guest_calls: counters(
                r,
                "guest_calls",
                "Calls from steps' instances to the host, of every kind",
            ),
            host_calls: counters(r, "host_calls", "Calls that the server answered to steps"),
            host_call_duration: histograms(
                r,
                "host_call_duration_seconds",
                "How long a call took that the server answered to a step",
                seconds,
            ),
            executions: counters(r, "executions", "Executions that have ended"),
            execution_duration: histogram(
                r,
                "execution_duration_seconds",
                "From an execution's start to its end",
                seconds(),
            ),
            components: counters(
                r,
                "component_loads",
                "Tools' components made ready: compiled, or found in the cache",
            ),
            component_load: histograms(
                r,
                "component_load_seconds",
                "How long it took to make a component ready",
                seconds,
            ),
            worker_starts: counters(r, "worker_starts", "Sandbox workers that were started"),
            requests: counters(r, "http_requests", "HTTP requests that were answered"),
            request_duration: histograms(
                r,
                "http_request_duration_seconds",
                "Until an HTTP answer began",
                seconds,
            ),
            registry: Mutex::new(registry),
        };
        let metrics = Self(Arc::new(inner));
        let started = Instant::now();
        metrics.watch("uptime_seconds", "Since the server started", move || {
            vec![(Labels::new(), started.elapsed().as_secs_f64())]
        });
        metrics.watch("build_info", "The program", || {
            vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)]
        });
        metrics
    }

    /// A gauge whose values are read when they are asked for. `read` must not
    /// keep these metrics alive.
    pub fn watch(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<(Labels, f64)> + Send + Sync + 'static,
    ) {
        let watched = watch::Watched::new(name, help, read);
        self.registry().register_collector(Box::new(watched));
    }

    /// All of it, in Prometheus' text format.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry()).expect("a string takes any text");
        text
    }

    /// A step has ended, as `success`, with an error's category, or `cancelled`.
    pub fn step(&self, tenant: &str, tool: &str, outcome: &str, used: StepUse) {
        let inner = &self.0;
        let by_tenant = vec![("tenant", tenant.to_owned()), ("tool", tool.to_owned())];
        let by_tool = vec![("tool", tool.to_owned())];
        let mut by_outcome = by_tenant.clone();
        by_outcome.push(("outcome", outcome.to_owned()));
        inner.steps.get_or_create(&by_outcome).inc();
        // What never ran, or was broken off, has used nothing that is known.
        if used.duration.is_zero() {
            return;
        }
        inner.step_wait.observe(used.queued.as_secs_f64());
        inner
            .step_duration
            .get_or_create(&by_tool)
            .observe(used.duration.as_secs_f64());
        inner
            .step_memory
            .get_or_create(&by_tool)
            .observe(used.memory_bytes as f64);
        inner
            .step_cpu
            .get_or_create(&by_tenant)
            .inc_by(used.cpu.as_secs_f64());
        inner
            .guest_calls
            .get_or_create(&by_tool)
            .inc_by(used.host_calls);
    }

    /// A step's call was answered: `ok`, `denied`, `limit`, …
    pub fn host_call(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        let mut labels = vec![("kind", kind.to_owned())];
        self.0
            .host_call_duration
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        labels.push(("outcome", outcome.to_owned()));
        self.0.host_calls.get_or_create(&labels).inc();
    }

    /// An execution has ended.
    pub fn execution(&self, tenant: &str, status: &str, took: Duration) {
        let labels = vec![("tenant", tenant.to_owned()), ("status", status.to_owned())];
        self.0.executions.get_or_create(&labels).inc();
        self.0.execution_duration.observe(took.as_secs_f64());
    }

    /// A tool's component is ready.
    pub fn component(&self, cached: bool, took: Duration) {
        let source = if cached { "cache" } else { "compiled" };
        let labels = vec![("source", source.to_owned())];
        self.0.components.get_or_create(&labels).inc();
        let load = self.0.component_load.get_or_create(&labels);
        load.observe(took.as_secs_f64());
    }

    /// A sandbox worker was started, the first in its place or after another.
    pub fn worker_started(&self, again: bool) {
        let reason = if again { "restart" } else { "start" };
        let labels = vec![("reason", reason.to_owned())];
        self.0.worker_starts.get_or_create(&labels).inc();
    }

    /// A request was answered. `route` is the template that fitted.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let mut labels = vec![("method", method.to_owned()), ("route", route.to_owned())];
        self.0
            .request_duration
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        labels.push(("status", status.to_string()));
        self.0.requests.get_or_create(&labels).inc();
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.0.registry.lock().expect("no panic while it is held")
    }
}

fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn counters(registry: &mut Registry, name: &str, help: &str) -> Counters {
    register(registry, name, help, Counters::default())
}

fn histogram(registry: &mut Registry, name: &str, help: &str, new: Histogram) -> Histogram {
    register(registry, name, help, new)
}

fn histograms(
    registry: &mut Registry,
    name: &str,
    help: &str,
    new: fn() -> Histogram,
) -> Histograms {
    register(registry, name, help, Histograms::new_with_constructor(new))
}

/// 0.5 ms to 9 min, each bucket four times the one before.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 4.0, 11))
}

/// 1 MiB to 4 GiB, likewise.
fn bytes() -> Histogram {
    Histogram::new(exponential_buckets(f64::from(1 << 20), 4.0, 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn with_everything() -> Metrics {
        let metrics = Metrics::new();
        let used = StepUse {
            duration: SECOND,
            queued: SECOND,
            cpu: SECOND,
            memory_bytes: 1,
            host_calls: 2,
        };
        metrics.step("a", "python", "success", used);
        metrics.host_call("postgres.query", "ok", SECOND);
        metrics.execution("a", "success", SECOND);
        metrics.component(true, SECOND);
        metrics.worker_started(false);
        metrics.request("GET", "/health", 200, SECOND);
        metrics
    }

    #[test]
    fn the_documentation_has_every_metric_with_its_labels() {
        let documented = include_str!("../../../docs/operations.md");
        let text = with_everything().encode();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let mut count = 0;
        for name in types.filter_map(|line| line.split(' ').next()) {
            count += 1;
            let row = documented
                .lines()
                .find(|line| line.starts_with(&format!("| `{name}` |")))
                .unwrap_or_else(|| panic!("no row for {name}"));
            let shown = text.lines().find(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', '_']))
            });
            let labels = shown
                .and_then(|line| line.split_once('{'))
                .map_or("", |(_, l)| l);
            let labels: Vec<_> = labels
                .split(',')
                .filter_map(|l| l.split_once("=\""))
                .collect();
            for (label, _) in labels.iter().filter(|(label, _)| *label != "le") {
                assert!(row.contains(&format!("`{label}`")), "{label}: {row}");
            }
        }
        assert_eq!(count, 17, "{text}");
    }

    #[test]
    fn a_step_that_never_ran_has_used_nothing() {
        let metrics = Metrics::new();
        metrics.step("a", "python", "overloaded", StepUse::default());
        let text = metrics.encode();
        let labels = r#"{tenant="a",tool="python",outcome="overloaded"}"#;
        assert!(
            text.contains(&format!("noetl_steps_total{labels} 1\n")),
            "{text}"
        );
        assert!(
            !text.contains("noetl_step_duration_seconds_count{"),
            "{text}"
        );
        assert!(
            text.contains("noetl_step_queue_wait_seconds_count 0\n"),
            "{text}"
        );
    }
}
