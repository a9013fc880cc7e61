//! `/api/credentials`: values go in and never come out.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer::Problem;
use super::extract::Path;
use super::openapi::ProblemDocument;
use crate::access::{Principal, Role};
use crate::app::{App, CredentialError};
use crate::secrets::Secret;
use crate::store::{Credential, CredentialEntry};

/// A credential.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    /// `postgres`.
    #[serde(rename = "type")]
    #[schema(pattern = "^postgres$")]
    kind: String,
    /// `postgres://user:password@host:port/database`.
    #[schema(value_type = String, write_only, pattern = "^postgres(ql)?://")]
    url: Secret,
    /// Whether its role may have more rights than a playbook needs.
    #[serde(default)]
    allow_privileged: bool,
}

/// What a body should have been. An error of the JSON reader would quote what it
/// was, and that may be a password.
const SHAPE: &str = r#"the body must be {"type": "postgres", "url": "postgres://user:password@host:port/database"}, with "allow_privileged": true if the role may have more rights than a playbook needs"#;

/// Adds or replaces a credential.
#[utoipa::path(put, path = "/api/credentials/{alias}", tag = "credentials",
    params(("alias" = String, Path, description = "The name that playbooks use")),
    request_body = Body,
    responses(
        (status = 204, description = "It is stored"),
        (status = 422, description = "It can't be used", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn put(
    State(app): State<App>,
    principal: Principal,
    Path(alias): Path<String>,
    body: Result<Json<Body>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    principal.needs(Role::Admin)?;
    let Json(body) = body.map_err(|e| Problem::unreadable(e.status(), SHAPE))?;
    let credential = Credential {
        kind: body.kind,
        url: body.url,
        allow_privileged: body.allow_privileged,
    };
    let tenant = &principal.tenant;
    match app.put_credential(tenant, &alias, credential).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(CredentialError::Invalid(message)) => Err(Problem::unreadable(
            StatusCode::UNPROCESSABLE_ENTITY,
            message,
        )),
        Err(CredentialError::Store(error)) => Err(Problem::store(error)),
    }
}

/// Removes a credential.
#[utoipa::path(delete, path = "/api/credentials/{alias}", tag = "credentials",
    params(("alias" = String, Path, description = "The name that playbooks use")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn delete(
    State(app): State<App>,
    principal: Principal,
    Path(alias): Path<String>,
) -> Result<StatusCode, Problem> {
    principal.needs(Role::Admin)?;
    match app.delete_credential(&principal.tenant, &alias).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("there is no credential of this alias")),
    }
}

/// The tenant's credentials.
#[derive(Serialize, ToSchema)]
pub(super) struct Credentials {
    credentials: Vec<CredentialEntry>,
}

/// Lists credentials.
///
/// Aliases and types; never values.
#[utoipa::path(get, path = "/api/credentials", tag = "credentials",
    responses((status = 200, description = "The list", body = Credentials)))]
pub(super) async fn list(
    State(app): State<App>,
    principal: Principal,
) -> Result<Json<Credentials>, Problem> {
    let credentials = app.inner.store.credentials(&principal.tenant).await?;
    Ok(Json(Credentials { credentials }))
}
