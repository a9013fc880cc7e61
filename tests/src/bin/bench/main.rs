//! `make bench`: the figures of docs/performance.md, measured on this machine.
//!
//! Each figure is the median of many runs with the 99th percentile beside it,
//! and where Python is the peer, a started `python3` does the same in the same
//! run of the benchmark, so that the ratio holds on any machine.
//!
//! Arguments name the parts to measure; without any, all are.

mod hostile;
mod language;
mod load;
mod peer;
mod rows;
mod sandbox;
mod server;
mod step;
mod table;
mod workers;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    const PARTS: [&str; 7] = [
        "sandbox", "workers", "rows", "server", "language", "load", "hostile",
    ];
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = asked.iter().find(|part| !PARTS.contains(&part.as_str())) {
        anyhow::bail!(
            "there is no part `{unknown}`; there are: {}",
            PARTS.join(", ")
        );
    }
    println!("| what | p50 | p99 | beside it |\n|---|---|---|---|");
    for part in PARTS {
        if !asked.is_empty() && !asked.iter().any(|asked| asked == part) {
            continue;
        }
        match part {
            "sandbox" => sandbox::measure().await?,
            "workers" => workers::measure().await?,
            "rows" => rows::measure().await?,
            "server" => server::measure().await?,
            "language" => language::measure().await?,
            "load" => load::measure().await?,
            _ => hostile::measure().await?,
        }
    }
    Ok(())
}
