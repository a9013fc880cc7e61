//! `POST /api/execute`.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::UnboundedReceiver;
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::Problem;
use super::catalog::Reference;
use super::extract::Json;
use super::openapi::ProblemDocument;
use crate::access::{Principal, Role};
use crate::admission::Admitted;
use crate::app::{App, Idempotency, Wanted};
use crate::engine::{Listener, Told};

/// An execution that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// The playbook's path, with or without `@version`.
    #[schema(pattern = "^[^@]*(@(latest|[1-9][0-9]{0,8}))?$")]
    path: String,
    /// What goes over the playbook's workload, mapping by mapping.
    #[schema(value_type = Option<Object>)]
    payload: Option<Value>,
}

/// An execution that was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct AcceptedExecution {
    execution_id: Uuid,
    /// `running`
    status: &'static str,
}

/// Executes a playbook.
///
/// Answers with the members of the last tool step's result, and `execution_id`,
/// `result`, `steps`. With `Prefer: respond-async` the answer is 202 as soon as the
/// execution is accepted. With `Accept: text/event-stream` each event is told as it
/// happens, and the answer at last.
#[utoipa::path(post, path = "/api/execute", tag = "executions", request_body = Request,
    params(
        ("Prefer" = Option<String>, Header, description = "`respond-async`: do not wait for the end"),
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]+$", description = "Names the request: sent again, it is not done again"),
    ),
    responses(
        (status = 200, description = "It ended well", content((Object = "application/json"), (String = "text/event-stream"))),
        (status = 202, description = "It is accepted", body = AcceptedExecution,
            headers(("location" = String, description = "Where the execution is"))),
        (status = 404, description = "There is no such playbook", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "A step failed", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn execute(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Result<Response, Problem> {
    principal.needs(Role::Runner)?;
    let wanted = wanted(&headers, request)?;
    let admitted = app.admit(&principal.tenant)?;
    if asks(&headers, header::ACCEPT.as_str(), "text/event-stream") {
        return Ok(Sse::new(events(app, admitted, principal, wanted))
            .keep_alive(KeepAlive::default())
            .into_response());
    }
    if asks(&headers, "prefer", "respond-async") {
        return begin(&app, admitted, &principal, wanted).await;
    }
    let answer = app.execute(admitted, &principal, wanted, None).await;
    Ok(answer?.into_response())
}

fn wanted(headers: &HeaderMap, request: Request) -> Result<Wanted, Box<Problem>> {
    let Reference { path, version } = Reference::parse(&request.path)?;
    let payload = match request.payload {
        None => Map::new(),
        Some(Value::Object(payload)) => payload,
        Some(_) => {
            return Err(Box::new(Problem::bad_request(
                "`payload` must be a JSON object",
            )));
        }
    };
    let idempotency = match headers.get("idempotency-key") {
        None => None,
        Some(key) => {
            let key = key
                .to_str()
                .ok()
                .filter(|key| (1..=255).contains(&key.len()))
                .filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()))
                .ok_or_else(|| {
                    Box::new(Problem::bad_request(
                        "the header Idempotency-Key must be 1 to 255 visible ASCII characters",
                    ))
                })?;
            let content = json!([request.path, payload]).to_string();
            Some(Idempotency {
                key: key.into(),
                digest: Sha256::digest(content).into(),
            })
        }
    };
    Ok(Wanted {
        path,
        version,
        payload,
        idempotency,
        rerun_of: None,
    })
}

/// Whether one of a header's entries begins with `word`.
pub(super) fn asks(headers: &HeaderMap, name: &str, word: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|entry| {
            let entry = entry.split(';').next().unwrap_or_default();
            entry.trim().eq_ignore_ascii_case(word)
        })
}

/// Has an execution run, and answers as soon as it is accepted.
pub(super) async fn begin(
    app: &App,
    admitted: Admitted,
    principal: &Principal,
    wanted: Wanted,
) -> Result<Response, Problem> {
    let id = app.start_execution(admitted, principal, wanted).await?;
    let location = HeaderValue::from_str(&format!("/api/executions/{id}")).expect("ASCII");
    let body = AcceptedExecution {
        execution_id: id,
        status: "running",
    };
    let headers = [(header::LOCATION, location)];
    Ok((StatusCode::ACCEPTED, headers, axum::Json(body)).into_response())
}

fn events(
    app: App,
    admitted: Admitted,
    principal: Principal,
    wanted: Wanted,
) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let (listener, received) = Listener::new();
    let answer = tokio::spawn(async move {
        app.execute(admitted, &principal, wanted, Some(listener))
            .await
    });
    unfold(Some((received, answer)), async |state| {
        let (mut received, answer) = state?;
        if let Some(event) = next(&mut received).await {
            return Some((Ok(event), Some((received, answer))));
        }
        let body = match answer.await {
            Ok(Ok(answer)) => answer.into_json(),
            Ok(Err(problem)) => problem.to_json(),
            Err(_) => Problem::internal("the execution broke").to_json(),
        };
        Some((
            Ok(sse::Event::default()
                .event("execution_finished")
                .data(body.to_string())),
            None,
        ))
    })
}

async fn next(received: &mut UnboundedReceiver<Told>) -> Option<sse::Event> {
    let told = received.recv().await?;
    Some(sse::Event::default().event(told.name).data(&told.data))
}
