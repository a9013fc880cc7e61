//! Executions, from being wanted to their end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures_util::FutureExt;
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use super::App;
use super::running::Place;
use crate::access::Principal;
use crate::admission::Admitted;
use crate::api::answer::{Answer, Problem};
use crate::engine::{Event, Execution, History, Lineage, Listener, Outcome, Replay};
use crate::store::{
    Accepted, ExecutionRecord, ExecutionSummary, Finished, NewExecution, RecordError,
};

/// An execution that somebody wants.
pub struct Wanted {
    /// The playbook's path.
    pub path: String,
    /// Its version; the latest, if there is none.
    pub version: Option<i32>,
    /// What goes over its workload.
    pub payload: Map<String, Value>,
    /// The caller's name for the request.
    pub idempotency: Option<Idempotency>,
    /// The execution that it does once more.
    pub rerun_of: Option<Uuid>,
}

/// A request that is to be done once, however often it is sent.
pub struct Idempotency {
    /// The caller's name for it.
    pub key: String,
    /// A digest of what is in it.
    pub digest: [u8; 32],
}

/// An execution that was accepted, and is to be run.
pub(super) struct Task {
    pub tenant: String,
    pub path: String,
    pub version: i32,
    pub payload: Map<String, Value>,
    pub events: Option<Listener>,
    /// What has happened in it, if it was begun before.
    pub history: Option<History>,
    /// The playbooks above it.
    pub lineage: Lineage,
}

/// A change that is not told of is looked for after this long: another server may
/// run the execution.
const LOOK: Duration = Duration::from_secs(1);

impl App {
    /// Runs a playbook to its end. An execution that was accepted runs on even if
    /// the caller goes away.
    ///
    /// # Errors
    /// The problem, as the caller is to be told.
    pub async fn execute(
        &self,
        admitted: Admitted,
        principal: &Principal,
        wanted: Wanted,
        events: Option<Listener>,
    ) -> Result<Answer, Box<Problem>> {
        let (told, _) = oneshot::channel();
        self.begin(admitted, principal, wanted, events, told)
            .await
            .unwrap_or_else(|_| Err(Box::new(broke())))
    }

    /// Has a playbook run, and returns the execution's id as soon as it is accepted.
    ///
    /// # Errors
    /// The problem, as the caller is to be told.
    pub async fn start_execution(
        &self,
        admitted: Admitted,
        principal: &Principal,
        wanted: Wanted,
    ) -> Result<Uuid, Box<Problem>> {
        let (told, accepted) = oneshot::channel();
        let running = self.begin(admitted, principal, wanted, None, told);
        if let Ok(id) = accepted.await {
            return Ok(id);
        }
        match running.await {
            Ok(Err(problem)) => Err(problem),
            _ => Err(Box::new(broke())),
        }
    }

    fn begin(
        &self,
        admitted: Admitted,
        principal: &Principal,
        wanted: Wanted,
        events: Option<Listener>,
        accepted: oneshot::Sender<Uuid>,
    ) -> tokio::task::JoinHandle<Result<Answer, Box<Problem>>> {
        let (app, principal) = (self.clone(), principal.clone());
        let executing = async move {
            let _admitted = admitted;
            app.accept(&principal, wanted, events, accepted).await
        };
        self.inner.executions.spawn(executing.in_current_span())
    }

    async fn accept(
        &self,
        principal: &Principal,
        wanted: Wanted,
        events: Option<Listener>,
        told: oneshot::Sender<Uuid>,
    ) -> Result<Answer, Box<Problem>> {
        let Wanted { path, payload, .. } = wanted;
        // PostgreSQL's texts hold none, so no playbook has such a path.
        if path.contains('\0') || !principal.may_use(&path) {
            return Err(Box::new(Problem::no_playbook(&path)));
        }
        let id = Uuid::now_v7();
        let place = self.inner.running.enter(id).expect("a new id");
        let payload_text = Value::Object(payload.clone()).to_string();
        let tenant = &principal.tenant;
        let new = NewExecution {
            id,
            path: &path,
            version: wanted.version,
            payload: &payload_text,
            started_at: Utc::now(),
            started_by: Some(&principal.subject),
            rerun_of: wanted.rerun_of,
            parent: None,
            idempotency: wanted
                .idempotency
                .as_ref()
                .map(|i| (i.key.as_str(), i.digest.as_slice())),
        };
        let accepted = self.inner.store.accept(tenant, new).await;
        let version = match accepted.map_err(Problem::store)? {
            Accepted::New { version } => version,
            Accepted::NoPlaybook => {
                return Err(Box::new(match wanted.version {
                    None => Problem::no_playbook(&path),
                    Some(version) => Problem::no_version(&path, version),
                }));
            }
            Accepted::KeyReused => return Err(Box::new(Problem::key_reused())),
            Accepted::Before { id } => {
                drop(place);
                let _ = told.send(id);
                return self.answer_again(tenant, id).await;
            }
        };
        let _ = told.send(id);
        let task = Task {
            tenant: tenant.clone(),
            path,
            version,
            payload,
            events,
            history: None,
            lineage: Lineage::default(),
        };
        let outcome = self.carry_out(&place, task).await?;
        Answer::new(id, outcome)
    }

    /// The answer of the execution that the same request led to before.
    async fn answer_again(&self, tenant: &str, id: Uuid) -> Result<Answer, Box<Problem>> {
        let record = self.ended(tenant, id).await?;
        Answer::of(record).map(Answer::replayed)
    }

