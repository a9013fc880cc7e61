//! `make bench`: the figures of docs/performance.md, measured on this machine.
//!
//! Each figure is the median of many runs with the 99th percentile beside it,
//! and where Python is the peer, a started `python3` does the same in the same
//! run of the benchmark, so that the ratio holds on any machine.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use noetl::capabilities::postgres::{Credential, CredentialSource, PoolSettings, Pools};
use noetl::grants::Grant;
use noetl::sandbox::{InProcess, Limits, StepRequest, StepRunner};
use noetl_tests::{Server, token};
use serde_json::{Value, json};

const JWT: &str = include_str!("../../bench/decode_jwt.py");
const FIB: &str = "def main(n):\n    def fib(n):\n        return n if n < 2 else fib(n - 1) + fib(n - 2)\n    return fib(n)\n";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    println!("| what | p50 | p99 | beside it |\n|---|---|---|---|");
    sandbox().await?;
    server().await?;
    Ok(())
}

struct NoCredentials;

#[async_trait::async_trait]
impl CredentialSource for NoCredentials {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<Credential>> {
        Ok(None)
    }
}

async fn sandbox() -> anyhow::Result<()> {
    let components = std::env::var("NOETL_COMPONENTS")?;
    let cache = tempfile::tempdir()?;
    let pools = Pools::new(Arc::new(NoCredentials), PoolSettings::default());
    let python = Path::new(&components).join("python.wasm");

    let started = Instant::now();
    InProcess::new(cache.path(), pools.clone())?.add_tool("python", &python)?;
    row(
        "python tool: compile",
        &[started.elapsed()],
        "once for each build of it",
    );
    let load = times(10, || {
        InProcess::new(cache.path(), pools.clone())?.add_tool("python", &python)?;
        Ok(())
    })?;
    row(
        "python tool: load from the cache",
        &load,
        "once for each start of the server",
    );

    let mut runner = InProcess::new(cache.path(), pools)?;
    runner.add_tool("python", &python)?;
    let runner = Arc::new(runner);

    let claims = json!({"sub": "auth0|1", "email": "ada@example.com", "name": "Ada"});
    let args = json!({"token": token(&claims)});
    let jwt = steps(&runner, JWT, &args, 1000).await?;
    let peer = python3(JWT, &args, 20)?;
    row(
        "decode a JWT in a fresh sandbox",
        &jwt,
        &beside(&jwt, &peer),
    );
    let nothing = steps(&runner, "def main(): return 1\n", &json!({}), 1000).await?;
    let peer = python3("def main(): return 1\n", &json!({}), 20)?;
    row(
        "return 1 in a fresh sandbox",
        &nothing,
        &beside(&nothing, &peer),
    );
    let fib = steps(&runner, FIB, &json!({"n": 22}), 30).await?;
    let peer = python3(FIB, &json!({"n": 22}), 20)?;
    row("fib(22) in a fresh sandbox", &fib, &beside(&fib, &peer));

    for threads in [1, 2] {
        let rate = rate(&runner, &args, threads).await;
        println!("| JWT steps per second, {threads} at once | {rate:.0} | | |");
    }

    let imports = "import json, base64, datetime, re, hashlib, hmac, math, random, uuid, decimal, collections, itertools, functools, urllib.parse, string, textwrap, statistics, secrets, typing, dataclasses, enum\ndef main(): return 1\n";
    let all = steps(&runner, imports, &json!({}), 300).await?;
    println!(
        "| import of all 21 library modules, above `return 1` | {} | | |",
        ms(median(&all).saturating_sub(median(&nothing)))
    );

    let call = host_call(&runner_with_probe(cache.path(), Path::new(&components))?).await?;
    println!(
        "| one host call (an entry of the log) | {:.2} µs | | a million in one step |",
        call.as_secs_f64() * 1e6
    );

    let mut late = Vec::new();
    for _ in 0..100 {
        let mut request = request("while True: pass\n", &json!({}));
        request.limits.time = Duration::from_millis(100);
        let started = Instant::now();
        let outcome = runner.run(request).await;
        anyhow::ensure!(outcome.result.is_err(), "an endless loop ended");
        late.push(started.elapsed().saturating_sub(Duration::from_millis(100)));
    }
    row(
        "an endless loop is gone after its deadline",
        &late,
        "deadline 100 ms",
    );

    let before = private_bytes()?;
    let sleeping: Vec<_> = (0..64)
        .map(|_| {
            let runner = Arc::clone(&runner);
            let request = request("import time\ndef main(): time.sleep(1)\n", &json!({}));
            tokio::spawn(async move { runner.run(request).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    let during = private_bytes()?;
    for step in sleeping {
        anyhow::ensure!(step.await?.result.is_ok(), "a sleeping step failed");
    }
    println!(
        "| one more concurrent python step, private memory | {:.2} MiB | | 64 at once |",
        (during.saturating_sub(before)) as f64 / 64.0 / 1048576.0
    );
    Ok(())
}

fn runner_with_probe(cache: &Path, components: &Path) -> anyhow::Result<InProcess> {
    let pools = Pools::new(Arc::new(NoCredentials), PoolSettings::default());
    let mut runner = InProcess::new(cache, pools)?;
    runner.add_tool("probe", &components.join("test/probe.wasm"))?;
    Ok(runner)
}

/// What one call of the host costs: a step with a million of them, less a step
/// with none.
async fn host_call(runner: &InProcess) -> anyhow::Result<Duration> {
    let mut took = Vec::new();
    for calls in [0, 1_000_000] {
        let mut step = request("", &json!({}));
        step.tool = "probe".into();
        step.config = json!({"op": "log", "n": calls, "text": "x"});
        let outcome = runner.run(step).await;
        outcome.result?;
        took.push(outcome.usage.duration);
    }
    Ok((took[1] - took[0]) / 1_000_000)
}

async fn server() -> anyhow::Result<()> {
    let server = Server::start().await;
    let provision = server
        .execute("api_integration/auth0/provision_auth_schema", json!({}))
        .await;
    anyhow::ensure!(provision.status == 200, "{provision:#?}");
    let mut logins = Vec::new();
    for n in 0..300 {
        let started = Instant::now();
        login(&server, n).await?;
        logins.push(started.elapsed());
    }
    row(
        "login over HTTP, 1 client",
        &logins[20..],
        "2 python and 2 postgres steps, all events stored",
    );

    let server = Arc::new(server);
    for clients in [8, 64] {
        let started = Instant::now();
        let until = started + Duration::from_secs(5);
        let tasks: Vec<_> = (0..clients)
            .map(|client| {
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while Instant::now() < until {
                        let started = Instant::now();
                        login(&server, 1000 + client).await?;
                        times.push(started.elapsed());
                    }
                    anyhow::Ok(times)
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await??);
        }
        let rate = times.len() as f64 / started.elapsed().as_secs_f64();
        row(
            &format!("login over HTTP, {clients} clients"),
            &times,
            &format!("{rate:.0} logins per second"),
        );
    }

    let forty = forty_steps();
    let reply = server.register(&forty).await;
    anyhow::ensure!(reply.status == 201, "{reply:#?}");
    let mut runs = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let reply = server.execute("bench/forty", json!({})).await;
        anyhow::ensure!(reply.status == 200, "{reply:#?}");
        runs.push(started.elapsed());
    }
    row(
        "40 light python steps one after the other, over HTTP",
        &runs,
        "fibo(10) each",
    );

    // On databases that exist, with every component in the cache.
    let server = Arc::into_inner(server).expect("the clients are done");
    let (store, demo) = server.stop().await;
    let started = Instant::now();
    let server = Server::start_with(store, demo).await;
    row(
        "server start, warm cache",
        &[started.elapsed()],
        "database up already",
    );
    server.stop().await;
    Ok(())
}

async fn login(server: &Server, n: usize) -> anyhow::Result<()> {
    let claims =
        json!({"sub": format!("auth0|{n}"), "email": format!("{n}@example.com"), "name": "Bench"});
    let reply = server
        .execute(
            "api_integration/auth0/auth0_login",
            json!({"auth0_token": token(&claims)}),
        )
        .await;
    anyhow::ensure!(reply.body["status"] == "success", "{reply:#?}");
    Ok(())
}

fn forty_steps() -> String {
    let mut yaml = String::from(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {name: forty, path: bench/forty}\nworkflow:\n  - step: start\n    next: [{step: s0}]\n",
    );
    for n in 0..40 {
        let next = if n == 39 {
            "end".into()
        } else {
            format!("s{}", n + 1)
        };
        yaml += &format!(
            "  - step: s{n}\n    tool: python\n    code: |\n      def fibo(n):\n          return n if n < 2 else fibo(n - 1) + fibo(n - 2)\n      def main():\n          return fibo(10)\n    next: [{{step: {next}}}]\n"
        );
    }
    yaml + "  - step: end\n"
}

fn request(code: &str, args: &Value) -> StepRequest {
    StepRequest {
        tool: "python".into(),
        tenant: "bench".into(),
        playbook: "bench".into(),
        execution_id: uuid::Uuid::nil(),
        step: "bench".into(),
        config: json!({"code": code, "file": "bench.yaml", "line": 1}),
        args: args.clone(),
        grant: Arc::new(Grant::nothing()),
        limits: Limits::default(),
    }
}

async fn steps(
    runner: &InProcess,
    code: &str,
    args: &Value,
    runs: usize,
) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(runs);
    for run in 0..runs + 20 {
        let outcome = runner.run(request(code, args)).await;
        if let Err(error) = outcome.result {
            anyhow::bail!("{error}");
        }
        if run >= 20 {
            times.push(outcome.usage.duration);
        }
    }
    Ok(times)
}

async fn rate(runner: &Arc<InProcess>, args: &Value, threads: usize) -> f64 {
    let started = Instant::now();
    let until = started + Duration::from_secs(3);
    let tasks: Vec<_> = (0..threads)
        .map(|_| {
            let runner = Arc::clone(runner);
            let args = args.clone();
            tokio::spawn(async move {
                let mut steps = 0_u32;
                while Instant::now() < until {
                    runner.run(request(JWT, &args)).await;
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

/// The same code with a `python3` started for it.
fn python3(code: &str, args: &Value, runs: usize) -> anyhow::Result<Vec<Duration>> {
    let script =
        format!("import json, sys\n{code}\nprint(json.dumps(main(**json.loads(sys.argv[1]))))\n");
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), script)?;
    // Not a version manager's shim, which takes longer to start than Python.
    let which = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()?;
    let python = String::from_utf8(which.stdout)?;
    times(runs, || {
        let output = Command::new(python.trim())
            .arg(file.path())
            .arg(args.to_string())
            .output()?;
        anyhow::ensure!(
            output.status.success(),
            "python3: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    })
}

fn times(
    runs: usize,
    mut run: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    (0..runs)
        .map(|_| {
            let started = Instant::now();
            run()?;
            Ok(started.elapsed())
        })
        .collect()
}

/// This process's private memory, in bytes.
fn private_bytes() -> anyhow::Result<usize> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let kib: usize = rollup
        .lines()
        .filter(|line| line.starts_with("Private_"))
        .filter_map(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok())
        .sum();
    Ok(kib * 1024)
}

fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted[(sorted.len() - 1) * percent / 100]
}

fn median(times: &[Duration]) -> Duration {
    percentile(times, 50)
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

fn beside(ours: &[Duration], python3: &[Duration]) -> String {
    let ratio = median(python3).as_secs_f64() / median(ours).as_secs_f64();
    format!(
        "python3 started for it: {} ({ratio:.1} × as long)",
        ms(median(python3))
    )
}

fn row(what: &str, times: &[Duration], beside: &str) {
    println!(
        "| {what} | {} | {} | {beside} |",
        ms(median(times)),
        ms(percentile(times, 99))
    );
}
