//! The second wall: the same steps in worker processes, as a server runs them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use noetl::metrics::Metrics;
use noetl::sandbox::{InProcess, QueueLimits, Queued, StepRunner, WorkerSettings, Workers};
use noetl_tests::{noetl, token};
use serde_json::json;

use crate::step::{
    JWT, NOTHING, component, host_call, lateness, memory_of_one, outside, probe, python, rate,
    steps,
};
use crate::table::{percentile, row};

pub async fn measure() -> anyhow::Result<()> {
    let cache = tempfile::tempdir()?;
    let args = json!({"token": token(&json!({"sub": "auth0|1", "name": "Ada"}))});
    let jwt = python(JWT, &args);

    let mut one = InProcess::new(cache.path(), outside())?;
    one.add_tool("python", &component("python.wasm")?)?;
    let one = Arc::new(one);
    let peer = rate(&one, &jwt, 2).await;
    println!("| JWT steps per second in one process, 2 at once | {peer:.0} | | |");
    drop(one);

    for count in [1, 2, 4] {
        let workers = Arc::new(start(count, cache.path()).await?);
        let rate = rate(&workers, &jwt, 2 * count).await;
        println!(
            "| JWT steps per second, {count} workers | {rate:.0} | | {:.2} × one process |",
            rate / peer
        );
    }

    let workers = Arc::new(start(2, cache.path()).await?);
    println!(
        "| one more concurrent python step, private memory of the workers | {:.2} MiB | | 64 at once |",
        memory_of_one(&workers, &workers.pids(), 64).await?
    );
    row(
        "decode a JWT in a fresh sandbox of a worker",
        &steps(&*workers, &jwt, 1000).await?,
        "2 workers",
    );
    let call = host_call(&*workers, 20_000).await?;
    println!(
        "| a host call and its check, across the wall | {:.1} µs | | 20,000 in one step |",
        call.as_secs_f64() * 1e6
    );
    row(
        "an endless loop in a worker is gone after its deadline",
        &lateness(&*workers, 100).await?,
        "deadline 100 ms",
    );
    drop(workers);
    neighbour(cache.path()).await
}

async fn start(workers: usize, cache: &std::path::Path) -> anyhow::Result<Workers> {
    let settings = WorkerSettings {
        program: noetl().as_std().get_program().into(),
        workers,
        cache_dir: cache.into(),
    };
    let mut tools = Vec::new();
    for (name, wasm) in [("python", "python.wasm"), ("probe", "test/probe.wasm")] {
        tools.push(Workers::compile(&settings, name, &component(wasm)?)?);
    }
    Workers::start(settings, tools, outside(), Metrics::new()).await
}

/// A tenant's light step, alone and beside a tenant who does its worst.
async fn neighbour(cache: &std::path::Path) -> anyhow::Result<()> {
    let runner = Arc::new(Queued::new(
        start(3, cache).await?,
        QueueLimits::default(),
        Metrics::new(),
    ));
    let mut light = python(NOTHING, &json!({}));
    light.tenant = "good".into();
    let alone = steps(&*runner, &light, 2000).await?;
    row("return 1, the tenant alone", &alone, "3 workers");

    let endless = {
        let mut step = python("while True: pass\n", &json!({}));
        step.limits.time = Duration::from_secs(2);
        step
    };
    let bomb = python(
        "def main():\n    a = [0]\n    while True: a = a + a\n",
        &json!({}),
    );
    for (what, step) in [
        ("endless loops", endless),
        ("memory bombs", bomb),
        ("floods of output", probe("output", 200 << 20)),
        ("traps", probe("trap", 0)),
    ] {
        let stop = Arc::new(AtomicBool::new(false));
        let attackers: Vec<_> = (0..200)
            .map(|_| {
                let (runner, stop, mut step) =
                    (Arc::clone(&runner), Arc::clone(&stop), step.clone());
                step.tenant = "bad".into();
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        let outcome = runner.run(step.clone()).await;
                        assert!(outcome.result.is_err(), "{outcome:?}");
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let began = Instant::now();
        let mut beside = Vec::new();
        while began.elapsed() < Duration::from_secs(8) {
            beside.extend(steps(&*runner, &light, 20).await?);
        }
        stop.store(true, Ordering::Relaxed);
        for attacker in attackers {
            attacker.await?;
        }
        let ratio = percentile(&beside, 99).as_secs_f64() / percentile(&alone, 99).as_secs_f64();
        row(
            &format!("return 1, beside a tenant with 200 {what}"),
            &beside,
            &format!("p99 {ratio:.1} × that alone"),
        );
    }
    Ok(())
}
