//! `/api/executions`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::answer::Problem;
use super::catalog::within;
use super::execute::{AcceptedExecution, begin};
use super::extract::{OptionalJson, Path, Query};
use super::openapi::ProblemDocument;
use crate::access::{Principal, Role};
use crate::app::{App, Wanted};
use crate::capabilities::log::Level;
use crate::engine::{Replay, StepHistory, steps};
use crate::store::{ExecutionRecord, ExecutionSummary, Filter};

/// Which executions a list has.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// States, with commas between them: `running`, `success`, `failed`,
    /// `interrupted`, `cancelled`.
    #[param(
        pattern = "^(running|success|failed|interrupted|cancelled)(,(running|success|failed|interrupted|cancelled))*$"
    )]
    status: Option<String>,
    /// What the playbook's path begins with.
    #[serde(default)]
    path: String,
    /// Accepted at this time or later.
    since: Option<DateTime<Utc>>,
    /// Accepted before this time.
    until: Option<DateTime<Utc>>,
    /// The execution that called them.
    parent: Option<Uuid>,
    /// So many at most, 1 to 200.
    #[serde(default = "fifty")]
    #[param(minimum = 1, maximum = 200)]
    limit: u16,
    /// `next_cursor` of the page before.
    cursor: Option<Uuid>,
}

fn fifty() -> u16 {
    50
}

const STATES: [&str; 5] = ["running", "success", "failed", "interrupted", "cancelled"];

/// A page of executions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Executions {
    /// The newest first.
    executions: Vec<ExecutionSummary>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<Uuid>,
}

/// Lists executions.
#[utoipa::path(get, path = "/api/executions", tag = "executions", params(ListQuery),
    responses((status = 200, description = "A page of the list", body = Executions)))]
pub(super) async fn list(
    State(app): State<App>,
    principal: Principal,
    Query(query): Query<ListQuery>,
) -> Result<Json<Executions>, Problem> {
    let status: Option<Vec<String>> = query
        .status
        .map(|states| states.split(',').map(str::to_owned).collect());
    if let Some(unknown) = status
        .iter()
        .flatten()
        .find(|state| !STATES.contains(&state.as_str()))
    {
        return Err(Problem::bad_request(format!(
            "`status={unknown}` is none of {}",
            STATES.join(", ")
        )));
    }
    let limit = within(query.limit, 200)?;
    let filter = Filter {
        status,
        path: query.path,
        paths: principal.paths().map(<[String]>::to_vec),
        since: query.since,
        until: query.until,
        before: query.cursor,
        ids: None,
        parent: query.parent,
        limit: i64::from(limit),
    };
    let store = &app.inner.store;
    let executions = store.executions(&principal.tenant, &filter).await?;
    let full = executions.len() == usize::from(limit);
    Ok(Json(Executions {
        next_cursor: executions
            .last()
            .filter(|_| full)
            .map(|last| last.execution_id),
        executions,
    }))
}

/// An execution with its steps.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExecutionDocument {
    #[serde(flatten)]
    record: ExecutionRecord,
    /// Every run of a tool step, in the order of their starts.
    #[serde(rename = "steps")]
    step_runs: Vec<StepHistory>,
}

/// The record of an execution that the caller may see.
async fn visible(app: &App, principal: &Principal, id: Uuid) -> Result<ExecutionRecord, Problem> {
    let record = app.inner.store.execution(&principal.tenant, id).await?;
    record
        .filter(|record| principal.may_use(&record.summary.path))
        .ok_or_else(|| Problem::no_execution(id))
}

/// An execution.
///
/// All that is known of it: what was sent, every step with its arguments, result,
/// usage and log, how it ended, and the events that say so.
#[utoipa::path(get, path = "/api/executions/{id}", tag = "executions",
    params(("id" = Uuid, Path, description = "The execution's id")),
    responses(
        (status = 200, description = "The execution", body = ExecutionDocument),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Json<ExecutionDocument>, Problem> {
    let record = visible(&app, &principal, id).await?;
    Ok(Json(ExecutionDocument {
        step_runs: steps(&record.events),
        record,
    }))
}

/// Which entries to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LogsQuery {
    /// Only those of this step.
    step: Option<String>,
}

/// What an execution's steps wrote.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Logs {
    logs: Vec<LogLine>,
}

/// An entry of a step's log.
#[derive(Debug, Serialize, ToSchema)]
struct LogLine {
    step: String,
    /// When the step began.
    at: DateTime<Utc>,
    #[schema(value_type = String)]
    level: Level,
    message: String,
}

