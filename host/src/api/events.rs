//! Events of executions, as they happen.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{Stream, unfold};
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::Problem;
use super::execute::asks;
use super::extract::Path;
use super::openapi::ProblemDocument;
use crate::access::Principal;
use crate::app::App;
use crate::engine::Watcher;
use crate::store::{EventRecord, ExecutionSummary, Filter};

/// What another server does is not told; it is looked for after this long.
const LOOK: Duration = Duration::from_secs(2);

/// Changes are gathered for so long: many executions may start and end at once.
const GATHER: Duration = Duration::from_millis(200);

/// Executions that are told of at once; of more, the newest.
const AT_ONCE: usize = 100;

/// The events of an execution.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Events {
    events: Vec<EventRecord>,
}

/// The events of an execution.
///
/// With `Accept: text/event-stream`, those so far and those to come, until the
/// execution has ended; `Last-Event-ID` is the last one that is known already.
#[utoipa::path(get, path = "/api/executions/{id}/events", tag = "executions",
    params(
        ("id" = Uuid, Path, description = "The execution's id"),
        ("Last-Event-ID" = Option<i32>, Header, description = "Only events after this one"),
    ),
    responses(
        (status = 200, description = "The events", content((Events = "application/json"), (String = "text/event-stream"))),
        (status = 404, description = "There is no such execution", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn of_execution(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    Path(id): Path<Uuid>,
) -> Result<Response, Problem> {
    let after = match headers.get("last-event-id") {
        None => -1,
        Some(last) => last
            .to_str()
            .ok()
            .and_then(|last| last.parse().ok())
            .ok_or_else(|| Problem::bad_request("the header Last-Event-ID must be a number"))?,
    };
    let changes = app.inner.engine.changes().watch();
    let store = &app.inner.store;
    let found = store.execution_summary(&principal.tenant, id).await?;
    if !found.is_some_and(|summary| principal.may_use(&summary.path)) {
        return Err(Problem::no_execution(id));
    }
    if !asks(&headers, "accept", "text/event-stream") {
        let events = store.events(&principal.tenant, id, after).await?;
        return Ok(axum::Json(Events { events }).into_response());
    }
    let watching = Watching {
        app,
        tenant: principal.tenant,
        id,
        changes,
        after,
        known: Vec::new().into_iter(),
        ended: false,
    };
    Ok(Sse::new(watching.stream())
        .keep_alive(KeepAlive::default())
        .into_response())
}

struct Watching {
    app: App,
    tenant: String,
    id: Uuid,
    changes: Watcher,
    after: i32,
    known: std::vec::IntoIter<EventRecord>,
    ended: bool,
}

impl Watching {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, async |mut watching| {
            let record = watching.next().await?;
            let event = Event::default()
                .id(record.seq.to_string())
                .event(&record.event)
                .json_data(&record)
                .ok()?;
            Some((Ok(event), watching))
        })
    }

    async fn next(&mut self) -> Option<EventRecord> {
        loop {
            if let Some(record) = self.known.next() {
                self.after = record.seq;
                self.ended |= record.event == "execution_finished";
                return Some(record);
            }
            if self.ended {
                return None;
            }
            let store = &self.app.inner.store;
            let events = store.events(&self.tenant, self.id, self.after).await.ok()?;
            if events.is_empty() && !self.runs().await? {
                // It may have ended since the events were read.
                self.ended = true;
                let last = store.events(&self.tenant, self.id, self.after).await.ok()?;
                self.known = last.into_iter();
                continue;
            }
            if events.is_empty() {
                self.change().await?;
            }
            self.known = events.into_iter();
        }
    }

    async fn runs(&self) -> Option<bool> {
        let store = &self.app.inner.store;
        let found = store.execution_summary(&self.tenant, self.id).await.ok()?;
        Some(found?.status == "running")
    }

    /// Waits until the execution may have changed; `None` once the server ends.
    async fn change(&mut self) -> Option<()> {
        let id = self.id;
        tokio::select! {
            _ = timeout(LOOK, self.changes.next(|change| change.id == id)) => Some(()),
            () = self.app.stopping() => None,
        }
    }
}

