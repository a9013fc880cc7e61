//! `POST /api/execute`.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedReceiver;

use super::answer::Problem;
use super::extract::Json;
use crate::admission::Admitted;
use crate::app::App;
use crate::engine::{Listener, Told};
use crate::store::DEFAULT_TENANT;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    path: String,
    #[serde(default = "empty")]
    payload: Value,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// Runs a playbook and answers with its result, or, if the caller accepts
/// `text/event-stream`, with each event as it happens and the result at last.
pub(super) async fn execute(
    State(app): State<App>,
    headers: HeaderMap,
    Json(request): Json<Request>,
) -> Response {
    let wants_events = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("text/event-stream"));
    let admitted = match app.admit(DEFAULT_TENANT) {
        Ok(admitted) => admitted,
        Err(problem) => return problem.into_response(),
    };
    if wants_events {
        return Sse::new(events(app, admitted, request))
            .keep_alive(KeepAlive::default())
            .into_response();
    }
    match app
        .execute(admitted, &request.path, request.payload, None)
        .await
    {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.into_response(),
    }
}

fn events(
    app: App,
    admitted: Admitted,
    request: Request,
) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    let (listener, received) = Listener::new();
    let answer = tokio::spawn(async move {
        app.execute(admitted, &request.path, request.payload, Some(listener))
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
