//! What a step asks of the sandbox, and what it gets back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Limits;
use crate::capabilities::Scope;
use crate::capabilities::log::Entry;
use crate::grants::{Caller, Grant};
use crate::tool::Capabilities;

/// Runs steps. Implementations differ in where the instance lives.
#[async_trait]
pub trait StepRunner: Send + Sync {
    /// Whether it can run one now, or why not.
    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    /// Runs one step in an instance of its own. A step that fails is an
    /// outcome too, so there is no error beside it.
    async fn run(&self, request: StepRequest) -> StepOutcome;
}

#[async_trait]
impl<R: StepRunner + ?Sized> StepRunner for Arc<R> {
    fn ready(&self) -> Result<(), String> {
        (**self).ready()
    }

    async fn run(&self, request: StepRequest) -> StepOutcome {
        (**self).run(request).await
    }
}

/// One call of a tool.
#[derive(Debug, Clone)]
pub struct StepRequest {
    /// What the runner calls the tool by: the name of one that every server has, or
    /// the digest of one that was pushed.
    pub tool: String,
    /// The tenant that the step runs for.
    pub tenant: String,
    /// The execution that the step belongs to.
    pub execution_id: Uuid,
    /// The playbook's path, for the log of denials.
    pub playbook: String,
    /// The step's name in the playbook.
    pub step: String,
    /// What the playbook says of the tool itself, a JSON object.
    pub config: Value,
    /// The step's rendered arguments, a JSON object.
    pub args: Value,
    /// What its tenant was granted. The runner checks what the step asks the
    /// host for; whether it may have the tool was checked before.
    pub grant: Arc<Grant>,
    /// What its tool's manifest asks for, and so all that the step gets of the
    /// grant. Without a manifest that is the whole grant.
    pub capabilities: Option<Arc<Capabilities>>,
    /// The aliases of the credentials that it may use, as far as they are granted;
    /// all of them, if there is no list.
    pub credentials: Option<Arc<[String]>>,
    /// How much the step may use: at most what the grant says.
    pub limits: Limits,
}

impl StepRequest {
    /// Who is to be named when something is denied.
    pub fn caller(&self) -> Caller {
        Caller {
            tenant: self.tenant.clone(),
            playbook: self.playbook.clone(),
            step: self.step.clone(),
            execution_id: Some(self.execution_id),
        }
    }

    /// What it may reach if it starts now.
    pub(super) fn scope(&self) -> Scope {
        Scope {
            caller: self.caller(),
            grant: Arc::clone(&self.grant),
            capabilities: self.capabilities.clone(),
            credentials: self.credentials.clone(),
            limits: self.limits,
            deadline: Instant::now() + self.limits.time,
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone)]
pub struct StepOutcome {
    /// `result.data`, or why there is none.
    pub result: Result<Value, StepError>,
    /// What the step wrote to its log.
    pub log: Vec<Entry>,
    /// What it used.
    pub usage: Usage,
}

/// What a step used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From its turn to the answer, instantiation and tear-down included.
    pub duration: Duration,
    /// Until its turn.
    pub queued: Duration,
    /// What a processor worked for it.
    pub cpu: Duration,
    /// The instance's linear memory at its largest, in bytes.
    pub memory_bytes: u64,
    /// Calls from the instance to the host.
    pub host_calls: u64,
}

/// Why a step has no result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct StepError {
    /// Whose fault it is, and so what the caller can do about it.
    pub category: ErrorCategory,
    /// What failed, for programs: an exception's class, `postgres`, or the
    /// category again.
    pub kind: String,
    /// What failed, for people.
    pub message: String,
    /// A code from a standard: an SQLSTATE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// More about it: a traceback, a constraint's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Value>>,
}

/// The kinds of [`StepError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCategory {
    /// The tool can't use the configuration or the arguments.
    InvalidInput,
    /// The grant does not allow it.
    Denied,
    /// The tool did its work, and the work failed.
    Failed,
    /// It took longer than it may.
    Timeout,
    /// It used more than it may.
    Limit,
    /// Too many steps wait already; it did not run.
    Overloaded,
    /// The component broke: it trapped or spoke nonsense.
    Trap,
    /// The server could not run the step.
    Internal,
    /// Somebody wanted it to end.
    Cancelled,
}

impl ErrorCategory {
    /// The name that it has in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Overloaded => "overloaded",
            Self::Trap => "trap",
            Self::Internal => "internal",
            Self::Cancelled => "cancelled",
        }
    }
}

impl StepError {
    /// An error whose kind is its category.
    pub fn new(category: ErrorCategory, message: impl Into<String>) -> Self {
        Self {
            category,
            kind: category.as_str().into(),
            message: message.into(),
            code: None,
            details: None,
        }
    }
}