/// Executions as they start and end.
///
/// Server-sent events named `execution`, each with an execution as the list has it.
#[utoipa::path(get, path = "/api/executions/live", tag = "executions",
    responses((status = 200, description = "The events", content_type = "text/event-stream", body = String)))]
pub(super) async fn live(State(app): State<App>, principal: Principal) -> Response {
    let changes = app.inner.engine.changes().watch();
    let gathering = Gathering {
        app,
        principal,
        changes,
        seen: None,
        look: Instant::now(),
        known: Vec::new(),
    };
    Sse::new(gathering.stream())
        .keep_alive(KeepAlive::default())
        .into_response()
}

struct Gathering {
    app: App,
    principal: Principal,
    changes: Watcher,
    /// The newest executions and their states, once they were looked at.
    seen: Option<HashMap<Uuid, String>>,
    /// When they are to be looked at again.
    look: Instant,
    known: Vec<Event>,
}

impl Gathering {
    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        unfold(self, async |mut gathering| {
            while gathering.known.is_empty() {
                gathering.gather().await?;
            }
            let event = gathering.known.pop()?;
            Some((Ok(event), gathering))
        })
    }

    async fn gather(&mut self) -> Option<()> {
        let stopping = self.app.clone();
        let mut ids = Vec::new();
        tokio::select! {
            _ = timeout_at(self.look, self.changed(&mut ids)) => {}
            () = stopping.stopping() => return None,
        }
        if !ids.is_empty() {
            let more = async {
                loop {
                    self.changed(&mut ids).await;
                }
            };
            let _ = timeout(GATHER, more).await;
            ids.sort_unstable();
            ids.dedup();
            let newest = ids.split_off(ids.len().saturating_sub(AT_ONCE));
            let executions = self.list(Some(newest)).await?;
            self.tell(&executions);
        }
        if self.look <= Instant::now() {
            let newest = self.list(None).await?;
            self.compare(&newest);
            self.look = Instant::now() + LOOK;
        }
        Some(())
    }

    async fn list(&self, ids: Option<Vec<Uuid>>) -> Option<Vec<ExecutionSummary>> {
        let filter = Filter {
            limit: AT_ONCE as i64,
            ids,
            paths: self.principal.paths().map(<[String]>::to_vec),
            ..Filter::default()
        };
        let store = &self.app.inner.store;
        let found = store.executions(&self.principal.tenant, &filter).await;
        found.ok()
    }

    /// Another server may run executions too: what is not as it was is told.
    fn compare(&mut self, newest: &[ExecutionSummary]) {
        let state = |each: &ExecutionSummary| (each.execution_id, each.status.clone());
        let before = self.seen.replace(newest.iter().map(state).collect());
        if let Some(before) = before {
            let mut changed = newest.to_vec();
            changed.retain(|each| before.get(&each.execution_id) != Some(&each.status));
            self.tell(&changed);
        }
    }

    fn tell(&mut self, executions: &[ExecutionSummary]) {
        // The newest comes first, and is taken from the end.
        let events = executions
            .iter()
            .filter_map(|each| Event::default().event("execution").json_data(each).ok());
        self.known.splice(0..0, events);
        if let Some(seen) = &mut self.seen {
            for each in executions {
                seen.insert(each.execution_id, each.status.clone());
            }
        }
    }

    /// Waits until an execution of the tenant has started or ended.
    async fn changed(&mut self, ids: &mut Vec<Uuid>) {
        let tenant = &self.principal.tenant;
        // Those that were missed are found when it is looked again.
        let change = self
            .changes
            .next(|change| change.status && change.tenant == *tenant);
        ids.extend(change.await.map(|change| change.id));
    }
}
