//! `/api/tools`: what playbooks can use. Tools come in, are shown and removed.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answer::Problem;
use super::extract::Path;
use super::openapi::ProblemDocument;
use crate::access::{Principal, Role};
use crate::app::{App, PushError, ToolEntry, ToolStatus};
use crate::grants::{Allowed, Grant};
use crate::limits::Limit;
use crate::playbook;
use crate::store::Added;
use crate::tool::{Name, NameError, Pin, Reference};

/// The server's tools, and what the tenant was granted.
#[derive(Serialize, ToSchema)]
pub(super) struct Tools {
    tools: Vec<GrantedTool>,
    grant: GrantDocument,
}

/// A tool, and whether it is granted.
#[derive(Serialize, ToSchema)]
struct GrantedTool {
    #[serde(flatten)]
    tool: ToolEntry,
    /// Whether the tenant's playbooks may use it.
    granted: bool,
}

/// What the tenant was granted.
#[derive(Serialize, ToSchema)]
struct GrantDocument {
    /// `all`, or a list of names.
    tools: Value,
    /// `all`, or a list of aliases.
    credentials: Value,
    /// The hosts that tools may talk to.
    hosts: Vec<String>,
    /// What a step may use, by the limits' names, as people write it: `30s`.
    limits: BTreeMap<&'static str, String>,
}

impl GrantDocument {
    fn new(grant: &Grant) -> Self {
        let names = |allowed: &Allowed| match allowed {
            Allowed::All => json!("all"),
            Allowed::Only(names) => json!(names),
        };
        Self {
            tools: names(&grant.tools),
            credentials: names(&grant.credentials),
            hosts: grant.hosts.iter().map(ToString::to_string).collect(),
            limits: Limit::ALL
                .iter()
                .map(|&limit| (limit.name(), limit.unit().show(grant.limits.get(limit))))
                .collect(),
        }
    }
}

/// Where tools are pushed to: a component is larger than other bodies.
pub(super) const PATH: &str = "/api/tools";

/// The header that a component's signature comes in.
const SIGNATURE: &str = "x-noetl-signature";

/// A tool with its schemas and versions.
#[derive(Serialize, ToSchema)]
pub(super) struct ToolDocument {
    #[serde(flatten)]
    tool: GrantedTool,
    /// The JSON Schemas of its config, its arguments and its result.
    schema: Value,
    /// All versions, the newest first.
    versions: Vec<ToolVersion>,
}

/// A version of a tool.
#[derive(Serialize, ToSchema)]
struct ToolVersion {
    version: Option<String>,
    digest: String,
    status: ToolStatus,
    pushed_at: Option<DateTime<Utc>>,
}

impl GrantedTool {
    fn new(grant: &Grant, tool: ToolEntry) -> Self {
        let name = tool.name.parse::<Name>();
        Self {
            granted: name.is_ok_and(|name| grant.allows_tool(&name)),
            tool,
        }
    }
}

/// Lists tools.
///
/// What each can ask the host for, and what the tenant was granted.
#[utoipa::path(get, path = "/api/tools", tag = "tools",
    responses((status = 200, description = "The tools and the grant", body = Tools)))]
pub(super) async fn list(
    State(app): State<App>,
    principal: Principal,
) -> Result<Json<Tools>, Problem> {
    let grant = app.grants().of(&principal.tenant);
    let tools = app.tools(&principal.tenant).await?;
    let tools = tools.into_iter().map(|tool| GrantedTool::new(&grant, tool));
    Ok(Json(Tools {
        tools: tools.collect(),
        grant: GrantDocument::new(&grant),
    }))
}

