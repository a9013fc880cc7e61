//! Executions and their events. A step costs one round trip.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::{FromRow, types::Json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Store;

/// An event as it is stored.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Its place in the execution, from 0.
    pub seq: i32,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// `step_started`, `step_finished`, …
    pub event: &'static str,
    /// The step that it is about.
    pub step: Option<String>,
    /// Everything else, a JSON object.
    pub data: Value,
}

/// An execution that is to be accepted.
#[derive(Debug, Clone, Copy)]
pub struct NewExecution<'a> {
    /// Its id.
    pub id: Uuid,
    /// The playbook's path.
    pub path: &'a str,
    /// The playbook's version; the latest, if there is none.
    pub version: Option<i32>,
    /// What the caller sent, JSON.
    pub payload: &'a str,
    /// When.
    pub started_at: DateTime<Utc>,
    /// Who wants it.
    pub started_by: Option<&'a str>,
    /// The execution that it does once more.
    pub rerun_of: Option<Uuid>,
    /// The execution that it is a part of, and the step of that one.
    pub parent: Option<(Uuid, &'a str)>,
    /// The caller's name for this request, and a digest of what is in it.
    pub idempotency: Option<(&'a str, &'a [u8])>,
}

/// What became of an execution that was to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored, and runs this version of its playbook.
    New {
        /// The version.
        version: i32,
    },
    /// The same request was made before, and led to this execution.
    Before {
        /// The execution's id.
        id: Uuid,
    },
    /// Another request was made before with the same idempotency key.
    KeyReused,
    /// There is no such playbook.
    NoPlaybook,
}

/// How an execution ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// `success`, `failed`, `cancelled` or `interrupted`.
    pub status: &'static str,
    /// The last tool step's result.
    pub result: Option<Value>,
    /// Why it failed.
    pub error: Option<Value>,
}

/// Why something was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The store failed.
    #[error("the server's database failed: {0}")]
    Store(#[from] sqlx::Error),
    /// The execution has ended, or another server goes on with it.
    #[error("the execution is not this server's any more")]
    Lost,
}

/// An execution in a list.
#[derive(Debug, Clone, Serialize, FromRow, ToSchema)]
pub struct ExecutionSummary {
    /// The execution's id.
    #[sqlx(rename = "id")]
    pub execution_id: Uuid,
    /// The playbook's path.
    pub path: String,
    /// The playbook's version.
    pub version: i32,
    /// `running`, `success`, `failed`, `interrupted` or `cancelled`.
    pub status: String,
    /// When it was accepted.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who wanted it.
    pub started_by: Option<String>,
    /// The execution that it does once more.
    pub rerun_of: Option<Uuid>,
    /// The execution that it is a part of.
    pub parent: Option<Uuid>,
    /// The step of that execution.
    pub parent_step: Option<String>,
    /// How often a server went on with it after another was gone.
    pub resumed: i32,
    /// Why it failed: `category`, `kind`, `message`, `step`, `tool` and more.
    #[schema(value_type = Option<Object>)]
    pub error: Option<Json<Box<RawValue>>>,
    /// How many tool steps have ended.
    #[serde(rename = "step_count")]
    pub steps: i64,
}

/// All that is known of an execution.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExecutionRecord {
    /// What lists say of it.
    #[serde(flatten)]
    pub summary: ExecutionSummary,
    /// What the caller sent.
    #[schema(value_type = Object)]
    pub payload: Box<RawValue>,
    /// The last tool step's result.
    #[schema(value_type = Value)]
    pub result: Option<Box<RawValue>>,
    /// What happened, in order.
    pub events: Vec<EventRecord>,
}

/// An event of an execution.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventRecord {
    /// Its place in the execution, from 0.
    pub seq: i32,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Its name: `execution_started`, `step_started`, `step_finished`,
    /// `attempt_failed`, `item_finished`, `finally_started`, `execution_resumed`,
    /// `execution_finished`.
    pub event: String,
    /// The step that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Everything else.
    #[schema(value_type = Object)]
    pub data: Box<RawValue>,
}

