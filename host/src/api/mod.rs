//! The HTTP service.

pub mod answer;
mod body;
mod catalog;
mod connections;
mod credentials;
pub mod dev;
mod execute;
mod executions;
mod extract;
pub mod limits;
mod patience;
mod server;

pub use server::serve;

use axum::Json;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde_json::json;

use crate::app::App;
use answer::Problem;

/// Every route of the service.
pub fn router(app: App) -> Router {
    let dev = app.inner.dev;
    let bodies = body::Bodies::new(app.inner.http);
    let router = Router::new()
        .route("/health", get(health))
        .route("/api/execute", post(execute::execute))
        .route("/api/executions/{id}", get(executions::get))
        .route(
            "/api/catalog/playbooks",
            get(catalog::list).post(catalog::register),
        )
        .route("/api/catalog/playbooks/{*path}", get(catalog::get))
        .route("/api/credentials", get(credentials::list))
        .route("/api/credentials/{alias}", put(credentials::put))
        .with_state(app)
        .merge(if dev { dev::router() } else { Router::new() });
    router
        .fallback(async || Problem::not_found("there is no such route; docs/api.md lists them"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(bodies, body::read))
}

async fn health(State(app): State<App>) -> Response {
    if app.inner.store.is_up().await {
        Json(json!({"status": "ok"})).into_response()
    } else {
        let body = Json(json!({"status": "unavailable", "database": "does not answer"}));
        (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
    }
}
