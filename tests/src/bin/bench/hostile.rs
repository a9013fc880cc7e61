//! What a server keeps of hostile steps: it must be nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use noetl_tests::Server;
use serde_json::json;

use crate::step::private_bytes;

const STEPS: usize = 100_000;

/// Each ends in an error, soon.
const CODES: [&str; 6] = [
    "def main(): raise ValueError('x' * 1000)",
    "def main(): return 'x' * 2_000_000_000",
    "def main():\n    def f(n): return f(n + 1)\n    return f(0)",
    "def main():\n    for i in range(2000): print('flood' * 20)\n    raise SystemExit(1)",
    "def main(): return object()",
    "def main(): import ctypes",
];

pub async fn measure() -> anyhow::Result<()> {
    let server = Arc::new(Server::start().await);
    for (n, code) in CODES.iter().enumerate() {
        let code = code.replace('\n', "\n      ");
        let yaml = format!(
            "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: h{n}, path: bench/h{n}}}\nworkflow:\n  - step: start\n    next: [{{step: work}}]\n  - step: work\n    tool: python\n    code: |\n      {code}\n"
        );
        let reply = server.register(&yaml).await;
        anyhow::ensure!(reply.status == 201, "{reply:#?}");
    }
    let processes = processes(&server)?;
    // Caches and allocators fill up first.
    run(&server, 2_000).await?;
    let before = private_bytes(&processes)?;
    let started = Instant::now();
    run(&server, STEPS).await?;
    let took = started.elapsed().as_secs_f64();
    let after = private_bytes(&processes)?;
    let mib = |bytes: usize| bytes as f64 / 1048576.0;
    println!(
        "| server and workers after 100,000 hostile steps, private memory | {:.1} MiB | | {:.1} MiB before; {:.0} steps per second |",
        mib(after),
        mib(before),
        STEPS as f64 / took
    );
    Ok(())
}

async fn run(server: &Arc<Server>, steps: usize) -> anyhow::Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let (server, next) = (Arc::clone(server), Arc::clone(&next));
            tokio::spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= steps {
                        return anyhow::Ok(());
                    }
                    let path = format!("bench/h{}", n % CODES.len());
                    let reply = server.execute(&path, json!({})).await;
                    anyhow::ensure!(reply.status == 422, "{reply:#?}");
                }
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    Ok(())
}

/// The server's process and its workers.
pub fn processes(server: &Server) -> anyhow::Result<Vec<u32>> {
    let id = server.child.id().expect("it runs");
    let mut all = vec![id];
    for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
        let children = std::fs::read_to_string(task?.path().join("children"))?;
        all.extend(
            children
                .split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
    }
    Ok(all)
}
