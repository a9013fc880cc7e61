//! The sandbox alone, in one process: the first wall.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use noetl::sandbox::InProcess;
use noetl_tests::token;
use serde_json::json;
use tokio::sync::Barrier;
use wasmtime::{Config, Engine, Instance, Module, Store};

use crate::peer::{beside, python3};
use crate::step::{
    JWT, NOTHING, component, host_call, lateness, memory_of_one, outside, python, rate, steps,
};
use crate::table::{median, ms, row, times};

const FIB: &str = "def main(n):\n    def fib(n):\n        return n if n < 2 else fib(n - 1) + fib(n - 2)\n    return fib(n)\n";

pub async fn measure() -> anyhow::Result<()> {
    let cache = tempfile::tempdir()?;
    let file = component("python.wasm")?;
    let started = Instant::now();
    InProcess::new(cache.path(), outside())?.add_tool("python", &file)?;
    row(
        "python tool: compile",
        &[started.elapsed()],
        &sizes(&file, cache.path())?,
    );
    let load = times(10, || {
        InProcess::new(cache.path(), outside())?.add_tool("python", &file)?;
        Ok(())
    })?;
    row(
        "python tool: load from the cache",
        &load,
        "once for each start of a process",
    );

    let mut runner = InProcess::new(cache.path(), outside())?;
    runner.add_tool("python", &file)?;
    runner.add_tool("probe", &component("test/probe.wasm")?)?;
    let runner = Arc::new(runner);
    instantiation(&runner).await?;

    let claims = json!({"sub": "auth0|1", "email": "ada@example.com", "name": "Ada"});
    let args = json!({"token": token(&claims)});
    for (what, code, args, runs) in [
        ("decode a JWT", JWT, &args, 1000),
        ("return 1", NOTHING, &json!({}), 1000),
        ("fib(22)", FIB, &json!({"n": 22}), 30),
    ] {
        let ours = steps(&*runner, &python(code, args), runs).await?;
        let peer = python3(code, args, 20)?;
        row(
            &format!("{what} in a fresh sandbox"),
            &ours,
            &beside(&ours, &peer),
        );
    }
    for clients in [1, 2] {
        let rate = rate(&runner, &python(JWT, &args), clients).await;
        println!("| JWT steps per second in one process, {clients} at once | {rate:.0} | | |");
    }

    let imports = "import json, base64, datetime, re, hashlib, hmac, math, random, uuid, decimal, collections, itertools, functools, urllib.parse, string, textwrap, statistics, secrets, typing, dataclasses, enum\ndef main(): return 1\n";
    let nothing = steps(&*runner, &python(NOTHING, &json!({})), 300).await?;
    let all = steps(&*runner, &python(imports, &json!({})), 300).await?;
    println!(
        "| import of all 21 library modules, above `return 1` | {} | | |",
        ms(median(&all).saturating_sub(median(&nothing)))
    );

    let call = host_call(&*runner, 100_000).await?;
    println!(
        "| a host call and its check, in one process | {:.2} µs | | 100,000 in one step |",
        call.as_secs_f64() * 1e6
    );
    row(
        "an endless loop is gone after its deadline",
        &lateness(&*runner, 100).await?,
        "deadline 100 ms",
    );
    println!(
        "| one more concurrent python step, private memory | {:.2} MiB | | 64 at once |",
        memory_of_one(&runner, &[std::process::id()], 64).await?
    );
    epoch_checks()
}

fn sizes(component: &Path, cache: &Path) -> anyhow::Result<String> {
    let mib = |bytes: u64| bytes as f64 / 1048576.0;
    let mut compiled = 0;
    for entry in std::fs::read_dir(cache)? {
        compiled = compiled.max(entry?.metadata()?.len());
    }
    Ok(format!(
        "component {:.1} MiB, machine code {:.1} MiB",
        mib(std::fs::metadata(component)?.len()),
        mib(compiled)
    ))
}

async fn instantiation(runner: &Arc<InProcess>) -> anyhow::Result<()> {
    let mut alone = Vec::new();
    for _ in 0..1000 {
        let started = Instant::now();
        let instance = runner.instantiate("python").await?;
        alone.push(started.elapsed());
        drop(instance);
    }
    row("python tool: instantiate", &alone, "one at a time");

    let all = Arc::new(Barrier::new(320));
    let tasks: Vec<_> = (0..320)
        .map(|_| {
            let (runner, all) = (Arc::clone(runner), Arc::clone(&all));
            tokio::spawn(async move {
                all.wait().await;
                let started = Instant::now();
                let instance = runner.instantiate("python").await?;
                let took = started.elapsed();
                // None is given back before all are there.
                all.wait().await;
                drop(instance);
                anyhow::Ok(took)
            })
        })
        .collect();
    let mut together = Vec::new();
    for task in tasks {
        together.push(task.await??);
    }
    row("python tool: instantiate, 320 alive at once", &together, "");
    Ok(())
}

/// What the question "is a limit reached?" costs a loop that does nothing else
/// than a multiplication and an addition.
fn epoch_checks() -> anyhow::Result<()> {
    const LOOP: &str = r#"(module (func (export "run") (result i64) (local $i i64) (local $x i64)
        (loop $again
          (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005)) (local.get $i)))
          (local.set $i (i64.add (local.get $i) (i64.const 1)))
          (br_if $again (i64.lt_u (local.get $i) (i64.const 100000000))))
        (local.get $x)))"#;
    let wasm = wat::parse_str(LOOP)?;
    let without = pure_loop(&wasm, false).map_err(|e| anyhow::anyhow!("{e:#}"))?;
    let with = pure_loop(&wasm, true).map_err(|e| anyhow::anyhow!("{e:#}"))?;
    let (without, with) = (median(&without), median(&with));
    let added = with.as_secs_f64() / without.as_secs_f64() - 1.0;
    println!(
        "| epoch checks on a pure loop | {:+.1} % | | {} without, for 100 million rounds |",
        added * 100.0,
        ms(without)
    );
    Ok(())
}

fn pure_loop(wasm: &[u8], checked: bool) -> wasmtime::Result<Vec<Duration>> {
    let mut config = Config::new();
    config.epoch_interruption(checked);
    let engine = Engine::new(&config)?;
    let module = Module::new(&engine, wasm)?;
    let mut store = Store::new(&engine, ());
    if checked {
        store.set_epoch_deadline(u64::MAX / 2);
    }
    let instance = Instance::new(&mut store, &module, &[])?;
    let run = instance.get_typed_func::<(), i64>(&mut store, "run")?;
    let mut runs = Vec::new();
    for _ in 0..11 {
        let started = Instant::now();
        run.call(&mut store, ())?;
        runs.push(started.elapsed());
    }
    Ok(runs)
}
