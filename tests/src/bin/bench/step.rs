//! Steps to measure with, and runners for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use noetl::capabilities::postgres::{self, PoolSettings, Pools};
use noetl::capabilities::{Outside, http};
use noetl::grants::Grant;
use noetl::sandbox::{Limits, StepRequest, StepRunner};
use serde_json::{Value, json};

/// The login's Python step.
pub const JWT: &str = include_str!("../../../bench/decode_jwt.py");
/// The least that a step can do.
pub const NOTHING: &str = "def main(): return 1\n";

struct NoCredentials;

#[async_trait::async_trait]
impl postgres::CredentialSource for NoCredentials {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<postgres::Credential>> {
        Ok(None)
    }
}

#[async_trait::async_trait]
impl http::CredentialSource for NoCredentials {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<http::Credential>> {
        Ok(None)
    }
}

/// What steps without a credential reach.
pub fn outside() -> Outside {
    Outside {
        pools: Pools::new(Arc::new(NoCredentials), PoolSettings::default()),
        http: http::Client::new(Arc::new(NoCredentials)),
    }
}

/// The components that `make guests` has built.
pub fn component(name: &str) -> anyhow::Result<PathBuf> {
    Ok(Path::new(&std::env::var("NOETL_COMPONENTS")?).join(name))
}

/// A python step.
pub fn python(code: &str, args: &Value) -> StepRequest {
    StepRequest {
        tool: "python".into(),
        tenant: "bench".into(),
        playbook: "bench".into(),
        execution_id: uuid::Uuid::nil(),
        step: "bench".into(),
        config: json!({"code": code, "file": "bench.yaml", "line": 1}),
        args: args.clone(),
        grant: Arc::new(Grant::nothing()),
        capabilities: None,
        credentials: None,
        limits: Limits::default(),
    }
}

/// A step of the test tool.
pub fn probe(op: &str, n: usize) -> StepRequest {
    let mut request = python("", &Value::Null);
    request.tool = "probe".into();
    request.config = json!({"op": op, "n": n, "text": "x"});
    request.limits.host_calls = u64::MAX;
    request
}

/// How long the step takes, each time in a sandbox of its own.
pub async fn steps(
    runner: &impl StepRunner,
    request: &StepRequest,
    runs: usize,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(runs);
    for run in 0..runs + 20 {
        let started = Instant::now();
        let outcome = runner.run(request.clone()).await;
        let took = started.elapsed();
        if let Err(error) = outcome.result {
            anyhow::bail!("{error}");
        }
        if run >= 20 {
            times.push(took);
        }
    }
    Ok(times)
}

/// Steps per second, with `clients` that wait for each of theirs.
pub async fn rate<R: StepRunner + 'static>(
    runner: &Arc<R>,
    request: &StepRequest,
    clients: usize,
) -> f64 {
    let started = Instant::now();
    let until = started + Duration::from_secs(3);
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let (runner, mut request) = (Arc::clone(runner), request.clone());
            // No tenant may use every worker.
            request.tenant = format!("bench-{client}");
            tokio::spawn(async move {
                let mut steps = 0_u32;
                while Instant::now() < until {
                    let outcome = runner.run(request.clone()).await;
                    assert!(outcome.result.is_ok(), "{outcome:?}");
                    steps += 1;
                }
                steps
            })
        })
        .collect();
    let mut steps = 0;
    for task in tasks {
        steps += task.await.expect("a step does not panic");
    }
    f64::from(steps) / started.elapsed().as_secs_f64()
}

/// What one call of the host costs, which is checked against the step's grant
/// and denied: a step with `calls` of them, less a step with none.
pub async fn host_call(runner: &impl StepRunner, calls: u32) -> anyhow::Result<Duration> {
    let mut took = Vec::new();
    for n in [0, calls] {
        let request = probe("hold", n as usize);
        let times = steps_of(runner, &request, 5).await?;
        took.push(times);
    }
    Ok((took[1] - took[0]) / calls)
}

async fn steps_of(
    runner: &impl StepRunner,
    request: &StepRequest,
    runs: usize,
) -> anyhow::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..runs {
        let outcome = runner.run(request.clone()).await;
        outcome.result?;
        times.push(outcome.usage.duration);
    }
    Ok(crate::table::median(&times))
}

/// How long after its deadline an endless loop is gone.
pub async fn lateness(runner: &impl StepRunner, runs: usize) -> anyhow::Result<Vec<Duration>> {
    let mut late = Vec::new();
    for _ in 0..runs {
        let mut request = python("while True: pass\n", &json!({}));
        request.limits.time = Duration::from_millis(100);
        let started = Instant::now();
        let outcome = runner.run(request).await;
        anyhow::ensure!(outcome.result.is_err(), "an endless loop ended");
        late.push(started.elapsed().saturating_sub(Duration::from_millis(100)));
    }
    Ok(late)
}

/// What one more of `count` python steps at once takes of the private memory of
/// `processes`, in MiB.
pub async fn memory_of_one<R: StepRunner + 'static>(
    runner: &Arc<R>,
    processes: &[u32],
    count: u32,
) -> anyhow::Result<f64> {
    let before = private_bytes(processes)?;
    let sleeping: Vec<_> = (0..count)
        .map(|_| {
            let runner = Arc::clone(runner);
            let request = python("import time\ndef main(): time.sleep(2)\n", &json!({}));
            tokio::spawn(async move { runner.run(request).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let during = private_bytes(processes)?;
    for step in sleeping {
        anyhow::ensure!(step.await?.result.is_ok(), "a sleeping step failed");
    }
    Ok(during.saturating_sub(before) as f64 / f64::from(count) / 1048576.0)
}

/// The private memory of these processes together, in bytes.
pub fn private_bytes(processes: &[u32]) -> anyhow::Result<usize> {
    let mut kib = 0;
    for process in processes {
        let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        kib += rollup
            .lines()
            .filter(|line| line.starts_with("Private_"))
            .filter_map(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok())
            .sum::<usize>();
    }
    Ok(kib * 1024)
}
