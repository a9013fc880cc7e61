//! What the stored events of an execution say: to go on with it, and to show it.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::activity::{Ended, Partial};
use super::given::Given;
use super::{Failure, StepRecord};
use crate::capabilities::log::Entry;
use crate::sandbox::{StepError, Usage};
use crate::store::EventRecord;

/// The steps of an execution that have ended, in that order.
pub struct History {
    pub(super) finished: Vec<Past>,
    /// Those of `finally`, if the workflow has ended.
    pub(super) finally: Option<Finally>,
    /// What was done of steps that have not ended.
    pub(super) partial: HashMap<String, Partial>,
    /// The number of the next event.
    pub(super) next: i32,
}

/// How the workflow ended, and what came after.
pub(super) struct Finally {
    pub failure: Option<Failure>,
    pub finished: Vec<Past>,
}

/// A step that has ended.
pub(super) struct Past {
    pub step: String,
    tool: String,
    pub started_at: DateTime<Utc>,
    pub ended: Ended,
}

/// The data of `step_finished`, as `event::Journal` writes it.
#[derive(Deserialize)]
struct Finished {
    tool: String,
    #[serde(default)]
    started_at: Option<DateTime<Utc>>,
    #[serde(default)]
    duration_ms: f64,
    #[serde(default)]
    cpu_ms: f64,
    #[serde(default)]
    queued_ms: f64,
    #[serde(default)]
    memory_bytes: u64,
    #[serde(default)]
    host_calls: u64,
    #[serde(flatten)]
    given: Given,
    #[serde(default)]
    attempts: Option<u32>,
    #[serde(default)]
    items: Option<usize>,
    #[serde(default)]
    error: Option<StepError>,
    #[serde(default)]
    log: Vec<Entry>,
}

/// The data of `attempt_failed`.
#[derive(Deserialize)]
struct AttemptFailed {
    attempt: u32,
    index: Option<usize>,
}

/// The data of `item_finished`.
#[derive(Deserialize)]
struct ItemFinished {
    index: usize,
    #[serde(default)]
    result: Value,
    error: Option<StepError>,
}

/// The data of `finally_started`.
#[derive(Deserialize)]
struct FinallyStarted {
    failure: Option<Failure>,
}

impl History {
    /// The history in these events.
    ///
    /// # Errors
    /// If an event is not as this server writes them.
    pub fn read(events: &[EventRecord]) -> Result<Self, serde_json::Error> {
        let mut history = Self {
            finished: Vec::new(),
            finally: None,
            partial: HashMap::new(),
            next: events.last().map_or(0, |event| event.seq + 1),
        };
        for event in events {
            history.add(event)?;
        }
        Ok(history)
    }

