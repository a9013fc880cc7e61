//! Compiles components, in a process that can do nothing else: a compiler is much
//! code, and what it reads is anybody's.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};
use nix::sys::resource::Resource;
use wasmtime::Engine;

use super::lockdown::Lockdown;
use super::runtime::{engine, error};

/// A component's bytes, and those of its machine code.
const WASM_BYTES: u64 = 256 << 20;
const CODE_BYTES: u64 = 2 << 30;
/// What compiling one component may take, all its threads together.
const CPU_SECONDS: u64 = 600;
const MEMORY_BYTES: u64 = 8 << 30;
/// What is kept of a compiler's complaint.
const MESSAGE_BYTES: u64 = 4096;

/// The hidden argument with which this program compiles.
pub const COMPILE: &str = "sandbox-compiler";

/// Where components are compiled.
#[derive(Debug, Clone)]
pub enum Compiler {
    /// In this process: for components that can be trusted.
    Here,
    /// In a process of this program.
    Process(PathBuf),
}

impl Compiler {
    /// Writes the machine code of `wasm` into `code`.
    ///
    /// # Errors
    /// If it is no component that wasmtime accepts, or a limit was reached.
    pub(super) fn compile(
        &self,
        engine: &Engine,
        wasm: &[u8],
        code: &mut File,
    ) -> anyhow::Result<()> {
        if wasm.len() as u64 > WASM_BYTES {
            bail!(
                "the component has {} bytes; {WASM_BYTES} are the most that is compiled",
                wasm.len()
            );
        }
        match self {
            Self::Here => Ok(code.write_all(&precompile(engine, wasm)?)?),
            Self::Process(program) => compile_apart(program, wasm, code),
        }
    }
}

fn precompile(engine: &Engine, wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    engine
        .precompile_component(wasm)
        .map_err(error)
        .context("it is not a component that can be run")
}

fn compile_apart(program: &PathBuf, wasm: &[u8], code: &File) -> anyhow::Result<()> {
    let mut child = Command::new(program)
        .arg(COMPILE)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(code.try_clone()?)
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't start {} to compile", program.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A compiler that has ended says why elsewhere.
        let _ = stdin.write_all(wasm);
    }
    let mut message = String::new();
    if let Some(stderr) = child.stderr.take() {
        let mut bytes = Vec::new();
        let _ = stderr.take(MESSAGE_BYTES).read_to_end(&mut bytes);
        message = String::from_utf8_lossy(&bytes)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    match message.trim() {
        "" => bail!(
            "compiling it was broken off ({status}); it may take {CPU_SECONDS} s of CPU time and {} GiB of memory",
            MEMORY_BYTES >> 30
        ),
        message => bail!("{message}"),
    }
}

/// The process that compiles: a component from stdin, its machine code to stdout.
pub fn compiler() -> ExitCode {
    match compile_stdin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compile_stdin() -> anyhow::Result<()> {
    let mut lockdown = Lockdown::enter();
    let engine = engine().map_err(error)?;
    lockdown.confine(&[
        (Resource::RLIMIT_CPU, CPU_SECONDS),
        (Resource::RLIMIT_DATA, MEMORY_BYTES),
        (Resource::RLIMIT_FSIZE, CODE_BYTES),
        (Resource::RLIMIT_NOFILE, 16),
    ]);
    rayon::ThreadPoolBuilder::new().build_global()?;
    // All of its threads have started, and answer.
    rayon::broadcast(|_| ());
    lockdown.seal();
    let mut wasm = Vec::new();
    std::io::stdin().take(WASM_BYTES).read_to_end(&mut wasm)?;
    std::io::stdout().write_all(&precompile(&engine, &wasm)?)?;
    Ok(())
}
