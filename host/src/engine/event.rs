//! What happens in an execution, as it is told and as it is stored.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::activity::Update;
use super::execution::failed;
use super::given::Given;
use crate::capabilities::log::Entry;
use crate::sandbox::{StepError, Usage};
use crate::store::StoredEvent;

/// Something that happened, told while the execution runs.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The store has accepted the execution.
    ExecutionStarted {
        /// The execution's id.
        execution_id: Uuid,
        /// The playbook's path.
        path: String,
        /// The playbook's version.
        version: i32,
    },
    /// A tool step was given to the sandbox.
    StepStarted {
        /// The step's name.
        step: String,
        /// Its tool.
        tool: String,
    },
    /// An attempt is to be made again.
    AttemptFailed {
        /// The step's name.
        step: String,
        /// The item of a loop, from 0.
        #[serde(skip_serializing_if = "Option::is_none")]
        index: Option<usize>,
        /// Which attempt, from 1.
        attempt: u32,
        /// Why it failed, if it did.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<StepError>,
        /// Until the next one, in milliseconds.
        wait_ms: f64,
    },
    /// An item of a loop has ended.
    ItemFinished {
        /// The step's name.
        step: String,
        /// The item, from 0.
        index: usize,
        /// `success` or `failed`.
        status: &'static str,
    },
    /// A tool step has ended.
    StepFinished {
        /// What is kept of it.
        #[serde(flatten)]
        record: StepRecord,
        /// What it wrote to its log.
        log: Vec<Entry>,
    },
}

impl Event {
    /// The event's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ExecutionStarted { .. } => "execution_started",
            Self::StepStarted { .. } => "step_started",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::ItemFinished { .. } => "item_finished",
            Self::StepFinished { .. } => "step_finished",
        }
    }
}

/// One run of a tool step, for the answer and for people.
#[derive(Debug, Clone, Serialize)]
pub struct StepRecord {
    /// The step's name.
    pub step: String,
    /// Its tool.
    pub tool: String,
    /// `success`, `failed` or `cancelled`.
    pub status: &'static str,
    /// When it was given to the sandbox.
    pub started_at: DateTime<Utc>,
    /// From its turn to its end, tear-down included, in milliseconds.
    pub duration_ms: f64,
    /// What a processor worked for it, in milliseconds.
    pub cpu_ms: f64,
    /// From then until its turn, in milliseconds.
    pub queued_ms: f64,
    /// Its linear memory at its largest, in bytes.
    pub memory_bytes: u64,
    /// Calls from its instance to the host.
    pub host_calls: u64,
    /// How often its action was run, if more than once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// The items of its loop, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<usize>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<StepError>,
}

impl StepRecord {
    pub(super) fn new(
        step: &str,
        tool: &str,
        started_at: DateTime<Utc>,
        usage: Usage,
        error: Option<StepError>,
    ) -> Self {
        Self {
            step: step.into(),
            tool: tool.into(),
            status: error.as_ref().map_or("success", failed),
            started_at,
            duration_ms: milliseconds(usage.duration),
            cpu_ms: milliseconds(usage.cpu),
            queued_ms: milliseconds(usage.queued),
            memory_bytes: usage.memory_bytes,
            host_calls: usage.host_calls,
            attempts: None,
            items: None,
            error,
        }
    }

    /// With how often its action was run.
    pub(super) fn counted(mut self, attempts: u32, items: Option<usize>) -> Self {
        self.attempts = Some(attempts).filter(|&n| n > 1 || items.is_some());
        self.items = items;
        self
    }
}

pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// The events of an execution that are not stored yet.
#[derive(Default)]
pub(super) struct Journal {
    next: i32,
    unstored: Vec<StoredEvent>,
}

impl Journal {
    /// One whose first event is numbered `next`.
    pub(super) fn from(next: i32) -> Self {
        Self {
            next,
            unstored: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, event: &'static str, step: Option<&str>, data: Value) {
        self.unstored.push(StoredEvent {
            seq: self.next,
            at: Utc::now(),
            event,
            step: step.map(Into::into),
            data,
        });
        self.next += 1;
    }

    pub(super) fn step_finished(
        &mut self,
        record: &StepRecord,
        given: Option<&Given>,
        log: &[Entry],
        vars: &[(String, Option<Value>)],
        next: &[&str],
    ) {
        let vars: Map<String, Value> = vars
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().unwrap_or_default()))
            .collect();
        // The items' own events have their logs.
        let log = if record.items.is_some() { &[] } else { log };
        let mut data = json!({
            "tool": record.tool,
            "status": record.status,
            "duration_ms": record.duration_ms,
            "cpu_ms": record.cpu_ms,
            "queued_ms": record.queued_ms,
            "memory_bytes": record.memory_bytes,
            "host_calls": record.host_calls,
            "result": given.map(|given| &given.data),
            "error": record.error,
            "log": log,
            "vars": vars,
            "next": next,
            "started_at": record.started_at,
        });
        if let Some(attempts) = record.attempts {
            data["attempts"] = json!(attempts);
        }
        if let Some(items) = record.items {
            data["items"] = json!(items);
        }
        if let Some(errors) = given.and_then(|given| given.errors.as_ref()) {
            data["errors"] = json!(errors);
        }
        if let Some(sink) = given.and_then(|given| given.sink.as_ref()) {
            data["sink"] = sink.clone();
        }
        self.push("step_finished", Some(&record.step), data);
    }

    /// Takes what was kept of a step that goes on.
    pub(super) fn update(&mut self, step: &str, update: &Update) {
        match update {
            Update::Attempt {
                item,
                attempt,
                result,
                wait,
                ..
            } => {
                let mut data = json!({"attempt": attempt, "wait_ms": milliseconds(*wait)});
                if let Some(item) = item {
                    data["index"] = json!(item);
                }
                match result {
                    Ok(result) => data["result"] = result.clone(),
                    Err(error) => data["error"] = json!(error),
                }
                self.push("attempt_failed", Some(step), data);
            }
            Update::Item {
                item, args, done, ..
            } => {
                let data = json!({
                    "index": item,
                    "status": done.result.as_ref().err().map_or("success", failed),
                    "args": args,
                    "result": done.result.as_ref().ok(),
                    "error": done.result.as_ref().err(),
                    "attempts": done.attempts,
                    "duration_ms": milliseconds(done.usage.duration),
                    "cpu_ms": milliseconds(done.usage.cpu),
                    "log": done.log,
                });
                self.push("item_finished", Some(step), data);
            }
        }
    }

    pub(super) fn take(&mut self) -> Vec<StoredEvent> {
        std::mem::take(&mut self.unstored)
    }
}