/// The logs of an execution's steps.
#[utoipa::path(get, path = "/api/executions/{id}/logs", tag = "executions",
    params(("id" = Uuid, Path, description = "The execution's id"), LogsQuery),
    responses(
        (status = 200, description = "The entries, step by step", body = Logs),
        (status = 404, description = "There is no such execution", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn logs(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<Uuid>,
    Query(query): Query<LogsQuery>,
) -> Result<Json<Logs>, Problem> {
    let record = visible(&app, &principal, id).await?;
    let of_step = |step: &StepHistory| query.step.as_ref().is_none_or(|name| *name == step.step);
    let logs = steps(&record.events)
        .into_iter()
        .filter(of_step)
        .flat_map(|step| {
            let (name, at) = (step.step, step.started_at);
            step.log.into_iter().map(move |entry| LogLine {
                step: name.clone(),
                at,
                level: entry.level,
                message: entry.message,
            })
        })
        .collect();
    Ok(Json(Logs { logs }))
}

/// How an execution ended that was cancelled.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Cancelled {
    execution_id: Uuid,
    /// `cancelled`, or what it was faster with.
    status: String,
}

/// Cancels an execution.
///
/// Steps that run are ended at once.
#[utoipa::path(post, path = "/api/executions/{id}/cancel", tag = "executions",
    params(("id" = Uuid, Path, description = "The execution's id")),
    responses(
        (status = 200, description = "It has ended", body = Cancelled),
        (status = 404, description = "There is no such execution", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "It had ended before", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn cancel(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Json<Cancelled>, Problem> {
    principal.needs(Role::Runner)?;
    let record = visible(&app, &principal, id).await?;
    let cancelled = app.cancel(&principal.tenant, id).await;
    match cancelled? {
        Some(status) => Ok(Json(Cancelled {
            execution_id: id,
            status,
        })),
        None => Err(Problem::not_running(id, &record.summary.status)),
    }
}

/// Replays an execution.
///
/// It is walked once more from its record, without running anything: every template and
/// condition is evaluated again over the recorded results, and held against what is
/// recorded.
#[utoipa::path(get, path = "/api/executions/{id}/replay", tag = "executions",
    params(("id" = Uuid, Path, description = "The execution's id")),
    responses(
        (status = 200, description = "What came out", body = Replay),
        (status = 404, description = "There is no such execution", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "It still runs", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn replay(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<Json<Replay>, Problem> {
    let record = visible(&app, &principal, id).await?;
    if record.summary.status == "running" {
        return Err(Problem::still_running(id));
    }
    Ok(Json(app.replay(&principal.tenant, record).await?))
}

/// How to run an execution once more.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rerun {
    /// Which version of the playbook.
    #[serde(default)]
    version: RerunVersion,
}

/// Which version of a playbook to run again.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RerunVersion {
    /// The one that ran.
    #[default]
    Same,
    /// The latest.
    Latest,
}

/// Runs an execution once more.
///
/// With the same payload, as a new execution.
#[utoipa::path(post, path = "/api/executions/{id}/rerun", tag = "executions",
    params(("id" = Uuid, Path, description = "The execution's id")),
    request_body = Option<Rerun>,
    responses(
        (status = 202, description = "It is accepted", body = AcceptedExecution,
            headers(("location" = String, description = "Where the new execution is"))),
        (status = 404, description = "There is no such execution, or no such playbook any more", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn rerun(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<Uuid>,
    OptionalJson(rerun): OptionalJson<Rerun>,
) -> Result<Response, Problem> {
    principal.needs(Role::Runner)?;
    let record = visible(&app, &principal, id).await?;
    let payload: Map<String, Value> = serde_json::from_str(record.payload.get())
        .map_err(|_| Problem::internal("the execution's payload can't be read"))?;
    let wanted = Wanted {
        version: match rerun.unwrap_or_default().version {
            RerunVersion::Same => Some(record.summary.version),
            RerunVersion::Latest => None,
        },
        path: record.summary.path,
        payload,
        idempotency: None,
        rerun_of: Some(id),
    };
    let admitted = app.admit(&principal.tenant)?;
    begin(&app, admitted, &principal, wanted).await
}

/// Removes an execution.
///
/// Its record is gone for good.
#[utoipa::path(delete, path = "/api/executions/{id}", tag = "executions",
    params(("id" = Uuid, Path, description = "The execution's id")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "It still runs", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn delete(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    principal.needs(Role::Admin)?;
    visible(&app, &principal, id).await?;
    let store = &app.inner.store;
    match store.delete_execution(&principal.tenant, id).await? {
        None => Err(Problem::no_execution(id)),
        Some(status) if status == "running" => Err(Problem::still_running(id)),
        Some(_) => Ok(StatusCode::NO_CONTENT),
    }
}
