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
use crate::app::{App, Credential, CredentialError};
use crate::capabilities::http::{self, Login};
use crate::capabilities::postgres;
use crate::secrets::Secret;
use crate::store::CredentialEntry;

/// A credential.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Body {
    /// A login at PostgreSQL.
    Postgres {
        /// `postgres://user:password@host:port/database`.
        #[schema(value_type = String, write_only, pattern = "^postgres(ql)?://")]
        url: Secret,
        /// Whether its role may have more rights than a playbook needs.
        #[serde(default)]
        allow_privileged: bool,
    },
    /// A token, sent to HTTP servers as `authorization: Bearer …`.
    Bearer {
        /// The token.
        #[schema(value_type = String, write_only)]
        token: Secret,
        /// The hosts that it may be sent to: `host`, `host:port`, `*.domain`.
        #[schema(min_items = 1)]
        hosts: Vec<String>,
    },
    /// A user and a password, sent to HTTP servers as `authorization: Basic …`.
    Basic {
        /// The user.
        user: String,
        /// The password.
        #[schema(value_type = String, write_only)]
        password: Secret,
        /// The hosts that they may be sent to: `host`, `host:port`, `*.domain`.
        #[schema(min_items = 1)]
        hosts: Vec<String>,
    },
    /// A header that is sent to HTTP servers.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        #[schema(value_type = String, write_only)]
        value: Secret,
        /// The hosts that it may be sent to: `host`, `host:port`, `*.domain`.
        #[schema(min_items = 1)]
        hosts: Vec<String>,
    },
}

/// What a body should have been. An error of the JSON reader would quote what it
/// was, and that may be a password.
const SHAPE: &str = r#"the body must be {"type": "postgres", "url": "postgres://user:password@host:port/database"}, with "allow_privileged": true if the role may have more rights than a playbook needs; or for HTTP {"type": "bearer", "token": "…", "hosts": ["api.example.com"]}, {"type": "basic", "user": "…", "password": "…", "hosts": […]} or {"type": "header", "name": "x-api-key", "value": "…", "hosts": […]}"#;

/// What a host should have been; it may be a secret too.
const HOST: &str =
    "a host is not like `api.example.com`, `api.example.com:8443` or `*.example.com`";

impl Body {
    fn credential(self) -> Result<Credential, &'static str> {
        let (login, hosts) = match self {
            Self::Postgres {
                url,
                allow_privileged,
            } => {
                return Ok(Credential::Postgres(postgres::Credential {
                    url,
                    allow_privileged,
                }));
            }
            Self::Bearer { token, hosts } => (Login::Bearer { token }, hosts),
            Self::Basic {
                user,
                password,
                hosts,
            } => (Login::Basic { user, password }, hosts),
            Self::Header { name, value, hosts } => (Login::Header { name, value }, hosts),
        };
        let hosts: Result<_, String> = hosts.iter().map(|host| host.parse()).collect();
        let hosts = hosts.map_err(|_| HOST)?;
        Ok(Credential::Http(http::Credential { login, hosts }))
    }
}

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
    let unusable = |why: &str| Problem::unreadable(StatusCode::UNPROCESSABLE_ENTITY, why);
    let credential = body.credential().map_err(unusable)?;
    let tenant = &principal.tenant;
    match app.put_credential(tenant, &alias, credential).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(CredentialError::Invalid(message)) => Err(unusable(&message)),
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