/// Which executions a list has.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Filter {
    /// Only these states.
    pub status: Option<Vec<String>>,
    /// What the playbook's path begins with.
    pub path: String,
    /// Only playbooks of these paths, see [`super::ApiKey::paths`].
    pub paths: Option<Vec<String>>,
    /// Accepted at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Accepted before this time.
    pub until: Option<DateTime<Utc>>,
    /// Only what is older than this execution.
    pub before: Option<Uuid>,
    /// Only these executions.
    pub ids: Option<Vec<Uuid>>,
    /// Only parts of this execution.
    pub parent: Option<Uuid>,
    /// So many at most.
    pub limit: i64,
}

#[derive(FromRow)]
struct Contents {
    #[sqlx(flatten)]
    summary: ExecutionSummary,
    payload: Json<Box<RawValue>>,
    result: Option<Json<Box<RawValue>>>,
}

#[derive(FromRow)]
struct EventRow {
    seq: i32,
    at: DateTime<Utc>,
    event: String,
    step: Option<String>,
    data: Json<Box<RawValue>>,
}

impl From<EventRow> for EventRecord {
    fn from(row: EventRow) -> Self {
        Self {
            seq: row.seq,
            at: row.at,
            event: row.event,
            step: row.step,
            data: row.data.0,
        }
    }
}

/// The columns of an [`ExecutionSummary`].
const SUMMARY: &str =
    "id, path, version, status, started_at, finished_at, started_by, rerun_of, parent,
    parent_step, resumed, error,
    (SELECT count(*) FROM events WHERE execution_id = id AND event = 'step_finished') AS steps";

