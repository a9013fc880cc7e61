//! What a caller is told: an execution's answer, or a problem (RFC 9457).

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::request_id::RequestId;
use crate::access::{AccessError, Principal, Role};
use crate::admission::Full;
use crate::engine::{Failure, History, Outcome, StepRecord};
use crate::playbook::Diagnostics;
use crate::sandbox::{ErrorCategory, StepError};
use crate::store::ExecutionRecord;
use crate::visible::brief;

/// An execution that ended well. Its JSON has the fields of the last tool
/// step's result at the top, so that a page can read them there.
#[derive(Debug, Clone)]
pub struct Answer {
    body: Map<String, Value>,
    /// It was given before.
    replayed: bool,
}

impl Answer {
    /// The answer of an execution, or the problem that it ended in.
    ///
    /// # Errors
    /// If a step failed.
    pub fn new(id: Uuid, outcome: Outcome) -> Result<Self, Box<Problem>> {
        if let Some(failure) = outcome.failure {
            return Err(Box::new(Problem::failed(id, failure, outcome.steps)));
        }
        let mut body = match &outcome.result {
            Some(Value::Object(result)) => result.clone(),
            _ => Map::new(),
        };
        body.entry("status").or_insert_with(|| json!("success"));
        body.insert("execution_id".into(), json!(id));
        body.insert("result".into(), outcome.result.unwrap_or(Value::Null));
        body.insert("steps".into(), json!(outcome.steps));
        Ok(Self {
            body,
            replayed: false,
        })
    }

    /// The answer of an execution that has ended, out of its record.
    ///
    /// # Errors
    /// If it did not end well.
    pub fn of(record: ExecutionRecord) -> Result<Self, Box<Problem>> {
        let id = record.summary.execution_id;
        let parsed = |raw: Option<&str>| raw.and_then(|raw| serde_json::from_str(raw).ok());
        let unreadable = || Box::new(Problem::internal("the execution's record can't be read"));
        let history = History::read(&record.events).map_err(|_| unreadable())?;
        let steps = history.records();
        let error: Option<Value> = parsed(record.summary.error.as_ref().map(|error| error.0.get()));
        if record.summary.status != "success" {
            let error = error.ok_or_else(unreadable)?;
            return Err(Box::new(Problem::ended(id, error, steps)));
        }
        let outcome = Outcome {
            result: parsed(record.result.as_ref().map(|result| result.get())),
            failure: None,
            steps,
        };
        Self::new(id, outcome)
    }

    /// Says that it was given before.
    #[must_use]
    pub fn replayed(self) -> Self {
        Self {
            replayed: true,
            ..self
        }
    }

    /// The JSON text's value.
    pub fn into_json(self) -> Value {
        Value::Object(self.body)
    }
}

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if self.replayed {
            let yes = HeaderValue::from_static("true");
            response.headers_mut().insert(REPLAYED, yes);
        }
        response
    }
}

