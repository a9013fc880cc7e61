//! `GET /metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

use super::answer::Problem;
use crate::metrics::{CONTENT_TYPE, Metrics};

/// The route that Prometheus asks.
pub fn routes(metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .with_state(metrics)
}

async fn show(State(metrics): State<Metrics>) -> Result<impl IntoResponse, Problem> {
    // The kernel may take some milliseconds to sum up a process's memory.
    let text = tokio::task::spawn_blocking(move || metrics.encode()).await;
    let text = text.map_err(|_| Problem::internal("the metrics could not be read"))?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}
