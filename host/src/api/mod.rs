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
mod health;
pub mod limits;
mod metrics;
mod observe;
mod patience;
mod request_id;
mod server;

pub use server::serve;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post, put};

use crate::app::App;
use answer::Problem;

/// Every route of the service.
pub fn router(app: App) -> Router {
    let dev = app.inner.dev;
    let bodies = body::Bodies::new(app.inner.http);
    let metrics = app.inner.metrics.clone();
    let router = Router::new()
        .route("/api/execute", post(execute::execute))
        .route("/api/executions/{id}", get(executions::get))
        .route(
            "/api/catalog/playbooks",
            get(catalog::list).post(catalog::register),
        )
        .route("/api/catalog/playbooks/{*path}", get(catalog::get))
        .route("/api/credentials", get(credentials::list))
        .route("/api/credentials/{alias}", put(credentials::put))
        .with_state(app.clone())
        .merge(metrics::routes(app.inner.metrics.clone()))
        .merge(health::routes(app))
        .merge(if dev { dev::router() } else { Router::new() });
    router
        .fallback(async || Problem::not_found("there is no such route; docs/api.md lists them"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(bodies, body::read))
        .layer(from_fn_with_state(metrics, observe::observe))
        .layer(from_fn(request_id::assign))
}

/// The routes of who runs the server, for an address of their own.
pub fn operating_router(app: App) -> Router {
    metrics::routes(app.inner.metrics.clone())
        .merge(health::routes(app))
        .fallback(async || Problem::not_found("here are /metrics, /health/live and /health/ready"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(from_fn(request_id::assign))
}
