//! The server as its clients see it, over HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use noetl_tests::{Server, token};
use serde_json::json;

use crate::table::row;

pub async fn measure() -> anyhow::Result<()> {
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
