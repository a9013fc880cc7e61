//! What a caller is told: an execution's answer, or a problem (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::request_id::RequestId;
use crate::admission::Full;
use crate::engine::{Failure, Outcome, StepRecord};
use crate::playbook::Diagnostics;
use crate::sandbox::{ErrorCategory, StepError};
use crate::visible::brief;

/// An execution that ended well. Its JSON has the fields of the last tool
/// step's result at the top, so that a page can read them there.
#[derive(Debug, Clone)]
pub struct Answer {
    body: Map<String, Value>,
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
        Ok(Self { body })
    }

    /// The JSON text's value.
    pub fn into_json(self) -> Value {
        Value::Object(self.body)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        Json(self.body).into_response()
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
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