/// Something that went wrong, as RFC 9457 tells it.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// The kind of problem, a URN.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// This occurrence in words, with what to do next.
    detail: String,
    /// More about this occurrence.
    #[serde(flatten)]
    more: Map<String, Value>,
    /// When it is worth trying again, in seconds.
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    fn new(kind: &str, title: &'static str, status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:noetl:problem:{kind}"),
            title,
            status: status.as_u16(),
            detail: detail.into(),
            more: Map::new(),
            retry_after: None,
        }
    }

    fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(super) fn with(mut self, member: &str, value: Value) -> Self {
        self.more.insert(member.into(), value);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("made from one")
    }

    /// The problem's members.
    pub fn to_json(&self) -> Value {
        json!(self)
    }

    /// The execution that it is about.
    pub(crate) fn about(&mut self, execution: Uuid) {
        self.more.insert("execution_id".into(), json!(execution));
    }

    /// As the error of an execution that ended in it.
    pub(crate) fn as_error(&self) -> Value {
        let kind = self.kind.rsplit(':').next().unwrap_or_default();
        json!({"category": "internal", "kind": kind, "message": self.detail})
    }

    /// This occurrence in words.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            "bad-request",
            "The request can't be read",
            StatusCode::BAD_REQUEST,
            brief(&detail.into(), MAX_DETAIL),
        )
    }

    pub(super) fn unreadable(status: StatusCode, detail: impl Into<String>) -> Self {
        let detail = brief(&detail.into(), MAX_DETAIL);
        Self::new("bad-request", "The request can't be read", status, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(
            "not-found",
            "There is no such thing",
            StatusCode::NOT_FOUND,
            detail,
        )
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            "method-not-allowed",
            "The route has no such method",
            StatusCode::METHOD_NOT_ALLOWED,
            "this route exists, but not with this method",
        )
    }

    pub(crate) fn no_playbook(path: &str) -> Self {
        Self::new(
            "no-such-playbook",
            "There is no such playbook",
            StatusCode::NOT_FOUND,
            format!(
                "no playbook is registered under the path `{}`; `GET /api/catalog/playbooks` lists them, `noetl register FILE` adds one",
                brief(path, 500)
            ),
        )
    }

    pub(crate) fn no_version(path: &str, version: i32) -> Self {
        Self::new(
            "no-such-playbook",
            "There is no such playbook",
            StatusCode::NOT_FOUND,
            format!(
                "there is no version {version} of a playbook `{path}`; `GET /api/catalog/versions/{path}` lists those that there are",
                path = brief(path, 500)
            ),
        )
    }

    pub(crate) fn no_execution(id: Uuid) -> Self {
        Self::not_found(format!("there is no execution {id}"))
    }

    /// The execution has ended, and so can't be what is asked for.
    pub(super) fn not_running(id: Uuid, status: &str) -> Self {
        Self::new(
            "not-running",
            "The execution does not run",
            StatusCode::CONFLICT,
            format!("the execution {id} has ended already: {status}"),
        )
    }

    /// The execution runs, and so can't be what is asked for.
    pub(super) fn still_running(id: Uuid) -> Self {
        Self::new(
            "still-running",
            "The execution still runs",
            StatusCode::CONFLICT,
            format!("the execution {id} still runs; cancel it first"),
        )
    }

    pub(crate) fn key_reused() -> Self {
        Self::new(
            "idempotency-key-reused",
            "The idempotency key belongs to another request",
            StatusCode::UNPROCESSABLE_ENTITY,
            "another request was sent before with this Idempotency-Key; a key names one request, and is sent again only with the same path and payload",
        )
    }

    /// A version of a tool is there with another content.
    pub(super) fn version_taken(detail: impl Into<String>) -> Self {
        Self::new(
            "version-taken",
            "The version is another component",
            StatusCode::CONFLICT,
            detail,
        )
    }

    /// Another server goes on with the execution.
    pub(crate) fn lost() -> Self {
        Self::new(
            "store-unavailable",
            "The server's database does not answer",
            StatusCode::SERVICE_UNAVAILABLE,
            "the server lost its way to its database while the execution ran, and another one has taken it over; `GET /api/executions/{id}` tells how it goes on",
        )
        .retry_after(5)
    }

    /// Whether the store failed.
    pub(crate) fn is_of_store(&self) -> bool {
        self.kind.ends_with(":store-unavailable")
    }

    /// Nobody knows who calls.
    pub(super) fn unauthenticated(error: &AccessError) -> Self {
        let detail = error.to_string();
        match error {
            AccessError::Unavailable(_) => Self::new(
                "store-unavailable",
                "Nobody can tell who calls",
                StatusCode::SERVICE_UNAVAILABLE,
                detail,
            )
            .retry_after(5),
            _ => Self::new(
                "unauthenticated",
                "Who calls is not known",
                StatusCode::UNAUTHORIZED,
                detail,
            ),
        }
    }

    /// The caller may not do this.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(
            "forbidden",
            "The caller may not do this",
            StatusCode::FORBIDDEN,
            detail,
        )
    }

    pub(super) fn needs(role: Role, principal: &Principal) -> Self {
        Self::forbidden(format!(
            "this takes the role `{role}`; `{}` has the role `{}`",
            principal.subject, principal.role
        ))
    }

    /// What became of an execution that did not end well, out of its record.
    fn ended(id: Uuid, error: Value, steps: Vec<StepRecord>) -> Self {
        let text = |name: &str| error[name].as_str().map(str::to_owned);
        if let (Some(step), Ok(step_error)) = (text("step"), serde_json::from_value(error.clone()))
        {
            let failure = Failure {
                step,
                tool: text("tool"),
                error: step_error,
            };
            return Self::failed(id, failure, steps);
        }
        let message = text("message").unwrap_or_default();
        let mut problem = match text("kind").as_deref() {
            Some("interrupted") => Self::new(
                "interrupted",
                "The execution was interrupted",
                StatusCode::SERVICE_UNAVAILABLE,
                message,
            ),
            _ => Self::internal(message),
        };
        problem.about(id);
        problem
    }

    pub(crate) fn invalid_playbook(diagnostics: &Diagnostics) -> Self {
        let mut problem = Self::new(
            "invalid-playbook",
            "The playbook has mistakes",
            StatusCode::UNPROCESSABLE_ENTITY,
            diagnostics.to_string(),
        );
        problem.more.insert("errors".into(), json!(diagnostics));
        problem
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(
            "internal",
            "The server failed",
            StatusCode::INTERNAL_SERVER_ERROR,
            detail,
        )
    }

    pub(crate) fn store(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the server's database failed");
        Self::new(
            "store-unavailable",
            "The server's database does not answer",
            StatusCode::SERVICE_UNAVAILABLE,
            "the server's own database failed; try again later",
        )
        .retry_after(5)
    }

    /// More executions than there may be. Nothing of this one was stored.
    pub(crate) fn full(tenant: &str, full: Full) -> Self {
        let (status, detail) = match full {
            Full::Tenant(limit) => (
                StatusCode::TOO_MANY_REQUESTS,
                format!(
                    "tenant `{tenant}` has {limit} executions running, its limit tenant-executions = {limit}; try again when some have ended"
                ),
            ),
            Full::Server(limit) => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!(
                    "{limit} executions are running, the server's limit executions = {limit}; try again when some have ended"
                ),
            ),
        };
        Self::new("overloaded", TOO_MUCH, status, detail).retry_after(1)
    }

    /// The server has no room for what the client sends.
    pub(super) fn overloaded(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new("overloaded", TOO_MUCH, status, detail).retry_after(1)
    }

    /// The client took too long to send its request.
    pub(super) fn too_slow(detail: impl Into<String>) -> Self {
        Self::unreadable(StatusCode::REQUEST_TIMEOUT, detail)
    }

    fn failed(id: Uuid, failure: Failure, steps: Vec<StepRecord>) -> Self {
        let Failure { step, tool, error } = failure;
        let (kind, title, status) = describe(&error);
        let mut problem = Self::new(
            kind,
            title,
            status,
            format!("step `{step}` failed: {error}"),
        );
        problem.more = Map::from_iter([
            ("execution_id".into(), json!(id)),
            ("step".into(), json!(step)),
            ("tool".into(), json!(tool)),
            ("error".into(), json!(error)),
            ("steps".into(), json!(steps)),
        ]);
        problem
    }
}

