//! `/api/credentials`: values go in and never come out.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Problem;
use super::extract::{Json, Path};
use crate::app::App;
use crate::store::DEFAULT_TENANT;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credential {
    #[serde(rename = "type")]
    kind: String,
    url: String,
}

/// Adds or replaces a credential.
pub(super) async fn put(
    State(app): State<App>,
    Path(alias): Path<String>,
    Json(credential): Json<Credential>,
) -> Result<StatusCode, Problem> {
    app.put_credential(&alias, &credential.kind, &credential.url)
        .await
        .map_err(|e| Problem::bad_request(format!("{e:#}")))?;
    Ok(StatusCode::NO_CONTENT)
}

/// The aliases and their types.
pub(super) async fn list(State(app): State<App>) -> Result<axum::Json<Value>, Problem> {
    let credentials = app.inner.store.credentials(DEFAULT_TENANT).await?;
    Ok(axum::Json(json!({"credentials": credentials})))
}
