//! What the language costs: reading it, and loops.

use std::time::Instant;

use noetl::tool::Toolset;
use noetl_tests::Server;
use serde_json::json;

use crate::hostile::processes;
use crate::load::mib;
use crate::step::private_bytes;
use crate::table::{median, row, times};

pub async fn measure() -> anyhow::Result<()> {
    let text = thousand_steps();
    let tools = Toolset::named(["python", "postgres"]);
    let parsed = times(50, || {
        let playbook = noetl::playbook::parse("bench.yaml", &text, &tools);
        anyhow::ensure!(playbook.is_ok_and(|playbook| playbook.steps.len() == 1000));
        Ok(())
    })?;
    row(
        "read and check a playbook of 1,000 steps",
        &parsed,
        &format!(
            "{} KiB, each with a template and a branch",
            text.len() / 1024
        ),
    );

    let server = Server::start().await;
    for (mode, items) in [
        ("mode: sequential", 1000),
        ("mode: parallel, concurrency: 10", 1000),
        ("mode: parallel, concurrency: 1000", 1000),
    ] {
        let reply = server.register(&a_loop(mode, items)).await;
        anyhow::ensure!(reply.status == 201, "{reply:#?}");
        let mut runs = Vec::new();
        for _ in 0..5 {
            let started = Instant::now();
            let reply = server.execute("bench/loop", json!({})).await;
            runs.push(started.elapsed());
            anyhow::ensure!(reply.body["result"][items - 1] == items, "{reply:#?}");
        }
        let each = median(&runs) / items as u32;
        row(
            &format!("a loop over {items} items, {mode}, over HTTP"),
            &runs,
            &format!(
                "{:.2} ms for each; server and workers: {}",
                each.as_secs_f64() * 1000.0,
                mib(private_bytes(&processes(&server)?)?)
            ),
        );
    }
    server.stop().await;
    Ok(())
}

fn a_loop(mode: &str, items: usize) -> String {
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: loop, path: bench/loop}}\nworkflow:\n  - step: start\n    next: [{{step: work}}]\n  - step: work\n    tool: python\n    loop: {{collection: \"{{{{ range({items}) }}}}\", element: n, {mode}}}\n    code: |\n      def main(n):\n          return n + 1\n    args: {{n: \"{{{{ n }}}}\"}}\n    next: [{{step: end}}]\n  - step: end\n"
    )
}

fn thousand_steps() -> String {
    let mut yaml = String::from(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {name: thousand, path: bench/thousand}\nworkload: {n: 1}\nworkflow:\n  - step: start\n    next: [{step: s0}]\n",
    );
    for n in 0..998 {
        let next = match n {
            997 => "end".into(),
            n => format!("s{}", n + 1),
        };
        yaml += &format!(
            "  - step: s{n}\n    tool: python\n    code: |\n      def main(n):\n          return {{\"n\": n}}\n    args: {{n: \"{{{{ workload.n + {n} }}}}\"}}\n    vars: {{v{n}: \"{{{{ result.data.n }}}}\"}}\n    next:\n      - when: \"{{{{ vars.v{n} > 5000 }}}}\"\n        then: [{{step: end}}]\n      - step: {next}\n"
        );
    }
    yaml + "  - step: end\n"
}
