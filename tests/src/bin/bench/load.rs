//! Logins as wrk, a load generator, sends them: at 1, 8, 64 and 512 clients.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use noetl_tests::{Server, token};
use serde_json::json;
use tokio::process::Command;

use crate::hostile::processes;
use crate::step::private_bytes;

const CLIENTS: [usize; 4] = [1, 8, 64, 512];
const SECONDS: usize = 10;
/// Users who sign in by turns.
const USERS: usize = 1000;

pub async fn measure() -> anyhow::Result<()> {
    let flags = [
        "--executions",
        "1024",
        "--tenant-executions",
        "1024",
        "--tenant-steps",
        "512",
    ];
    let server = Server::start_limited(&flags).await;
    let provision = server
        .execute("api_integration/auth0/provision_auth_schema", json!({}))
        .await;
    anyhow::ensure!(provision.status == 200, "{provision:#?}");
    let directory = tempfile::tempdir()?;
    let script = directory.path().join("login.lua");
    std::fs::write(&script, login())?;
    let processes = processes(&server)?;
    println!(
        "| login, no load | | | server and workers: {} |",
        mib(private_bytes(&processes)?)
    );
    for clients in CLIENTS {
        let report = wrk(&server.url, clients, &script).await?;
        let find = |name: &str| {
            report
                .lines()
                .find_map(|line| line.trim().strip_prefix(name))
                .map(str::trim)
                .with_context(|| format!("wrk tells no `{name}`:\n{report}"))
        };
        let (p50, p99, rate) = (find("50%")?, find("99%")?, find("Requests/sec:")?);
        let failed = report.lines().find_map(|line| {
            let line = line.trim();
            let failed = line.starts_with("Non-2xx") || line.starts_with("Socket errors");
            failed.then_some(line)
        });
        println!(
            "| login, wrk, {clients} clients | {p50} | {p99} | {rate} logins per second, server and workers: {}{} |",
            mib(private_bytes(&processes)?),
            failed.map_or_else(String::new, |failed| format!("; {failed}")),
        );
    }
    server.stop().await;
    Ok(())
}

pub fn mib(bytes: usize) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

async fn wrk(url: &str, clients: usize, script: &Path) -> anyhow::Result<String> {
    let output = Command::new("wrk")
        .arg(format!("-t{}", clients.min(2)))
        .arg(format!("-c{clients}"))
        .arg(format!("-d{SECONDS}s"))
        .args(["--timeout", "30s", "--latency", "-s"])
        .arg(script)
        .arg(format!("{url}/api/execute"))
        .output()
        .await
        .context("wrk can't be run; `make bench` installs it")?;
    anyhow::ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

/// What wrk sends: each user's login, by turns.
fn login() -> String {
    let mut script = String::from("local bodies = {\n");
    for user in 0..USERS {
        let claims = json!({"sub": format!("auth0|{user}"), "email": format!("{user}@example.com"), "name": "Bench"});
        let body = json!({
            "path": "api_integration/auth0/auth0_login",
            "payload": {"auth0_token": token(&claims)},
        });
        writeln!(script, "  '{body}',").expect("a text takes it");
    }
    script.push_str(
        "}\nlocal n = 0\nrequest = function()\n  n = n % #bodies + 1\n  \
         return wrk.format('POST', nil, {['content-type'] = 'application/json'}, bodies[n])\nend\n",
    );
    script
}
