//! `snapshot IN.wasm OUT.wasm`: stores the memory that IN's `init` leaves.
//! `snapshot --imports IN.wasm`: prints what a component imports.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let done = match args
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["--imports", input] => print_imports(Path::new(input)),
        [input, output] => write_snapshot(Path::new(input), Path::new(output)).await,
        _ => Err(anyhow::anyhow!(
            "usage: snapshot IN.wasm OUT.wasm | snapshot --imports IN.wasm"
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

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("can't read {}", path.display()))
}

fn print_imports(input: &Path) -> anyhow::Result<()> {
    for name in snapshot::imports(&read(input)?).map_err(own)? {
        println!("{name}");
    }
    Ok(())
}

async fn write_snapshot(input: &Path, output: &Path) -> anyhow::Result<()> {
    let wasm = read(input)?;
    let made = snapshot::snapshot(&wasm).await.map_err(own)?;
    // Beside it first: an interrupted build leaves no half component.
    let part = output.with_extension("part");
    std::fs::write(&part, &made.component)
        .with_context(|| format!("can't write {}", part.display()))?;
    std::fs::rename(&part, output).with_context(|| format!("can't write {}", output.display()))?;
    eprintln!(
        "[snapshot] {} → {} MB: compiled in {:.1} s, started in {:.1} s, stored in {:.1} s",
        wasm.len() / 1_000_000,
        made.component.len() / 1_000_000,
        made.times.compile.as_secs_f64(),
        made.times.init.as_secs_f64(),
        made.times.snapshot.as_secs_f64(),
    );
    Ok(())
}

/// An error of wasmtime, which has a type of its own.
fn own(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::from_boxed(error.into_boxed_dyn_error())
}
