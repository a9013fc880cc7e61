//! The server's end of the socket to one worker.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use anyhow::bail;
use futures_util::StreamExt;
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::super::job::Job;
use super::process::Process;
use super::protocol::{
    FromWorker, Reader, RunId, ToWorker, ToolFiles, WireDone, Writer, decode, encode, write,
};
use crate::capabilities::Call;

/// How often a worker is asked whether it lives, and how long it may be silent.
const PING: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(10);

/// What a step's worker says to it.
pub(super) enum Said {
    Call(Call),
    Done(WireDone),
}

/// A worker that takes steps.
pub(super) struct Link {
    pub pid: u32,
    /// The tools that it has.
    tools: Arc<ToolFiles>,
    out: UnboundedSender<Bytes>,
    steps: Mutex<Steps>,
    /// Told when a step has left.
    left: Notify,
    next: AtomicU64,
    /// To end the process.
    kill: CancellationToken,
    /// Why the worker is gone; set before its steps are told.
    gone: OnceLock<String>,
}

/// The steps that run in it; `None` when it is gone.
type Steps = Option<HashMap<RunId, Step>>;

struct Step {
    tenant: String,
    said: mpsc::Sender<Said>,
}

/// A step in a worker. Dropped before it is done, it is cancelled there.
pub(super) struct Run {
    link: Arc<Link>,
    id: RunId,
    said: mpsc::Receiver<Said>,
}

impl Link {
    /// Takes over a worker's process. The future ends when the process has, and is
    /// to be polled all the time.
    pub fn new(process: Process) -> (Arc<Self>, impl Future<Output = ()> + Send) {
        let Process {
            child,
            reader,
            writer,
            tools,
            ..
        } = process;
        let (out, outgoing) = mpsc::unbounded_channel();
        let link = Arc::new(Self {
            pid: child.id().unwrap_or_default(),
            tools,
            out,
            steps: Mutex::new(Some(HashMap::new())),
            left: Notify::new(),
            next: AtomicU64::new(0),
            kill: CancellationToken::new(),
            gone: OnceLock::new(),
        });
        let life = live(Arc::clone(&link), child, reader, writer, outgoing);
        (link, life)
    }

    /// Starts a step, unless the worker is gone.
    pub fn run(self: &Arc<Self>, job: &Job) -> Option<Run> {
        // A guest waits for one answer before it calls again: one place for its
        // call, one for its end.
        let (sender, said) = mpsc::channel(2);
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let step = Step {
            tenant: job.tenant.clone(),
            said: sender,
        };
        self.lock().as_mut()?.insert(id, step);
        self.tell(&ToWorker::Run(id, job.clone()));
        Some(Run {
            link: Arc::clone(self),
            id,
            said,
        })
    }

    /// How many steps run in it, and whether one of them is the tenant's; `None`
    /// when it is gone.
    pub fn running(&self, tenant: &str) -> Option<(usize, bool)> {
        let steps = self.lock();
        let steps = steps.as_ref()?;
        let has = steps.values().any(|step| step.tenant == tenant);
        Some((steps.len(), has))
    }

    /// Whether it has the tool.
    pub fn has(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    /// Ends the process once no step runs in it; nobody may start one any more.
    pub async fn retire(&self) {
        loop {
            let left = self.left.notified();
            match self.lock().as_ref() {
                Some(steps) if !steps.is_empty() => {}
                _ => break,
            }
            left.await;
        }
        self.kill("its tools were replaced");
    }

    /// Ends the process, whatever it does.
    pub fn kill(&self, why: &str) {
        let _ = self.gone.set(why.to_owned());
        self.kill.cancel();
    }

    /// Why the worker is gone.
    pub fn why(&self) -> &str {
        self.gone.get().map_or("it has ended", String::as_str)
    }

    fn tell(&self, message: &ToWorker) {
        // A worker that is gone is noticed by its reader.
        let _ = self.out.send(encode(message));
    }

    fn hear(&self, message: FromWorker) -> anyhow::Result<()> {
        let (id, said) = match message {
            FromWorker::Call(id, call) => (id, Said::Call(call)),
            FromWorker::Done(id, done) => (id, Said::Done(done)),
            FromWorker::Pong => return Ok(()),
            FromWorker::Ready(_) => bail!("it says again that it is ready"),
        };
        let ends = matches!(said, Said::Done(_));
        let mut steps = self.lock();
        let Some(steps) = steps.as_mut() else {
            return Ok(());
        };
        // A step that was cancelled meanwhile is unknown.
        let Some(step) = steps.get(&id) else {
            return Ok(());
        };
        match step.said.try_send(said) {
            Err(mpsc::error::TrySendError::Full(_)) => {
                bail!("a step calls without waiting for an answer")
            }
            _ if ends => {
                steps.remove(&id);
                self.left.notify_one();
            }
            _ => {}
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Steps> {
        self.steps.lock().expect("never poisoned")
    }
}

async fn live(
    link: Arc<Link>,
    mut child: Child,
    mut reader: Reader,
    writer: Writer,
    outgoing: UnboundedReceiver<Bytes>,
) {
    let talk = async {
        let mut heard = Instant::now();
        let mut ping = tokio::time::interval(PING);
        loop {
            tokio::select! {
                frame = reader.next() => {
                    let Some(frame) = frame else { return Ok(()) };
                    heard = Instant::now();
                    link.hear(decode(&frame?)?)?;
                }
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE {
                        bail!("it did not answer for {} s", SILENCE.as_secs());
                    }
                    link.tell(&ToWorker::Ping);
                }
            }
        }
    };
    tokio::select! {
        talked = talk => if let Err(error) = talked {
            link.kill(&format!("it was killed, because {error:#}"));
        },
        wrote = write(writer, outgoing) => if let Err(error) = wrote {
            link.kill(&format!("it was killed, because it does not listen: {error}"));
        },
        () = link.kill.cancelled() => {}
    }
    // The end of the process is told by its socket first: no need for haste.
    let grace = if link.gone.get().is_some() {
        Duration::ZERO
    } else {
        Duration::from_secs(1)
    };
    let status = match tokio::time::timeout(grace, child.wait()).await {
        Ok(status) => status,
        Err(_) => {
            let _ = child.start_kill();
            child.wait().await
        }
    };
    let why = match status {
        Ok(status) => format!("it ended by itself ({status})"),
        Err(error) => format!("it can't be waited for: {error}"),
    };
    let _ = link.gone.set(why);
    *link.lock() = None;
    link.left.notify_one();
}

impl Run {
    /// What the step says next; `None` when its worker is gone.
    pub async fn hear(&mut self) -> Option<Said> {
        self.said.recv().await
    }

    /// Says something to the step.
    pub fn tell(&self, message: impl FnOnce(RunId) -> ToWorker) {
        self.link.tell(&message(self.id));
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let listed = self
            .link
            .lock()
            .as_mut()
            .and_then(|steps| steps.remove(&self.id));
        if listed.is_some() {
            self.link.tell(&ToWorker::Cancel(self.id));
            self.link.left.notify_one();
        }
    }
}
