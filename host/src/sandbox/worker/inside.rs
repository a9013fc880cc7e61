//! The worker's own process.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use async_trait::async_trait;
use futures_util::StreamExt;
use nix::sys::resource::Resource;
use tokio::net::UnixStream;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_util::bytes::Bytes;

use super::super::components::deserialize;
use super::super::instances::Instances;
use super::super::job::{Done, Job};
use super::super::lockdown::{Confinement, Lockdown};
use super::super::runtime::{engine, error, tick};
use super::protocol::{
    FromWorker, Reader, RunId, ToWorker, ToolFiles, WireDone, decode, encode, framed, write,
};
use super::turns::{Started, Turns};
use crate::capabilities::{Backend, Call, Reply};

/// Open files that a worker can have: its socket, and what its loop needs.
const FILES: u64 = 32;

/// Runs steps for the server at the other end of stdin, until it is gone.
pub fn worker() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> anyhow::Result<()> {
    let lockdown = Lockdown::enter();
    let stdin = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut socket = StdUnixStream::from(stdin);
    let ToWorker::Load(tools) = first(&mut socket)? else {
        anyhow::bail!("the first message names the tools");
    };
    let (instances, runtime, confinement) = match prepare(tools, &socket, lockdown) {
        Ok(ready) => ready,
        Err(error) => {
            let refusal = FromWorker::Ready(Err(format!("{error:#}")));
            return last(&mut socket, &refusal);
        }
    };
    runtime.block_on(async {
        let (reader, writer) = framed(UnixStream::from_std(socket)?);
        let (out, outgoing) = mpsc::unbounded_channel();
        tokio::spawn(write(writer, outgoing));
        let out = Out(out);
        out.say(&FromWorker::Ready(Ok(confinement)));
        let turns = Arc::new(Turns::default());
        let run = Arc::clone(&turns);
        tokio::spawn(async move { run.run().await });
        Steps {
            instances: Arc::new(instances),
            out,
            running: Arc::default(),
            turns,
        }
        .run(reader)
        .await
    })
}

/// Loads the tools while files can be opened, then gives up everything.
fn prepare(
    tools: ToolFiles,
    socket: &StdUnixStream,
    mut lockdown: Lockdown,
) -> anyhow::Result<(Instances, tokio::runtime::Runtime, Confinement)> {
    let engine = engine().map_err(error)?;
    let mut instances = Instances::new(&engine).map_err(error)?;
    for (name, code) in tools {
        let component = deserialize(&engine, &code)?;
        // Otherwise done at the first instantiation, which may open no file.
        component.initialize_copy_on_write_image().map_err(error)?;
        instances
            .add(&name, &component)
            .with_context(|| format!("can't use the tool `{name}`"))?;
    }
    lockdown.confine(&[
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_NOFILE, FILES),
    ]);
    socket.set_nonblocking(true)?;
    tick(&engine)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // A guest may compute for a whole tick each time: look for messages after
        // each, not after the usual 61.
        .event_interval(1)
        .build()?;
    Ok((instances, runtime, lockdown.seal()))
}

/// Reads one frame without a runtime.
fn first(socket: &mut StdUnixStream) -> anyhow::Result<ToWorker> {
    use std::io::Read;
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut frame)?;
    decode(&frame)
}

/// Writes one frame without a runtime.
fn last(socket: &mut StdUnixStream, message: &FromWorker) -> anyhow::Result<()> {
    use std::io::Write;
    let frame = encode(message);
    socket.write_all(&u32::try_from(frame.len())?.to_be_bytes())?;
    Ok(socket.write_all(&frame)?)
}

/// The way to the server.
#[derive(Clone)]
struct Out(UnboundedSender<Bytes>);

impl Out {
    fn say(&self, message: &FromWorker) {
        // If the server is gone, the reader ends this process.
        let _ = self.0.send(encode(message));
    }
}

struct Step {
    /// Ends it when dropped.
    _started: Started,
    answers: UnboundedSender<Reply>,
}

struct Steps {
    instances: Arc<Instances>,
    out: Out,
    running: Arc<Mutex<HashMap<RunId, Step>>>,
    turns: Arc<Turns>,
}

impl Steps {
    async fn run(self, mut reader: Reader) -> anyhow::Result<()> {
        while let Some(frame) = reader.next().await {
            match decode(&frame?)? {
                ToWorker::Run(id, job) => self.start(id, job),
                ToWorker::Answer(id, answer) => {
                    if let Some(step) = self.lock().get(&id) {
                        let _ = step.answers.send(answer);
                    }
                }
                ToWorker::Cancel(id) => {
                    drop(self.lock().remove(&id));
                }
                ToWorker::Ping => self.out.say(&FromWorker::Pong),
                ToWorker::Load(_) => anyhow::bail!("tools are loaded once"),
            }
        }
        Ok(())
    }

    fn start(&self, id: RunId, job: Job) {
        let (answers, received) = mpsc::unbounded_channel();
        let instances = Arc::clone(&self.instances);
        let (out, running) = (self.out.clone(), Arc::clone(&self.running));
        let tenant = job.tenant.clone();
        // Nothing else runs until this returns: the step is listed before it starts.
        let started = self.turns.start(&tenant, async move {
            let server = Server {
                run: id,
                out: out.clone(),
                answers: received,
            };
            let Done { result, log, usage } = instances.run(job, Box::new(server)).await;
            running.lock().expect("never poisoned").remove(&id);
            let result =
                result.map_err(|error| serde_json::to_string(&error).expect("an error has a form"));
            out.say(&FromWorker::Done(id, WireDone { result, log, usage }));
        });
        let step = Step {
            _started: started,
            answers,
        };
        self.lock().insert(id, step);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, Step>> {
        self.running.lock().expect("never poisoned")
    }
}

/// The server, as who answers a step's calls.
struct Server {
    run: RunId,
    out: Out,
    answers: UnboundedReceiver<Reply>,
}

#[async_trait]
impl Backend for Server {
    async fn call(&mut self, call: Call) -> Reply {
        self.out.say(&FromWorker::Call(self.run, call));
        match self.answers.recv().await {
            Some(answer) => answer,
            // The step is cancelled, and this with it.
            None => std::future::pending().await,
        }
    }
}