    /// Runs an accepted execution, from its beginning or from where its history
    /// ends.
    pub(super) async fn carry_out(
        &self,
        place: &Place,
        task: Task,
    ) -> Result<Outcome, Box<Problem>> {
        let (id, tenant) = (place.id, task.tenant.clone());
        let running = self.run(place, task);
        let (mut problem, ended) = match AssertUnwindSafe(running).catch_unwind().await {
            Ok(Ok(outcome)) => return Ok(outcome),
            Ok(Err(Broken::Off(problem))) => (problem, false),
            Ok(Err(Broken::ForGood(problem))) => (problem, true),
            Err(_) => {
                tracing::error!(execution_id = %id, "an execution broke");
                (Box::new(broke()), true)
            }
        };
        problem.about(id);
        if ended {
            self.fail(&tenant, id, &problem).await;
        }
        Err(problem)
    }

    async fn run(&self, place: &Place, task: Task) -> Result<Outcome, Broken> {
        let id = place.id;
        let Task {
            tenant,
            path,
            version,
            payload,
            mut events,
            history,
            lineage,
        } = task;
        let plan = match self.plan(&tenant, &path, version).await {
            Ok(plan) => plan,
            Err(problem) if problem.is_of_store() => return Err(Broken::Off(problem)),
            Err(problem) => return Err(Broken::ForGood(problem)),
        };
        if let Some(listener) = &mut events {
            listener.tell(&Event::ExecutionStarted {
                execution_id: id,
                path,
                version,
            });
        }
        let execution = Execution {
            tenant,
            id,
            plan,
            version,
            payload,
            events,
            history,
            cancel: place.cancel.clone(),
            calls: Arc::new(self.clone()),
            lineage,
        };
        self.inner.engine.run(execution).await.map_err(|error| {
            tracing::error!(execution_id = %id, %error, "an execution could not be recorded");
            Broken::Off(Box::new(match error {
                RecordError::Store(error) => Problem::store(error),
                RecordError::Lost => Problem::lost(),
            }))
        })
    }

    /// Marks an execution that can't come to its end as failed. If the store does
    /// not answer, it is taken up again later, as one that broke off.
    async fn fail(&self, tenant: &str, id: Uuid, problem: &Problem) {
        let finished = Finished {
            status: "failed",
            result: None,
            error: Some(problem.as_error()),
        };
        match self.inner.store.end(tenant, id, &finished).await {
            Ok(_) => self.inner.engine.changes().tell(tenant, id, true),
            Err(error) => {
                tracing::error!(execution_id = %id, %error, "can't mark an execution as failed");
            }
        }
    }

    /// Cancels an execution, and returns how it ended; `None` if it had ended
    /// before, or there is none.
    ///
    /// # Errors
    /// If the store fails, or the execution does not end.
    pub async fn cancel(&self, tenant: &str, id: Uuid) -> Result<Option<String>, Box<Problem>> {
        let asked = self.inner.store.ask_to_cancel(tenant, id).await;
        if asked.map_err(Problem::store)?.as_deref() != Some("running") {
            return Ok(None);
        }
        self.inner.running.cancel(id);
        let record = timeout(CANCELLED, self.ended(tenant, id)).await;
        match record {
            Ok(record) => Ok(Some(record?.summary.status)),
            Err(_) => Err(Box::new(Problem::internal(
                "the execution is to be cancelled, and has not ended yet",
            ))),
        }
    }

    /// Walks an execution that has ended once more, without running anything.
    ///
    /// # Errors
    /// Its playbook or its record can't be read.
    pub(crate) async fn replay(
        &self,
        tenant: &str,
        record: ExecutionRecord,
    ) -> Result<Replay, Box<Problem>> {
        let unreadable = |_| Box::new(Problem::internal("the execution's record can't be read"));
        let ExecutionSummary {
            execution_id,
            path,
            version,
            ..
        } = &record.summary;
        let plan = self.plan(tenant, path, *version).await?;
        let payload = serde_json::from_str(record.payload.get()).map_err(unreadable)?;
        let history = History::read(&record.events).map_err(unreadable)?;
        let result = record.result.as_ref();
        let result = result.map(|result| serde_json::from_str(result.get()));
        let execution = Execution {
            tenant: tenant.to_owned(),
            id: *execution_id,
            plan,
            version: *version,
            payload,
            events: None,
            history: Some(history),
            cancel: CancellationToken::new(),
            calls: Arc::new(self.clone()),
            lineage: Lineage::default(),
        };
        let result = result.transpose().map_err(unreadable)?;
        let engine = &self.inner.engine;
        Ok(engine.replay(execution, &record.events, result).await)
    }

    /// Waits for the end of an execution.
    pub(crate) async fn ended(
        &self,
        tenant: &str,
        id: Uuid,
    ) -> Result<ExecutionRecord, Box<Problem>> {
        let mut changes = self.inner.engine.changes().watch();
        loop {
            let store = &self.inner.store;
            let summary = store.execution_summary(tenant, id).await;
            let summary = summary.map_err(Problem::store)?;
            if summary.is_none_or(|summary| summary.status != "running") {
                let record = store.execution(tenant, id).await;
                let record = record.map_err(Problem::store)?;
                return record.ok_or_else(|| Box::new(Problem::no_execution(id)));
            }
            let change = changes.next(|change| change.id == id && change.status);
            let _ = timeout(LOOK, change).await;
        }
    }
}

/// How long an execution may take to end when it is cancelled.
const CANCELLED: Duration = Duration::from_secs(10);

/// Why an execution did not come to its end.
enum Broken {
    /// What has happened could not be recorded: it is taken up again later.
    Off(Box<Problem>),
    /// It never will.
    ForGood(Box<Problem>),
}

pub(super) fn broke() -> Problem {
    Problem::internal("the execution broke; the server's log says more")
}
