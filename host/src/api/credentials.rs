//! `/api/credentials`: values go in and never come out.

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Problem;
use super::extract::Path;
use crate::app::{App, CredentialError};
use crate::secrets::Secret;
use crate::store::{Credential, DEFAULT_TENANT};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    #[serde(rename = "type")]
    kind: String,
    url: Secret,
    #[serde(default)]
    allow_privileged: bool,
}

/// What a body should have been. An error of the JSON reader would quote what it
/// was, and that may be a password.
const SHAPE: &str = r#"the body must be {"type": "postgres", "url": "postgres://user:password@host:port/database"}, with "allow_privileged": true if the role may have more rights than a playbook needs"#;

/// Adds or replaces a credential.
pub(super) async fn put(
    State(app): State<App>,
    Path(alias): Path<String>,
    body: Result<axum::Json<Body>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let axum::Json(body) = body.map_err(|e| Problem::unreadable(e.status(), SHAPE))?;
    let credential = Credential {
        kind: body.kind,
        url: body.url,
        allow_privileged: body.allow_privileged,
    };
    match app.put_credential(&alias, credential).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(CredentialError::Invalid(message)) => Err(Problem::bad_request(message)),
        Err(CredentialError::Store(error)) => Err(Problem::store(error)),
    }
}

/// The aliases and their types.
pub(super) async fn list(State(app): State<App>) -> Result<axum::Json<Value>, Problem> {
    let credentials = app.inner.store.credentials(DEFAULT_TENANT).await?;
    Ok(axum::Json(json!({"credentials": credentials})))
}
