//! `/api/tools`: what playbooks can use.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answer::Problem;
use crate::access::Principal;
use crate::app::{App, ToolEntry};
use crate::grants::{Allowed, Grant};
use crate::limits::Limit;

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
    let entries = app.tools().await.map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "can't look into the tools");
        Problem::internal("the tools' components can't be read")
    })?;
    let tools = entries
        .iter()
        .map(|tool| GrantedTool {
            granted: grant.tools.allows(&tool.name),
            tool: tool.clone(),
        })
        .collect();
    Ok(Json(Tools {
        tools,
        grant: GrantDocument::new(&grant),
    }))
}
