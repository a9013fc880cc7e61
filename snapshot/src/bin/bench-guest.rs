//! Measures a python tool by itself, in one thread.
//!
//! `bench-guest TOOL.wasm`                 p50 and p99 of steps, and `python3` for comparison
//! `bench-guest TOOL.wasm --cases FILE.yaml…`  runs the cases of `tests/python`
//! `bench-guest TOOL.wasm --run FILE.py…`  each as one step, with its log and times

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};
use snapshot::harness::{Call, Guest, ToolError};

/// The step of `auth0_login.yaml`.
const JWT: &str = r#"
import base64
import json

def main(token):
    """Decode JWT without external libraries."""
    parts = token.split('.')
    if len(parts) != 3:
        return {"error": "Invalid JWT format"}

    payload = parts[1]
    # Add padding if needed
    padding = 4 - (len(payload) % 4)
    if padding != 4:
        payload += '=' * padding

    decoded = json.loads(base64.urlsafe_b64decode(payload))
    return {
        "sub": decoded.get("sub"),
        "email": decoded.get("email"),
        "name": decoded.get("name"),
        "email_verified": decoded.get("email_verified", False)
    }
"#;

const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhdXRoMHwxMjM0NTY3ODkwIiwiZW1haWwiOiJqYW5lQGV4YW1wbGUuY29tIiwibmFtZSI6IkphbmUgRG9lIiwiZW1haWxfdmVyaWZpZWQiOnRydWUsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxODAwMDAwMDAwfQ.c2lnbmF0dXJl";

const EMPTY: &str = "def main():\n    return None\n";

/// Timed inside the step, so that only the interpreter's speed counts.
const FIB: &str = "
import time
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def main():
    start = time.perf_counter()
    fib(22)
    return time.perf_counter() - start
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        [wasm] => bench(wasm).await,
        [wasm, "--run", files @ ..] if !files.is_empty() => run_files(wasm, files).await,
        [wasm, "--cases", files @ ..] if !files.is_empty() => cases(wasm, files).await,
        _ => Err(anyhow::anyhow!(
            "usage: bench-guest TOOL.wasm [--run FILE.py… | --cases FILE.yaml…]"
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load(wasm: &str) -> anyhow::Result<Guest> {
    let bytes = std::fs::read(wasm).with_context(|| format!("can't read {wasm}"))?;
    let started = Instant::now();
    let guest = Guest::new(&bytes, 16).map_err(own)?;
    eprintln!(
        "compiled {} MB in {:.1} s",
        bytes.len() / 1_000_000,
        started.elapsed().as_secs_f64()
    );
    Ok(guest)
}

fn own(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into_boxed_dyn_error())
}

fn config(code: &str) -> String {
    json!({"code": code, "file": "step.yaml", "line": 20}).to_string()
}

async fn run_files(wasm: &str, files: &[&str]) -> anyhow::Result<()> {
    let guest = load(wasm)?;
    for file in files {
        let code = std::fs::read_to_string(file).with_context(|| format!("can't read {file}"))?;
        let call = guest.call(&config(&code), "{}").await;
        println!(
            "{file}: instantiate {:?}, run {:?}, drop {:?}",
            call.instantiate, call.run, call.drop
        );
        for (level, message) in &call.log {
            println!("  {level}: {message}");
        }
        match call.answer {
            Ok(Ok(output)) => println!("{}", output.data),
            Ok(Err(error)) => println!("{error:#?}"),
            Err(trap) => println!("trap: {trap:#}"),
        }
    }
    Ok(())
}

async fn cases(wasm: &str, files: &[&str]) -> anyhow::Result<()> {
    let guest = load(wasm)?;
    let (mut held, mut failed) = (0, 0);
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("can't read {file}"))?;
        let cases: Vec<Value> = serde_yaml::from_str(&text)
            .with_context(|| format!("{file} is not a list of cases"))?;
        for case in &cases {
            match check(&guest, case).await {
                Ok(()) => held += 1,
                Err(why) => {
                    failed += 1;
                    println!("{file}: {}: {why}", case["name"]);
                }
            }
        }
    }
    println!("{held} cases hold, {failed} do not");
    anyhow::ensure!(failed == 0, "not every case holds");
    Ok(())
}

