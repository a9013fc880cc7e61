//! The HTTP service.

mod access;
pub mod answer;
mod body;
mod catalog;
mod connections;
mod console;
mod credentials;
pub mod dev;
mod events;
mod execute;
mod executions;
mod extract;
mod health;
pub(crate) mod keys;
pub mod limits;
mod metrics;
mod observe;
mod openapi;
mod patience;
mod request_id;
mod server;
mod tools;

pub use server::serve;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};

use crate::access::Principal;
use crate::app::App;
use access::Entrance;
use answer::Problem;

/// Every route of the service, for whoever shows who it is or, if `principal` is
/// given, for that caller.
pub fn router(app: App, principal: Option<Principal>) -> Router {
    let dev = app.inner.dev;
    let bodies = body::Bodies::new(app.inner.http);
    let metrics = app.inner.metrics.clone();
    let entrance = Entrance {
        app: app.clone(),
        principal,
    };
    let (routes, description) = openapi::routes();
    // Who may call is not who runs the server.
    let operating = match app.inner.access.required() {
        true => Router::new(),
        false => metrics::routes(metrics.clone()),
    };
    routes
        .route_layer(from_fn_with_state(entrance, access::authenticate))
        .merge(openapi::pages(description))
        .merge(console::routes())
        .with_state(app.clone())
        .merge(operating)
        .merge(health::routes(app))
        .merge(if dev { dev::router() } else { Router::new() })
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
