//! Executions and their events. A step costs one round trip.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sqlx::{FromRow, PgConnection, types::Json};
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

/// An execution that the store has accepted.
#[derive(Debug, Clone, Copy)]
pub struct Accepted {
    /// The version of the playbook that it runs: the latest.
    pub version: i32,
}

/// How an execution ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// `success` or `failed`.
    pub status: &'static str,
    /// The last tool step's result.
    pub result: Option<Value>,
    /// Why it failed.
    pub error: Option<Value>,
}

/// All that is known of an execution.
#[derive(Debug, Serialize)]
pub struct ExecutionRecord {
    /// The execution's id.
    pub execution_id: Uuid,
    /// The playbook's path.
    pub path: String,
    /// The playbook's version.
    pub version: i32,
    /// `running`, `success`, `failed` or `interrupted`.
    pub status: String,
    /// What the caller sent.
    pub payload: Box<RawValue>,
    /// The last tool step's result.
    pub result: Option<Box<RawValue>>,
    /// Why it failed.
    pub error: Option<Box<RawValue>>,
    /// When it was accepted.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// What happened, in order.
    pub events: Vec<EventRecord>,
}

/// An event of an [`ExecutionRecord`].
#[derive(Debug, Serialize)]
pub struct EventRecord {
    /// Its place in the execution, from 0.
    pub seq: i32,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Its name.
    pub event: String,
    /// The step that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Everything else.
    pub data: Box<RawValue>,
}

#[derive(FromRow)]
struct ExecutionRow {
    path: String,
    version: i32,
    status: String,
    payload: Json<Box<RawValue>>,
    result: Option<Json<Box<RawValue>>>,
    error: Option<Json<Box<RawValue>>>,
    started_at: DateTime<Utc>,
    finished_at: Option<DateTime<Utc>>,
}

#[derive(FromRow)]
struct EventRow {
    seq: i32,
    at: DateTime<Utc>,
    event: String,
    step: Option<String>,
    data: Json<Box<RawValue>>,
}

impl Store {
    /// Accepts an execution of the latest version of a playbook, or says that
    /// there is no such playbook. From here on the execution is not forgotten.
    pub async fn accept(
        &self,
        tenant: &str,
        id: Uuid,
        path: &str,
        payload: &str,
        started_at: DateTime<Utc>,
    ) -> sqlx::Result<Option<Accepted>> {
        // PostgreSQL can't even be asked for it.
        if path.contains('\0') {
            return Ok(None);
        }
        let version: Option<i32> = sqlx::query_scalar(
            "INSERT INTO executions (id, tenant, path, version, status, payload, started_at)
             SELECT $1, tenant, path, version, 'running', $4::text::json, $5 FROM playbooks
             WHERE tenant = $2 AND path = $3 ORDER BY version DESC LIMIT 1
             RETURNING version",
        )
        .bind(id)
        .bind(tenant)
        .bind(path)
        .bind(payload)
        .bind(started_at)
        .fetch_optional(&self.pool)
        .await?;
        Ok(version.map(|version| Accepted { version }))
    }

    /// Adds events to an execution and, with the last of them, its end.
    pub async fn record(
        &self,
        id: Uuid,
        events: &[StoredEvent],
        finished: Option<&Finished>,
    ) -> sqlx::Result<()> {
        let seqs: Vec<i32> = events.iter().map(|e| e.seq).collect();
        let ats: Vec<DateTime<Utc>> = events.iter().map(|e| e.at).collect();
        let names: Vec<&str> = events.iter().map(|e| e.event).collect();
        let steps: Vec<Option<&str>> = events.iter().map(|e| e.step.as_deref()).collect();
        let data: Vec<String> = events.iter().map(|e| e.data.to_string()).collect();
        sqlx::query(
            "WITH finished AS (
                 UPDATE executions SET status = $7, result = $8::text::json, error = $9::text::json, finished_at = $10
                 WHERE id = $1 AND $7::text IS NOT NULL AND status = 'running'
             )
             INSERT INTO events (execution_id, seq, at, event, step, data)
             SELECT $1, seq, at, event, step, data::json
             FROM UNNEST($2::int[], $3::timestamptz[], $4::text[], $5::text[], $6::text[]) AS e (seq, at, event, step, data)",
        )
        .bind(id)
        .bind(seqs)
        .bind(ats)
        .bind(names)
        .bind(steps)
        .bind(data)
        .bind(finished.map(|f| f.status))
        .bind(finished.and_then(|f| f.result.as_ref()).map(Value::to_string))
        .bind(finished.and_then(|f| f.error.as_ref()).map(Value::to_string))
        .bind(finished.map(|_| Utc::now()))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends an execution that can't go on, if it has not ended already.
    pub async fn give_up(&self, id: Uuid, finished: &Finished) -> sqlx::Result<()> {
        sqlx::query(
            "WITH ended AS (
                 UPDATE executions SET status = $2, error = $3::text::json, finished_at = $4
                 WHERE id = $1 AND status = 'running' RETURNING id
             )
             INSERT INTO events (execution_id, seq, at, event, data)
             SELECT id, (SELECT coalesce(max(seq) + 1, 0) FROM events WHERE execution_id = $1),
                    $4, 'execution_finished', json_build_object('status', $2)
             FROM ended",
        )
        .bind(id)
        .bind(finished.status)
        .bind(finished.error.as_ref().map(Value::to_string))
        .bind(Utc::now())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// All that is known of an execution.
    pub async fn execution(&self, tenant: &str, id: Uuid) -> sqlx::Result<Option<ExecutionRecord>> {
        let row: Option<ExecutionRow> = sqlx::query_as(
            "SELECT path, version, status, payload, result, error, started_at, finished_at
             FROM executions WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant)
        .bind(id)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let events: Vec<EventRow> = sqlx::query_as(
            "SELECT seq, at, event, step, data FROM events WHERE execution_id = $1 ORDER BY seq",
        )
        .bind(id)
        .fetch_all(&self.pool)
        .await?;
        Ok(Some(ExecutionRecord {
            execution_id: id,
            path: row.path,
            version: row.version,
            status: row.status,
            payload: row.payload.0,
            result: row.result.map(|j| j.0),
            error: row.error.map(|j| j.0),
            started_at: row.started_at,
            finished_at: row.finished_at,
            events: events
                .into_iter()
                .map(|e| EventRecord {
                    seq: e.seq,
                    at: e.at,
                    event: e.event,
                    step: e.step,
                    data: e.data.0,
                })
                .collect(),
        }))
    }
}

/// Marks what a server that is gone left running. Returns how many there were.
pub(super) async fn mark_interrupted(connection: &mut PgConnection) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE executions SET status = 'interrupted', finished_at = now(),
             error = '{\"kind\": \"interrupted\", \"message\": \"the server stopped while the execution ran\"}'
         WHERE status = 'running'",
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Whether some execution is marked as running.
pub(super) async fn any_running(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM executions WHERE status = 'running')")
        .fetch_one(connection)
        .await
}
