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
pub(crate) mod keys;
pub mod limits;
mod openapi;
mod patience;
mod server;
mod tools;

pub use server::serve;

use axum::Json;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use crate::access::Principal;
use crate::app::App;
use access::Entrance;
use answer::Problem;

/// Every route of the service, for whoever shows who it is or, if `principal` is
/// given, for that caller.
pub fn router(app: App, principal: Option<Principal>) -> Router {
    let dev = app.inner.dev;
    let bodies = body::Bodies::new(app.inner.http);
    let entrance = Entrance {
        app: app.clone(),
        principal,
    };
    let (routes, description) = openapi::routes();
    routes
        .route_layer(from_fn_with_state(entrance, access::authenticate))
        .merge(openapi::pages(description))
        .merge(console::routes())
        .route("/health", get(health))
        .with_state(app)
        .merge(if dev { dev::router() } else { Router::new() })
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