/// Pushes a tool.
///
/// The body is a WebAssembly component with a manifest, as `noetl tool build` makes
/// it. It is compiled while the server goes on; the answer says where it can be seen
/// how far that is. A version never changes: what is pushed again has to be the same.
#[utoipa::path(post, path = "/api/tools", tag = "tools",
    params(("x-noetl-signature" = Option<String>, Header, description = "An Ed25519 signature of the component's digest, in base64")),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses(
        (status = 200, description = "The same component was there", body = ToolDocument),
        (status = 202, description = "It is being compiled", body = ToolDocument,
            headers(("Location" = String, description = "The tool"))),
        (status = 409, description = "The version is another component", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "It is no tool", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn push(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    principal.needs(Role::Author)?;
    let signature = match headers.get(SIGNATURE).map(HeaderValue::to_str) {
        None => None,
        Some(Ok(signature)) => Some(signature.to_owned()),
        Some(Err(_)) => {
            let message = format!("the header {SIGNATURE} is not base64");
            return Err(Problem::bad_request(message));
        }
    };
    let pushed = app.push_tool(&principal, &body, signature).await;
    let (reference, added) = pushed.map_err(|error| match error {
        PushError::Store(error) => Problem::store(error),
        PushError::Taken { .. } => Problem::version_taken(error.to_string()),
        error => Problem::unreadable(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    })?;
    let document = document(&app, &principal, &reference).await?;
    let status = match added {
        Added::New => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    let location = [(header::LOCATION, format!("{PATH}/{reference}"))];
    Ok((status, location, Json(document)).into_response())
}

/// Shows a tool.
///
/// `NAME`, `NAME@VERSION` or `NAME@sha256:DIGEST`.
#[utoipa::path(get, path = "/api/tools/{*tool}", tag = "tools",
    params(("tool" = String, Path, description = "`acme/geocode`, or `acme/geocode@1.2.0`")),
    responses(
        (status = 200, description = "The tool", body = ToolDocument),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn show(
    State(app): State<App>,
    principal: Principal,
    Path(tool): Path<String>,
) -> Result<Json<ToolDocument>, Problem> {
    document(&app, &principal, &reference(&tool)?)
        .await
        .map(Json)
}

/// Removes a version of a tool.
///
/// Steps that run end as they are. The version's number is not given again to another
/// component.
#[utoipa::path(delete, path = "/api/tools/{*tool}", tag = "tools",
    params(("tool" = String, Path, description = "`acme/geocode@1.2.0`")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn remove(
    State(app): State<App>,
    principal: Principal,
    Path(tool): Path<String>,
) -> Result<StatusCode, Problem> {
    principal.needs(Role::Author)?;
    let reference = reference(&tool)?;
    let Some(Pin::Version(version)) = &reference.pin else {
        let message = format!(
            "`{tool}` names no version, such as `{}@1.0.0`",
            reference.name
        );
        return Err(Problem::bad_request(message));
    };
    let version = version.to_string();
    match app
        .remove_tool(&principal.tenant, &reference.name, &version)
        .await?
    {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(format!(
            "there is no tool `{reference}`"
        ))),
    }
}

fn reference(text: &str) -> Result<Reference, Box<Problem>> {
    text.parse()
        .map_err(|error: NameError| Box::new(Problem::bad_request(error.to_string())))
}

async fn document(
    app: &App,
    principal: &Principal,
    reference: &Reference,
) -> Result<ToolDocument, Problem> {
    let versions = app.versions(&principal.tenant, &reference.name).await?;
    let is_meant = |tool: &&ToolEntry| match &reference.pin {
        None => true,
        Some(Pin::Version(version)) => tool.version == Some(version.to_string()),
        Some(Pin::Digest(digest)) => tool.digest.strip_prefix("sha256:") == Some(digest),
    };
    let found = versions.iter().find(is_meant).cloned();
    let tool =
        found.ok_or_else(|| Problem::not_found(format!("there is no tool `{reference}`")))?;
    let grant = app.grants().of(&principal.tenant);
    Ok(ToolDocument {
        schema: tool.schema.clone(),
        tool: GrantedTool::new(&grant, tool),
        versions: versions
            .into_iter()
            .map(|tool| ToolVersion {
                version: tool.version,
                digest: tool.digest,
                status: tool.status,
                pushed_at: tool.pushed_at,
            })
            .collect(),
    })
}

/// The JSON Schema of playbooks.
///
/// With the tools that the tenant has, for editors.
#[utoipa::path(get, path = "/api/schema", tag = "tools",
    responses((status = 200, description = "A JSON Schema", body = Object)))]
pub(super) async fn schema(State(app): State<App>, principal: Principal) -> Json<Value> {
    Json(playbook::schema(&app.toolset(&principal.tenant)))
}
