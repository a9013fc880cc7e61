//! Whether the server lives, and whether it can take work.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::app::App;

/// What a check may take: whoever asks has a deadline too.
const PATIENCE: Duration = Duration::from_secs(2);

/// The routes that a supervisor asks.
pub fn routes(app: App) -> Router {
    Router::new()
        .route("/health", get(health))
        .route(
            "/health/live",
            get(async || Json(json!({"status": "live"}))),
        )
        .route("/health/ready", get(ready))
        .with_state(app)
}

async fn health(State(app): State<App>) -> Response {
    if app.inner.store.is_up().await {
        Json(json!({"status": "ok"})).into_response()
    } else {
        let body = Json(json!({"status": "unavailable", "database": "does not answer"}));
        (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
    }
}

async fn ready(State(app): State<App>) -> (StatusCode, Json<Value>) {
    let (database, migrations) = database(&app).await;
    let checks = [
        ("database", database),
        ("migrations", migrations),
        ("workers", app.inner.engine.ready()),
        (
            "accepting",
            match app.is_draining() {
                true => Err("the server is stopping".into()),
                false => Ok(()),
            },
        ),
    ];
    let all = checks.iter().all(|(_, check)| check.is_ok());
    let told: Map<String, Value> = checks
        .into_iter()
        .map(|(name, check)| (name.to_owned(), check.err().unwrap_or("ok".into()).into()))
        .collect();
    let (status, word) = match all {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    (status, Json(json!({"status": word, "checks": told})))
}

type Check = Result<(), String>;

/// What it says about its tables shows that the database answers.
async fn database(app: &App) -> (Check, Check) {
    match timeout(PATIENCE, app.inner.store.pending_migrations()).await {
        Ok(Ok(pending)) if pending.is_empty() => (Ok(()), Ok(())),
        Ok(Ok(pending)) => {
            let told = format!("{} missing; `noetl migrate` applies them", pending.len());
            (Ok(()), Err(told))
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "not ready: the server's database failed");
            (Err("it failed".into()), Err("unknown".into()))
        }
        Err(_) => (Err("it does not answer".into()), Err("unknown".into())),
    }
}