/// Runs one case. The error says what is different from what it expects.
async fn check(guest: &Guest, case: &Value) -> Result<(), String> {
    let code = case["code"].as_str().ok_or("it has no code")?;
    let args = if case["args"].is_null() {
        json!({})
    } else {
        case["args"].clone()
    }
    .to_string();
    let call = guest.call(&config(code), &args).await;
    let log: Vec<String> = call
        .log
        .iter()
        .map(|(level, message)| format!("{level}: {message}"))
        .collect();
    if !case["log"].is_null() && case["log"] != json!(log) {
        return Err(format!("the log is {log:?}"));
    }
    let answer = call.answer.map_err(|trap| format!("it traps: {trap:#}"))?;
    let error = &case["error"];
    match answer {
        Ok(output) if case["differs"] == json!(true) => {
            let again = guest.call(&config(code), &args).await.answer;
            let again = again
                .map_err(|trap| format!("{trap:#}"))?
                .map_err(|error| format!("{error:?}"))?;
            if again.data == output.data {
                Err(format!("twice {}", output.data))
            } else {
                Ok(())
            }
        }
        Ok(output) => {
            let found: Value =
                serde_json::from_str(&output.data).map_err(|error| error.to_string())?;
            if error.is_null() && found == case["expected"] {
                Ok(())
            } else {
                Err(format!("the result is {found}"))
            }
        }
        Err(found) => {
            let (name, kind, message) = match &found {
                ToolError::InvalidInput(message) => ("invalid-input", "", message),
                ToolError::Failed(failure) => ("failed", failure.kind.as_str(), &failure.message),
                _ => return Err(format!("{found:?}")),
            };
            let contains = error["contains"].as_array().cloned().unwrap_or_default();
            let fits = error["case"] == name
                && (error["kind"].is_null() || error["kind"] == kind)
                && contains
                    .iter()
                    .all(|part| part.as_str().is_some_and(|part| message.contains(part)));
            if fits {
                Ok(())
            } else {
                Err(format!("the error is {found:?}"))
            }
        }
    }
}

async fn bench(wasm: &str) -> anyhow::Result<()> {
    let guest = load(wasm)?;
    if std::env::var("ONLY_JWT").is_ok() {
        step(
            &guest,
            "JWT step",
            JWT,
            &json!({"token": TOKEN}).to_string(),
            3000,
        )
        .await?;
        return Ok(());
    }
    let mut times = Vec::new();
    for _ in 0..2000 {
        times.push(guest.instantiate().await.map_err(own)?);
    }
    report("instantiate", &mut times);
    step(&guest, "empty step", EMPTY, "{}", 1000).await?;
    let ours = step(
        &guest,
        "JWT step",
        JWT,
        &json!({"token": TOKEN}).to_string(),
        1000,
    )
    .await?;

    let mut times = Vec::new();
    for _ in 0..20 {
        let data = answer(guest.call(&config(FIB), "{}").await)?;
        times.push(Duration::from_secs_f64(data.parse()?));
    }
    report("fib(22)", &mut times);

    match python3() {
        Ok(theirs) => println!(
            "{:<28} p50 {:>9.3} ms, {:.0} × the JWT step",
            "python3 started for it",
            millis(theirs),
            theirs.as_secs_f64() / ours.as_secs_f64()
        ),
        Err(error) => println!("python3: {error:#}"),
    }
    Ok(())
}

fn answer(call: Call) -> anyhow::Result<String> {
    match call.answer.map_err(own)? {
        Ok(output) => Ok(output.data),
        Err(error) => Err(anyhow::anyhow!("the step failed: {error:?}")),
    }
}

async fn step(
    guest: &Guest,
    name: &str,
    code: &str,
    args: &str,
    count: usize,
) -> anyhow::Result<Duration> {
    let config = config(code);
    let faults = page_faults();
    let (mut total, mut run, mut made, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        let call = guest.call(&config, args).await;
        total.push(call.total());
        made.push(call.instantiate);
        run.push(call.run);
        gone.push(call.drop);
        answer(call)?;
    }
    let faults = page_faults() - faults;
    let p50 = report(name, &mut total);
    println!("  · {:.0} page faults", faults as f64 / count as f64);
    report("  · instantiate", &mut made);
    report("  · run", &mut run);
    report("  · drop", &mut gone);
    Ok(p50)
}

/// Minor page faults of this process so far.
fn page_faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name
        .split(' ')
        .nth(7)
        .and_then(|faults| faults.parse().ok())
        .unwrap_or_default()
}

fn python3() -> anyhow::Result<Duration> {
    let code = format!("{JWT}\nprint(json.dumps(main({TOKEN:?})))");
    let mut times = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let ran = Command::new("python3").arg("-c").arg(&code).output()?;
        anyhow::ensure!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn report(name: &str, times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let p50 = times[times.len() / 2];
    let p99 = times[times.len() * 99 / 100];
    println!(
        "{name:<28} p50 {:>9.3} ms, p99 {:>9.3} ms",
        millis(p50),
        millis(p99)
    );
    p50
}
