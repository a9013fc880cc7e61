//! What the server and its workers say to each other, as length-prefixed frames
//! over a Unix socket.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use futures_util::SinkExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::bytes::Bytes;
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

use super::super::Usage;
use super::super::job::Job;
use super::super::lockdown::Confinement;
use crate::capabilities::log::Written;
use crate::capabilities::{Call, Reply};

/// The largest frame, in bytes: more than any result, statement or row set may be.
const MAX_FRAME: usize = 128 << 20;

/// Names one run of a step, for as long as the server lives.
pub(super) type RunId = u64;

/// Tools, by the name that steps ask for, and the files of their machine code.
pub(super) type ToolFiles = BTreeMap<String, PathBuf>;

/// What a worker is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum ToWorker {
    /// First of all: its tools.
    Load(ToolFiles),
    /// Run a step.
    Run(RunId, Job),
    /// What became of a step's call.
    Answer(RunId, Reply),
    /// Nobody waits for the step any more.
    Cancel(RunId),
    /// Say that you are alive.
    Ping,
}

/// What a worker says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum FromWorker {
    /// The tools are loaded, and there is no way back; or why not.
    Ready(Result<Confinement, String>),
    /// A step calls the server, and waits for the answer.
    Call(RunId, Call),
    /// A step has ended.
    Done(RunId, WireDone),
    /// The answer to a ping.
    Pong,
}

/// [`super::super::job::Done`] on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WireDone {
    /// The result's JSON text; or the error, as JSON.
    pub result: Result<String, String>,
    pub log: Written,
    pub usage: Usage,
}

pub(super) type Reader = FramedRead<OwnedReadHalf, LengthDelimitedCodec>;
pub(super) type Writer = FramedWrite<OwnedWriteHalf, LengthDelimitedCodec>;

pub(super) fn framed(stream: UnixStream) -> (Reader, Writer) {
    let mut codec = LengthDelimitedCodec::new();
    codec.set_max_frame_length(MAX_FRAME);
    let (read, write) = stream.into_split();
    (
        FramedRead::with_capacity(read, codec.clone(), 64 << 10),
        FramedWrite::new(write, codec),
    )
}

/// Sends what comes, as much as there is at once.
pub(super) async fn write(
    mut writer: Writer,
    mut outgoing: UnboundedReceiver<Bytes>,
) -> std::io::Result<()> {
    while let Some(frame) = outgoing.recv().await {
        writer.feed(frame).await?;
        while let Ok(frame) = outgoing.try_recv() {
            writer.feed(frame).await?;
        }
        SinkExt::<Bytes>::flush(&mut writer).await?;
    }
    Ok(())
}

pub(super) fn encode(message: &impl Serialize) -> Bytes {
    postcard::to_allocvec(message)
        .expect("messages have a form")
        .into()
}

pub(super) fn decode<M: DeserializeOwned>(frame: &[u8]) -> anyhow::Result<M> {
    let (message, rest) = postcard::take_from_bytes(frame).context("not a message")?;
    anyhow::ensure!(rest.is_empty(), "a message with something after it");
    Ok(message)
}
