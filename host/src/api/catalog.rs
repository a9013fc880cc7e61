//! `/api/catalog`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::Problem;
use super::extract::Path;
use crate::app::{App, RegisterError, Registered};
use crate::store::{DEFAULT_TENANT, StoredPlaybook};

/// Takes a playbook's YAML text. The header `x-noetl-file` names the file in
/// messages.
pub(super) async fn register(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<String, StringRejection>,
) -> Result<(StatusCode, Json<Registered>), Problem> {
    let body = body.map_err(|e| Problem::unreadable(e.status(), e.body_text()))?;
    let file = headers
        .get("x-noetl-file")
        .and_then(|name| name.to_str().ok())
        .unwrap_or("playbook.yaml");
    match app.register(file, &body).await {
        Ok(registered) => Ok((StatusCode::CREATED, Json(registered))),
        Err(RegisterError::Invalid(diagnostics)) => Err(Problem::invalid_playbook(&diagnostics)),
        Err(RegisterError::Store(error)) => Err(error.into()),
    }
}

/// The latest version of every playbook.
pub(super) async fn list(State(app): State<App>) -> Result<Json<Value>, Problem> {
    let playbooks = app.inner.store.playbooks(DEFAULT_TENANT).await?;
    Ok(Json(json!({"playbooks": playbooks})))
}

/// The latest version of one playbook, with its text.
pub(super) async fn get(
    State(app): State<App>,
    Path(path): Path<String>,
) -> Result<Json<StoredPlaybook>, Problem> {
    app.inner
        .store
        .playbook(DEFAULT_TENANT, &path, None)
        .await?
        .map(Json)
        .ok_or_else(|| Problem::no_playbook(&path))
}
