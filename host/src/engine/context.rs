//! What the steps of one execution have in common.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use async_trait::async_trait;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Engine, Plan};
use crate::playbook::Step;
use crate::sandbox::StepError;

/// One execution, as its steps see it.
pub(super) struct Context {
    pub engine: Engine,
    pub tenant: String,
    pub id: Uuid,
    pub plan: Arc<Plan>,
    pub calls: Arc<dyn Playbooks>,
    /// The playbooks that led to it, and how many their calls are.
    pub lineage: Lineage,
}

/// Runs playbooks that are steps of others.
#[async_trait]
pub trait Playbooks: Send + Sync {
    /// Runs one to its end and returns what it gives. Asked for the same key of the
    /// same execution again, it goes on with the execution that it began before. If it
    /// is dropped, the playbook's execution is cancelled.
    async fn call(&self, call: PlaybookCall) -> Result<Value, StepError>;
}

/// A call of a playbook.
pub struct PlaybookCall {
    /// The tenant of the caller, and so of the playbook.
    pub tenant: String,
    /// The execution that calls.
    pub parent: Uuid,
    /// The step that calls.
    pub step: String,
    /// Which call of the execution it is.
    pub key: String,
    /// The playbook's path.
    pub path: String,
    /// Its version; the latest, if there is none.
    pub version: Option<i32>,
    /// What goes over its workload.
    pub payload: Map<String, Value>,
    /// The lineage of the new execution.
    pub lineage: Lineage,
}

/// The playbooks above an execution.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    /// Their paths, the first one first.
    pub paths: Vec<String>,
    /// Executions that the first one has led to.
    pub family: Family,
}

/// Counts the executions that one has led to, at every depth.
pub type Family = Arc<AtomicUsize>;

impl Context {
    /// The step of this index.
    pub fn step(&self, index: usize) -> &Step {
        &self.plan.playbook.steps[index]
    }
}