impl Store {
    /// Accepts an execution of a playbook, or says why not. From here on the
    /// execution is not forgotten.
    pub async fn accept(&self, tenant: &str, new: NewExecution<'_>) -> sqlx::Result<Accepted> {
        let (key, digest) = new.idempotency.unzip();
        let mut connection = self.connections.of(tenant).await?;
        let version: Option<i32> = sqlx::query_scalar(
            "INSERT INTO executions (id, tenant, path, version, status, payload, started_at, owner,
                 started_by, rerun_of, idempotency_key, request_digest, parent, parent_step)
             (SELECT $1, tenant, path, version, 'running', $4::text::json, $5, $6, $7, $8, $9, $10, $12, $13
              FROM playbooks
              WHERE tenant = $2 AND path = $3 AND deleted_at IS NULL AND ($11::int IS NULL OR version = $11)
              ORDER BY version DESC LIMIT 1)
             ON CONFLICT (tenant, idempotency_key) DO NOTHING
             RETURNING version",
        )
        .bind(new.id)
        .bind(tenant)
        .bind(new.path)
        .bind(new.payload)
        .bind(new.started_at)
        .bind(self.owner)
        .bind(new.started_by)
        .bind(new.rerun_of)
        .bind(key)
        .bind(digest)
        .bind(new.version)
        .bind(new.parent.map(|(parent, _)| parent))
        .bind(new.parent.map(|(_, step)| step))
        .fetch_optional(&mut *connection)
        .await?;
        match (version, key) {
            (Some(version), _) => Ok(Accepted::New { version }),
            (None, None) => Ok(Accepted::NoPlaybook),
            (None, Some(_)) => {
                let before: Option<(Uuid, bool)> = sqlx::query_as(
                    "SELECT id, request_digest = $3 FROM executions
                     WHERE tenant = $1 AND idempotency_key = $2",
                )
                .bind(tenant)
                .bind(key)
                .bind(digest)
                .fetch_optional(&mut *connection)
                .await?;
                Ok(match before {
                    Some((id, true)) => Accepted::Before { id },
                    Some((_, false)) => Accepted::KeyReused,
                    None => Accepted::NoPlaybook,
                })
            }
        }
    }

    /// Adds events to an execution that this server runs and, with the last of
    /// them, its end. Returns whether somebody wants it to be cancelled.
    ///
    /// # Errors
    /// If the store fails, or the execution is not this server's any more.
    pub async fn record(
        &self,
        tenant: &str,
        id: Uuid,
        events: &[StoredEvent],
        finished: Option<&Finished>,
    ) -> Result<bool, RecordError> {
        let seqs: Vec<i32> = events.iter().map(|e| e.seq).collect();
        let ats: Vec<DateTime<Utc>> = events.iter().map(|e| e.at).collect();
        let names: Vec<&str> = events.iter().map(|e| e.event).collect();
        let steps: Vec<Option<&str>> = events.iter().map(|e| e.step.as_deref()).collect();
        let data: Vec<String> = events.iter().map(|e| e.data.to_string()).collect();
        let mut connection = self.connections.of(tenant).await?;
        let cancel: Option<bool> = sqlx::query_scalar(
            "WITH ours AS (
                 SELECT cancel_asked FROM executions
                 WHERE tenant = $2 AND id = $1 AND owner = $3 AND status = 'running'
             ), finished AS (
                 UPDATE executions SET status = $9, result = $10::text::json, error = $11::text::json, finished_at = $12
                 WHERE id = $1 AND $9::text IS NOT NULL AND EXISTS (SELECT FROM ours)
             ), added AS (
                 INSERT INTO events (tenant, execution_id, seq, at, event, step, data)
                 SELECT $2, $1, seq, at, event, step, data::json
                 FROM UNNEST($4::int[], $5::timestamptz[], $6::text[], $7::text[], $8::text[]) AS e (seq, at, event, step, data)
                 WHERE EXISTS (SELECT FROM ours)
             )
             SELECT cancel_asked FROM ours",
        )
        .bind(id)
        .bind(tenant)
        .bind(self.owner)
        .bind(seqs)
        .bind(ats)
        .bind(names)
        .bind(steps)
        .bind(data)
        .bind(finished.map(|f| f.status))
        .bind(finished.and_then(|f| f.result.as_ref()).map(Value::to_string))
        .bind(finished.and_then(|f| f.error.as_ref()).map(Value::to_string))
        .bind(finished.map(|_| Utc::now()))
        .fetch_optional(&mut *connection)
        .await?;
        cancel.ok_or(RecordError::Lost)
    }

    /// Ends an execution that can't go on, if it has not ended already. Returns
    /// whether it was this that ended it.
    pub async fn end(&self, tenant: &str, id: Uuid, finished: &Finished) -> sqlx::Result<bool> {
        let mut connection = self.connections.of(tenant).await?;
        let done = sqlx::query(
            "WITH ended AS (
                 UPDATE executions SET status = $3, error = $4::text::json, finished_at = $5
                 WHERE tenant = $1 AND id = $2 AND status = 'running' RETURNING id
             )
             INSERT INTO events (tenant, execution_id, seq, at, event, data)
             SELECT $1, id, (SELECT coalesce(max(seq) + 1, 0) FROM events WHERE execution_id = $2),
                    $5, 'execution_finished', json_build_object('status', $3)
             FROM ended",
        )
        .bind(tenant)
        .bind(id)
        .bind(finished.status)
        .bind(finished.error.as_ref().map(Value::to_string))
        .bind(Utc::now())
        .execute(&mut *connection)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes that a running execution is to be cancelled, by whichever server runs
    /// it. Returns its state, or `None` if there is no such execution.
    pub async fn ask_to_cancel(&self, tenant: &str, id: Uuid) -> sqlx::Result<Option<String>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_scalar(
            "UPDATE executions SET cancel_asked = cancel_asked OR status = 'running'
             WHERE tenant = $1 AND id = $2 RETURNING status",
        )
        .bind(tenant)
        .bind(id)
        .fetch_optional(&mut *connection)
        .await
    }

    /// Of the executions that this server runs, those that are to be cancelled.
    pub async fn asked_to_cancel(&self) -> sqlx::Result<Vec<Uuid>> {
        let mut connection = self.connections.of_all().await?;
        sqlx::query_scalar(
            "SELECT id FROM executions WHERE owner = $1 AND status = 'running' AND cancel_asked",
        )
        .bind(self.owner)
        .fetch_all(&mut *connection)
        .await
    }

    /// A list of executions, the newest first.
    pub async fn executions(
        &self,
        tenant: &str,
        filter: &Filter,
    ) -> sqlx::Result<Vec<ExecutionSummary>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {SUMMARY} FROM executions
             WHERE tenant = $1 AND ($2::text[] IS NULL OR status = ANY ($2))
                 AND starts_with(path, $3) AND ($4::text[] IS NULL OR within(path, $4))
                 AND ($5::timestamptz IS NULL OR started_at >= $5)
                 AND ($6::timestamptz IS NULL OR started_at < $6)
                 AND ($7::uuid IS NULL OR id < $7) AND ($8::uuid[] IS NULL OR id = ANY ($8))
                 AND ($9::uuid IS NULL OR parent = $9)
             ORDER BY id DESC LIMIT $10"
        )))
        .bind(tenant)
        .bind(&filter.status)
        .bind(&filter.path)
        .bind(&filter.paths)
        .bind(filter.since)
        .bind(filter.until)
        .bind(filter.before)
        .bind(&filter.ids)
        .bind(filter.parent)
        .bind(filter.limit)
        .fetch_all(&mut *connection)
        .await
    }

    /// What lists say of one execution.
    pub async fn execution_summary(
        &self,
        tenant: &str,
        id: Uuid,
    ) -> sqlx::Result<Option<ExecutionSummary>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {SUMMARY} FROM executions WHERE tenant = $1 AND id = $2"
        )))
        .bind(tenant)
        .bind(id)
        .fetch_optional(&mut *connection)
        .await
    }

    /// All that is known of an execution.
    pub async fn execution(&self, tenant: &str, id: Uuid) -> sqlx::Result<Option<ExecutionRecord>> {
        let mut connection = self.connections.of(tenant).await?;
        let row: Option<Contents> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {SUMMARY}, payload, result FROM executions WHERE tenant = $1 AND id = $2"
        )))
        .bind(tenant)
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
        drop(connection);
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ExecutionRecord {
            summary: row.summary,
            payload: row.payload.0,
            result: row.result.map(|j| j.0),
            events: self.events(tenant, id, -1).await?,
        }))
    }

    /// The events of an execution after the one numbered `after`.
    pub async fn events(
        &self,
        tenant: &str,
        id: Uuid,
        after: i32,
    ) -> sqlx::Result<Vec<EventRecord>> {
        let mut connection = self.connections.of(tenant).await?;
        let events: Vec<EventRow> = sqlx::query_as(
            "SELECT seq, at, event, step, data FROM events
             WHERE tenant = $1 AND execution_id = $2 AND seq > $3 ORDER BY seq",
        )
        .bind(tenant)
        .bind(id)
        .bind(after)
        .fetch_all(&mut *connection)
        .await?;
        Ok(events.into_iter().map(EventRecord::from).collect())
    }

    /// Removes an execution that has ended. Returns its state, or `None` if there is
    /// no such execution.
    pub async fn delete_execution(&self, tenant: &str, id: Uuid) -> sqlx::Result<Option<String>> {
        let mut connection = self.connections.of(tenant).await?;
        let removed: Option<String> = sqlx::query_scalar(
            "DELETE FROM executions WHERE tenant = $1 AND id = $2 AND status <> 'running' RETURNING status",
        )
        .bind(tenant)
        .bind(id)
        .fetch_optional(&mut *connection)
        .await?;
        if removed.is_some() {
            return Ok(removed);
        }
        sqlx::query_scalar("SELECT status FROM executions WHERE tenant = $1 AND id = $2")
            .bind(tenant)
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
    }

    /// Removes executions of all tenants that ended before `until`, `limit` of them
    /// at most. Returns how many there were.
    pub async fn delete_ended(&self, until: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
        let mut connection = self.connections.of_all().await?;
        let done = sqlx::query(
            "DELETE FROM executions WHERE id IN (
                 SELECT id FROM executions WHERE status <> 'running' AND finished_at < $1
                 ORDER BY finished_at LIMIT $2)",
        )
        .bind(until)
        .bind(limit)
        .execute(&mut *connection)
        .await?;
        Ok(done.rows_affected())
    }
}