    fn add(&mut self, event: &EventRecord) -> Result<(), serde_json::Error> {
        let step = event.step.clone().unwrap_or_default();
        let data = event.data.get();
        match event.event.as_str() {
            "attempt_failed" => {
                let failed: AttemptFailed = serde_json::from_str(data)?;
                let partial = self.partial.entry(step).or_default();
                partial.attempts.insert(failed.index, failed.attempt);
            }
            "item_finished" => {
                let item: ItemFinished = serde_json::from_str(data)?;
                let partial = self.partial.entry(step).or_default();
                let result = item.error.map_or(Ok(item.result), Err);
                partial.items.insert(item.index, result);
            }
            "step_finished" => {
                self.partial.remove(&step);
                let past = Past::read(step, event.at, data)?;
                match &mut self.finally {
                    None => self.finished.push(past),
                    Some(finally) => finally.finished.push(past),
                }
            }
            "finally_started" => {
                let FinallyStarted { failure } = serde_json::from_str(data)?;
                // What ran then was stopped.
                self.partial.clear();
                self.finally = Some(Finally {
                    failure,
                    finished: Vec::new(),
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// What is kept of the steps.
    #[must_use]
    pub fn records(&self) -> Vec<StepRecord> {
        let finally = self.finally.iter().flat_map(|finally| &finally.finished);
        let all = self.finished.iter().chain(finally);
        all.map(|past| {
            let ended = &past.ended;
            let error = ended.result.as_ref().err().cloned();
            StepRecord::new(&past.step, &past.tool, past.started_at, ended.usage, error)
                .counted(ended.attempts, ended.items)
        })
        .collect()
    }
}

impl Past {
    fn read(step: String, at: DateTime<Utc>, data: &str) -> Result<Self, serde_json::Error> {
        let data: Finished = serde_json::from_str(data)?;
        let milliseconds = |ms: f64| Duration::from_secs_f64(ms.max(0.0) / 1000.0);
        Ok(Self {
            step,
            tool: data.tool,
            started_at: data.started_at.unwrap_or(at),
            ended: Ended {
                result: data.error.map_or(Ok(data.given), Err),
                log: data.log,
                usage: Usage {
                    duration: milliseconds(data.duration_ms),
                    queued: milliseconds(data.queued_ms),
                    cpu: milliseconds(data.cpu_ms),
                    memory_bytes: data.memory_bytes,
                    host_calls: data.host_calls,
                },
                attempts: data.attempts.unwrap_or(1),
                items: data.items,
            },
        })
    }
}

/// A run of a tool step, for people.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepHistory {
    /// The step's name.
    pub step: String,
    /// Its tool.
    pub tool: String,
    /// `running`, `success`, `failed`, `cancelled` or `interrupted`.
    pub status: String,
    /// When it was given to the sandbox.
    pub started_at: DateTime<Utc>,
    /// When its end was recorded.
    pub finished_at: Option<DateTime<Utc>>,
    /// From its turn to its end, in milliseconds.
    pub duration_ms: Option<f64>,
    /// What a processor worked for it, in milliseconds.
    pub cpu_ms: Option<f64>,
    /// How long it waited for its turn, in milliseconds.
    pub queued_ms: Option<f64>,
    /// Its linear memory at its largest, in bytes.
    pub memory_bytes: Option<u64>,
    /// Calls from its instance to the host.
    pub host_calls: Option<u64>,
    /// How often its action was run, if more than once.
    pub attempts: Option<u32>,
    /// The items of its loop, if it has one.
    pub items: Option<usize>,
    /// How many of the items have ended.
    pub items_finished: usize,
    /// What it was given.
    #[schema(value_type = Object)]
    pub args: Option<Box<RawValue>>,
    /// What it gave.
    #[schema(value_type = Value)]
    pub result: Option<Box<RawValue>>,
    /// The variables that it set.
    #[schema(value_type = Object)]
    pub vars: Option<Box<RawValue>>,
    /// Why it failed.
    #[schema(value_type = Option<Object>)]
    pub error: Option<Box<RawValue>>,
    /// What it wrote to its log.
    #[schema(value_type = Vec<Object>)]
    pub log: Vec<Entry>,
}

#[derive(Deserialize)]
struct Started {
    tool: String,
    args: Option<Box<RawValue>>,
    items: Option<usize>,
}

#[derive(Deserialize)]
struct Logged {
    #[serde(default)]
    log: Vec<Entry>,
}

#[derive(Deserialize)]
struct Closed {
    tool: String,
    status: String,
    #[serde(default)]
    started_at: Option<DateTime<Utc>>,
    duration_ms: Option<f64>,
    cpu_ms: Option<f64>,
    queued_ms: Option<f64>,
    memory_bytes: Option<u64>,
    host_calls: Option<u64>,
    attempts: Option<u32>,
    items: Option<usize>,
    result: Option<Box<RawValue>>,
    vars: Option<Box<RawValue>>,
    error: Option<Box<RawValue>>,
    #[serde(default)]
    log: Vec<Entry>,
}

/// The runs of tool steps in an execution's events, in the order of their starts.
#[must_use]
pub fn steps(events: &[EventRecord]) -> Vec<StepHistory> {
    let mut steps: Vec<StepHistory> = Vec::new();
    for event in events {
        let name = event.step.as_deref().unwrap_or_default();
        match event.event.as_str() {
            "step_started" => {
                let Ok(started) = serde_json::from_str::<Started>(event.data.get()) else {
                    continue;
                };
                let mut step = StepHistory::started(name, event.at, started.tool, started.args);
                step.items = started.items;
                steps.push(step);
            }
            "attempt_failed" => {
                if let Some(at) = running(&steps, name) {
                    steps[at].attempts = Some(steps[at].attempts.unwrap_or(0) + 1);
                }
            }
            "item_finished" => {
                let logged = serde_json::from_str::<Logged>(event.data.get());
                if let (Some(at), Ok(logged)) = (running(&steps, name), logged) {
                    steps[at].items_finished += 1;
                    steps[at].log.extend(logged.log);
                }
            }
            "step_finished" => {
                let Ok(ended) = serde_json::from_str::<Closed>(event.data.get()) else {
                    continue;
                };
                let at = match running(&steps, name) {
                    Some(at) => at,
                    // It could not even start.
                    None => {
                        let began = ended.started_at.unwrap_or(event.at);
                        steps.push(StepHistory::started(name, began, ended.tool.clone(), None));
                        steps.len() - 1
                    }
                };
                steps[at].end(event.at, ended);
            }
            "execution_resumed" | "execution_finished" => interrupt(&mut steps),
            _ => {}
        }
    }
    steps
}

fn running(steps: &[StepHistory], name: &str) -> Option<usize> {
    steps
        .iter()
        .rposition(|step| step.step == name && step.status == "running")
}

/// Nobody knows how far a step has come whose server is gone.
fn interrupt(steps: &mut [StepHistory]) {
    for step in steps.iter_mut().filter(|step| step.status == "running") {
        step.status = "interrupted".into();
    }
}

impl StepHistory {
    fn started(step: &str, at: DateTime<Utc>, tool: String, args: Option<Box<RawValue>>) -> Self {
        Self {
            step: step.into(),
            tool,
            status: "running".into(),
            started_at: at,
            finished_at: None,
            duration_ms: None,
            cpu_ms: None,
            queued_ms: None,
            memory_bytes: None,
            host_calls: None,
            attempts: None,
            items: None,
            items_finished: 0,
            args,
            result: None,
            vars: None,
            error: None,
            log: Vec::new(),
        }
    }

    fn end(&mut self, at: DateTime<Utc>, ended: Closed) {
        self.status = ended.status;
        self.started_at = ended.started_at.unwrap_or(self.started_at);
        self.finished_at = Some(at);
        self.duration_ms = ended.duration_ms;
        self.cpu_ms = ended.cpu_ms;
        self.queued_ms = ended.queued_ms;
        self.memory_bytes = ended.memory_bytes;
        self.host_calls = ended.host_calls;
        self.attempts = ended.attempts;
        self.items = ended.items.or(self.items);
        self.result = ended.result;
        self.vars = ended.vars;
        self.error = ended.error;
        self.log.extend(ended.log);
    }
}