/// Characters of a text that may hold whatever a client sent.
const MAX_DETAIL: usize = 1000;

const TOO_MUCH: &str = "Too much at once";

fn describe(error: &StepError) -> (&'static str, &'static str, StatusCode) {
    use ErrorCategory as C;
    match error.category {
        C::InvalidInput => (
            "invalid-input",
            "A step got input that it can't use",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        C::Denied => (
            "denied",
            "A step asked for what it may not have",
            StatusCode::FORBIDDEN,
        ),
        C::Failed => (
            "step-failed",
            "A step failed",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        C::Limit => (
            "limit",
            "A step reached a limit",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        C::Overloaded => ("overloaded", TOO_MUCH, StatusCode::SERVICE_UNAVAILABLE),
        C::Timeout => (
            "timeout",
            "A step took too long",
            StatusCode::GATEWAY_TIMEOUT,
        ),
        C::Trap => ("tool-broke", "A step's tool broke", StatusCode::BAD_GATEWAY),
        C::Internal => (
            "internal",
            "The server failed",
            StatusCode::INTERNAL_SERVER_ERROR,
        ),
        C::Cancelled => (
            "cancelled",
            "The execution was cancelled",
            StatusCode::CONFLICT,
        ),
    }
}

impl From<Box<Problem>> for Problem {
    fn from(problem: Box<Problem>) -> Self {
        *problem
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::store(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let retry_after = self.retry_after;
        let named = match RequestId::current() {
            Some(id) => id.name(self),
            None => self,
        };
        let mut response = (status, Json(named)).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer realm=\"noetl\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, bearer);
        }
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
