//! `/api/keys`: the tenant's API keys.

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answer::Problem;
use super::extract::{Json, Path};
use super::openapi::ProblemDocument;
use crate::access::{Principal, Role};
use crate::app::App;
use crate::store::{ApiKey, NewApiKey};

/// The tenant's keys.
#[derive(Serialize, ToSchema)]
pub(super) struct Keys {
    keys: Vec<ApiKey>,
}

/// Lists API keys.
#[utoipa::path(get, path = "/api/keys", tag = "access",
    responses((status = 200, description = "The list", body = Keys)))]
pub(super) async fn list(
    State(app): State<App>,
    principal: Principal,
) -> Result<axum::Json<Keys>, Problem> {
    principal.needs(Role::Admin)?;
    let keys = app.inner.store.api_keys(&principal.tenant).await?;
    Ok(axum::Json(Keys { keys }))
}

/// A key that is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// What it is called, 1 to 100 characters.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    name: String,
    /// What its bearer may do.
    role: Role,
    /// The playbooks that it is for, as paths or, with a `/` at the end, as what
    /// paths begin with; for all, if there is no list.
    #[schema(value_type = Option<Vec<PathText>>, min_items = 1, max_items = 100)]
    paths: Option<Vec<String>>,
    /// From when on it is not taken.
    expires_at: Option<DateTime<Utc>>,
}

/// A playbook's path, or what paths begin with.
#[derive(ToSchema)]
#[schema(min_length = 1, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
#[allow(dead_code, reason = "it is for the description")]
struct PathText(String);

/// A key with its text.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeKey {
    #[serde(flatten)]
    entry: ApiKey,
    /// The key. It can't be had again.
    key: String,
}

/// Makes an API key.
#[utoipa::path(post, path = "/api/keys", tag = "access", request_body = NewKey,
    responses(
        (status = 201, description = "The key, which is shown this once", body = MadeKey),
        (status = 422, description = "There can't be such a key", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn create(
    State(app): State<App>,
    principal: Principal,
    Json(new): Json<NewKey>,
) -> Result<(StatusCode, axum::Json<MadeKey>), Problem> {
    principal.needs(Role::Admin)?;
    check(&new.name, new.paths.as_deref(), new.expires_at)
        .map_err(|why| Problem::unreadable(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    if let Some(path) = new
        .paths
        .iter()
        .flatten()
        .find(|path| !principal.may_use(path))
    {
        return Err(Problem::forbidden(format!(
            "your own key is not for the path `{path}`"
        )));
    }
    // A key can't be for more than the one that it is made with.
    let key = NewApiKey {
        name: &new.name,
        role: new.role.as_str(),
        paths: new.paths.as_deref().or(principal.paths()),
        created_by: Some(&principal.subject),
        expires_at: new.expires_at,
    };
    let made = app.inner.access.make_key(&principal.tenant, key);
    let (entry, text) = made.await?;
    let key = text.expose().to_owned();
    Ok((StatusCode::CREATED, axum::Json(MadeKey { entry, key })))
}

/// Whether there can be such a key.
///
/// # Errors
/// Why not.
pub(crate) fn check(
    name: &str,
    paths: Option<&[String]>,
    expires_at: Option<DateTime<Utc>>,
) -> Result<(), String> {
    if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err("`name` must have 1 to 100 characters, and no control characters".into());
    }
    let path = |path: &String| !path.is_empty() && !path.chars().any(char::is_control);
    if let Some(paths) = paths
        && (paths.is_empty() || paths.len() > 100 || !paths.iter().all(path))
    {
        return Err("`paths` must be 1 to 100 paths of playbooks, such as `team/login`, or beginnings of paths, such as `team/`".into());
    }
    match expires_at {
        Some(at) if at <= Utc::now() => Err("`expires_at` must be in the future".into()),
        _ => Ok(()),
    }
}

/// Revokes an API key.
#[utoipa::path(delete, path = "/api/keys/{id}", tag = "access",
    params(("id" = Uuid, Path, description = "The key's id")),
    responses(
        (status = 204, description = "It is not taken any more"),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn revoke(
    State(app): State<App>,
    principal: Principal,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    principal.needs(Role::Admin)?;
    match app.inner.access.revoke_key(&principal.tenant, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(format!("there is no API key {id}"))),
    }
}

/// Who calls.
#[utoipa::path(get, path = "/api/me", tag = "access",
    responses((status = 200, description = "The caller, as the server knows it", body = Principal)))]
pub(super) async fn me(principal: Principal) -> axum::Json<Principal> {
    axum::Json(principal)
}
