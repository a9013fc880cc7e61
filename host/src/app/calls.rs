//! Playbooks that are steps of others: each is an execution of its own.

use async_trait::async_trait;
use chrono::Utc;
use serde_json::{Value, json};
use tracing::Instrument;
use uuid::Uuid;

use super::App;
use super::executions::{Task, broke};
use crate::api::answer::Problem;
use crate::engine::{Failure, Outcome, PlaybookCall, Playbooks};
use crate::sandbox::{ErrorCategory, StepError};
use crate::store::{Accepted, ExecutionRecord, NewExecution};

#[async_trait]
impl Playbooks for App {
    async fn call(&self, call: PlaybookCall) -> Result<Value, StepError> {
        let PlaybookCall {
            tenant,
            parent,
            step,
            key,
            path,
            version,
            payload,
            lineage,
        } = call;
        let id = Uuid::now_v7();
        let place = self.inner.running.enter(id).expect("a new id");
        let payload_text = Value::Object(payload.clone()).to_string();
        // No request can bring such a key: it holds a space.
        let key = format!("call {parent}/{key}");
        let new = NewExecution {
            id,
            path: &path,
            version,
            payload: &payload_text,
            started_at: Utc::now(),
            started_by: None,
            rerun_of: None,
            parent: Some((parent, &step)),
            idempotency: Some((&key, &[])),
        };
        let accepted = self.inner.store.accept(&tenant, new).await;
        match accepted.map_err(|error| from_problem(&Problem::store(error)))? {
            Accepted::New { version } => {
                let task = Task {
                    tenant: tenant.clone(),
                    path: path.clone(),
                    version,
                    payload,
                    events: None,
                    history: None,
                    lineage,
                };
                let app = self.clone();
                let running = async move { app.carry_out(&place, task).await };
                let running = self.inner.executions.spawn(running.in_current_span());
                let guard = CancelOnDrop::new(self, &tenant, id);
                let ended = running.await;
                guard.disarm();
                match ended {
                    Ok(Ok(outcome)) => from_outcome(&path, id, outcome),
                    Ok(Err(problem)) => Err(about(from_problem(&problem), &path, id)),
                    Err(_) => Err(from_problem(&broke())),
                }
            }
            // It was begun before the server was gone.
            Accepted::Before { id } => {
                drop(place);
                let guard = CancelOnDrop::new(self, &tenant, id);
                let ended = self.ended(&tenant, id).await;
                guard.disarm();
                from_record(&path, ended.map_err(|problem| from_problem(&problem))?)
            }
            Accepted::NoPlaybook => {
                let what = match version {
                    None => String::new(),
                    Some(version) => format!(" in version {version}"),
                };
                Err(StepError::new(
                    ErrorCategory::InvalidInput,
                    format!("no playbook `{path}` is registered{what}"),
                ))
            }
            Accepted::KeyReused => Err(from_problem(&broke())),
        }
    }
}

/// Cancels an execution unless it is disarmed.
struct CancelOnDrop {
    app: App,
    tenant: String,
    id: Uuid,
    armed: bool,
}

impl CancelOnDrop {
    fn new(app: &App, tenant: &str, id: Uuid) -> Self {
        Self {
            app: app.clone(),
            tenant: tenant.to_owned(),
            id,
            armed: true,
        }
    }

    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        // Without a runtime the server is going down, and another goes on with both.
        if !self.armed || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (app, tenant, id) = (self.app.clone(), self.tenant.clone(), self.id);
        self.app.inner.executions.spawn(async move {
            if let Err(problem) = app.cancel(&tenant, id).await {
                tracing::warn!(execution_id = %id, ?problem, "a called playbook could not be cancelled");
            }
        });
    }
}

fn from_outcome(path: &str, id: Uuid, outcome: Outcome) -> Result<Value, StepError> {
    match outcome.failure {
        None => Ok(outcome.result.unwrap_or_default()),
        Some(Failure { step, error, .. }) => Err(about(
            StepError {
                message: format!("step `{step}`: {}", error.message),
                ..error
            },
            path,
            id,
        )),
    }
}

fn from_record(path: &str, record: ExecutionRecord) -> Result<Value, StepError> {
    let id = record.summary.execution_id;
    let unreadable = || from_problem(&broke());
    if record.summary.status == "success" {
        return match record.result {
            None => Ok(Value::Null),
            Some(result) => serde_json::from_str(result.get()).map_err(|_| unreadable()),
        };
    }
    let error = record.summary.error.ok_or_else(unreadable)?;
    let error: StepError = serde_json::from_str(error.0.get()).map_err(|_| unreadable())?;
    Err(about(error, path, id))
}

/// The error of a called playbook as that of the step that called it.
fn about(error: StepError, path: &str, id: Uuid) -> StepError {
    let category = match error.category {
        // It was not the caller that was cancelled.
        ErrorCategory::Cancelled => ErrorCategory::Failed,
        category => category,
    };
    StepError {
        category,
        message: format!("playbook `{path}`: {}", error.message),
        details: Some(Box::new(
            json!({"execution_id": id, "details": error.details}),
        )),
        ..error
    }
}

fn from_problem(problem: &Problem) -> StepError {
    StepError::new(ErrorCategory::Internal, problem.detail())
}
