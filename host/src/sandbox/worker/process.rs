//! Starts a worker's process.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};

use super::super::lockdown::Confinement;
use super::protocol::{FromWorker, Reader, ToWorker, ToolFiles, Writer, decode, encode, framed};

/// The hidden argument with which this program is a worker.
pub const WORKER: &str = "sandbox-worker";

/// Loading the tools takes a tenth of a second.
const START: Duration = Duration::from_secs(60);
/// What is read of a worker's stderr: a panic's message, not a flood.
const STDERR_BYTES: u64 = 64 << 10;

/// A worker that is ready.
pub(super) struct Process {
    pub child: Child,
    pub reader: Reader,
    pub writer: Writer,
    pub confinement: Confinement,
    pub tools: Arc<ToolFiles>,
}

/// A program as a worker: it gets a socket, and nothing else: no environment, no
/// directory, no open file.
pub fn worker_command(program: &Path, socket: OwnedFd) -> Command {
    let mut command = Command::new(program);
    command
        .arg(WORKER)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A terminal's Ctrl-C is for the server, which lets steps finish.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Starts a worker and waits until it is ready.
pub(super) async fn start(program: &Path, tools: &Arc<ToolFiles>) -> anyhow::Result<Process> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut child = worker_command(program, theirs.into())
        .spawn()
        .with_context(|| format!("can't start a sandbox worker ({})", program.display()))?;
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(listen(stderr, child.id()));
    }
    let (mut reader, mut writer) = framed(UnixStream::from_std(ours)?);
    writer
        .send(encode(&ToWorker::Load(ToolFiles::clone(tools))))
        .await
        .context("the sandbox worker takes no message")?;
    let frame = tokio::time::timeout(START, reader.next())
        .await
        .context("the sandbox worker does not get ready")?;
    let Some(frame) = frame else {
        let status = child.wait().await?;
        bail!("the sandbox worker ended before it was ready ({status})");
    };
    match decode(&frame?)? {
        FromWorker::Ready(Ok(confinement)) => Ok(Process {
            child,
            reader,
            writer,
            confinement,
            tools: Arc::clone(tools),
        }),
        FromWorker::Ready(Err(error)) => bail!("{error}"),
        other => bail!("the sandbox worker is not ready, it says {other:?}"),
    }
}

/// Passes on what a worker has to complain about.
async fn listen(stderr: ChildStderr, pid: Option<u32>) {
    let mut lines = BufReader::new(stderr.take(STDERR_BYTES)).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // As a debug text: control characters are escaped.
        tracing::warn!(pid, message = ?line, "a sandbox worker says");
    }
}
