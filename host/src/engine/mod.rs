//! Walks a playbook's steps: renders what they need, runs them, picks what
//! comes next, and records all of it.

mod activity;
mod asserts;
mod changes;
mod context;
mod event;
mod execution;
mod given;
mod history;
mod limits;
mod lineage;
mod listener;
mod plan;
mod recorder;
mod replay;
mod retry;
mod step;
mod tokens;
mod watched;

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use changes::{Changes, Watcher};
pub use context::{Lineage, PlaybookCall, Playbooks};
pub use event::{Event, StepRecord};
pub use execution::{Failure, Outcome};
pub use history::{History, StepHistory, steps};
pub use limits::ExecutionLimits;
pub use listener::{Listener, Told};
pub use plan::Plan;
pub use recorder::Recorder;
pub use replay::{Difference, Replay, ReplayedStep};

use crate::grants::Grants;
use crate::metrics::Metrics;
use crate::sandbox::StepRunner;
use crate::store::{EventRecord, RecordError};
use crate::tool::Toolset;

/// Knows which tools there are.
pub trait Tools: Send + Sync {
    /// The tools that a tenant has now, granted or not.
    fn of(&self, tenant: &str) -> Arc<Toolset>;
}

/// Runs executions.
#[derive(Clone)]
pub struct Engine {
    runner: Arc<dyn StepRunner>,
    tools: Arc<dyn Tools>,
    recorder: Arc<dyn Recorder>,
    grants: Arc<Grants>,
    limits: ExecutionLimits,
    changes: Changes,
    metrics: Metrics,
}

/// One execution, accepted by the store.
pub struct Execution {
    /// The tenant that it runs for.
    pub tenant: String,
    /// Its id.
    pub id: Uuid,
    /// What it runs.
    pub plan: Arc<Plan>,
    /// The version of the playbook.
    pub version: i32,
    /// What the caller sent, merged over the playbook's workload.
    pub payload: Map<String, Value>,
    /// Where to send events as they happen.
    pub events: Option<Listener>,
    /// What has happened in it, if another server began it.
    pub history: Option<History>,
    /// Ends it.
    pub cancel: CancellationToken,
    /// Runs the playbooks that it calls.
    pub calls: Arc<dyn Playbooks>,
    /// The playbooks above it.
    pub lineage: Lineage,
}

impl Engine {
    /// An engine that runs steps of `tools` with `runner`, as far as `grants` allow
    /// them, and records them in `recorder`.
    pub fn new(
        runner: Arc<dyn StepRunner>,
        tools: Arc<dyn Tools>,
        recorder: Arc<dyn Recorder>,
        grants: Arc<Grants>,
        limits: ExecutionLimits,
        metrics: Metrics,
    ) -> Self {
        Self {
            runner,
            tools,
            recorder,
            grants,
            limits,
            changes: Changes::default(),
            metrics,
        }
    }

    /// Where executions tell that something has happened in them.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }

    /// The tools that a tenant's playbooks can name.
    pub fn tools(&self, tenant: &str) -> Arc<Toolset> {
        self.tools.of(tenant)
    }

    /// Whether steps can run now, or why not.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), String> {
        self.runner.ready()
    }

    /// Runs an execution to its end.
    ///
    /// # Errors
    /// Only if it can't be recorded: what becomes of the steps is in the outcome.
    pub async fn run(&self, execution: Execution) -> Result<Outcome, RecordError> {
        let watched = watched::Watched::new(&self.metrics, &execution);
        watched.run(execution::run(self, execution)).await
    }
}

impl Engine {
    /// Walks an execution that has ended once more, from its record: nothing is run.
    /// `execution` has its history; `result` is what it gave.
    pub async fn replay(
        &self,
        execution: Execution,
        events: &[EventRecord],
        result: Option<Value>,
    ) -> Replay {
        execution::replay(self, execution, events, result).await
    }
}

/// The workload's defaults with the payload over them: mappings are merged key
/// by key at every depth, anything else is replaced.
fn merge(defaults: &Map<String, Value>, payload: Map<String, Value>) -> Map<String, Value> {
    let mut merged = defaults.clone();
    for (key, value) in payload {
        match (merged.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => {
                *below = merge(below, above);
            }
            (_, value) => {
                merged.insert(key, value);
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payload_goes_over_the_workload_at_every_depth() {
        let object = |v: Value| v.as_object().cloned().unwrap_or_default();
        let merged = merge(
            &object(json!({"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": {"k": 1}})),
            object(json!({"a": {"y": [3], "z": null}, "b": {"n": 1}, "c": null, "d": 4})),
        );
        assert_eq!(
            Value::Object(merged),
            json!({"a": {"x": 1, "y": [3], "z": null}, "b": {"n": 1}, "c": null, "d": 4})
        );
    }
}
