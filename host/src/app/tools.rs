//! The tools: pushed, shown and removed.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::App;
use super::registry::Stage;
use crate::access::Principal;
use crate::engine::Tools as _;
use crate::store::{Added, StoredTool};
use crate::tool::{
    Interfaces, Manifest, ManifestError, Name, Pin, Reference, Tool, Toolset, digest, signature,
};

/// A tool.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ToolEntry {
    /// Its name in playbooks.
    pub name: String,
    /// Its version, if it says one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is for.
    pub description: String,
    /// `sha256:` and the digest of its component.
    pub digest: String,
    /// The component's size, in bytes.
    pub size: u64,
    /// The interfaces that it asks the host for.
    pub imports: Vec<String>,
    /// What it wants to reach, by its manifest.
    #[schema(value_type = Object)]
    pub capabilities: Value,
    /// Whether the server came with it.
    pub built_in: bool,
    /// Whether steps can run it.
    pub status: ToolStatus,
    /// What is being done with it, if it can't run yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether it came with a signature.
    pub signed: bool,
    /// Who pushed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_by: Option<String>,
    /// When it was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<DateTime<Utc>>,
    /// The JSON Schemas of its config, its arguments and its result.
    #[serde(skip)]
    pub schema: Value,
}

/// Whether steps can run a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ToolStatus {
    /// Not yet.
    Compiling,
    /// Yes.
    Ready,
    /// Never.
    Failed,
}

/// What is being done with a component.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Progress {
    /// What.
    pub stage: Stage,
    /// For how long, in milliseconds.
    pub for_ms: u64,
}

/// Why a tool was not added.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// It is no component, or its manifest is none.
    #[error("{0}")]
    Component(#[from] ManifestError),
    /// It has no manifest.
    #[error(
        "the component has no manifest; `noetl tool build` writes it, from the file `tool.toml`"
    )]
    NoManifest,
    /// Its name has no namespace.
    #[error(
        "`{0}` has no namespace, and such names are the server's own; name it `you/{0}` in tool.toml"
    )]
    NoNamespace(Name),
    /// It is signed with another key, or not signed.
    #[error(
        "{0}; the tenant's tools have to be signed with a key that the grants file names: `noetl tool push --sign KEY`"
    )]
    Signature(signature::SignatureError),
    /// This version is another component.
    #[error(
        "{name}@{version} is there already, with another content; a version never changes: raise `version` in tool.toml"
    )]
    Taken {
        /// Which tool.
        name: String,
        /// Which version.
        version: String,
    },
    /// The tenant has too many.
    #[error(
        "the tenant has as many versions of tools as it may; remove some with `noetl tool remove`"
    )]
    Full,
    /// The store failed.
    #[error("the server's database failed: {0}")]
    Store(#[from] sqlx::Error),
}

impl App {
    /// The tools of a tenant, by name and version, the newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tools(&self, tenant: &str) -> sqlx::Result<Vec<ToolEntry>> {
        let mut pushed = self.inner.store.tools(tenant).await?;
        let version = |tool: &StoredTool| tool.version.parse::<semver::Version>().ok();
        pushed.sort_by(|a, b| a.name.cmp(&b.name).then(version(b).cmp(&version(a))));
        let pushed = pushed.into_iter().map(|tool| self.entry(tenant, tool));
        Ok(self.inner.built_in.iter().cloned().chain(pushed).collect())
    }

    /// The tools that playbooks of a tenant can name now.
    pub fn toolset(&self, tenant: &str) -> Arc<Toolset> {
        self.inner.registry.of(tenant)
    }

    /// The versions of a tool, the newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn versions(&self, tenant: &str, name: &Name) -> sqlx::Result<Vec<ToolEntry>> {
        let mut tools = self.tools(tenant).await?;
        tools.retain(|tool| tool.name == name.as_str());
        Ok(tools)
    }

    fn entry(&self, tenant: &str, tool: StoredTool) -> ToolEntry {
        let reference = Reference {
            name: match tool.name.parse() {
                Ok(name) => name,
                Err(error) => unreachable!("it was checked when it came: {error}"),
            },
            pin: tool
                .digest
                .strip_prefix("sha256:")
                .map(|d| Pin::Digest(d.into())),
        };
        let set = self.inner.registry.of(tenant);
        let loaded = set.find(&reference).is_ok_and(|tool| tool.loaded);
        let status = match tool.status.as_str() {
            "failed" => ToolStatus::Failed,
            _ if loaded => ToolStatus::Ready,
            _ => ToolStatus::Compiling,
        };
        let stage = self.inner.registry.stage(&tool.digest);
        ToolEntry {
            name: tool.name,
            version: Some(tool.version),
            description: tool.manifest["description"]
                .as_str()
                .unwrap_or_default()
                .into(),
            size: tool.size.unsigned_abs(),
            imports: tool.imports,
            capabilities: tool.manifest["capabilities"].clone(),
            built_in: false,
            progress: stage
                .filter(|_| status == ToolStatus::Compiling)
                .map(|(stage, since)| Progress {
                    stage,
                    for_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
                }),
            status,
            error: tool.error,
            signed: tool.signature.is_some(),
            pushed_by: tool.pushed_by,
            pushed_at: Some(tool.pushed_at),
            schema: tool.manifest["schema"].clone(),
            digest: tool.digest,
        }
    }

    /// Takes a component in, to be compiled and then served.
    ///
    /// # Errors
    /// If it can't be taken.
    pub async fn push_tool(
        &self,
        principal: &Principal,
        component: &[u8],
        signature: Option<String>,
    ) -> Result<(Reference, Added), PushError> {
        let manifest = Manifest::of(component)?.ok_or(PushError::NoManifest)?;
        let Manifest { name, version, .. } = &manifest;
        if name.namespace().is_none() {
            return Err(PushError::NoNamespace(name.clone()));
        }
        let digest = digest(component);
        let keys = &self.inner.grants.of(&principal.tenant).tool_keys;
        if !keys.is_empty() {
            let signature = signature.as_deref().unwrap_or_default();
            signature::verify(keys, &digest, signature).map_err(PushError::Signature)?;
        }
        let tool = StoredTool {
            tenant: principal.tenant.clone(),
            name: name.to_string(),
            version: version.to_string(),
            digest,
            size: i64::try_from(component.len()).unwrap_or(i64::MAX),
            imports: Interfaces::of(component)?.imports,
            manifest: json!(manifest),
            signature,
            status: "compiling".into(),
            error: None,
            pushed_at: Utc::now(),
            pushed_by: Some(principal.subject.clone()),
        };
        let added = self.inner.store.put_tool(&tool, component).await?;
        match added {
            Added::New => self.inner.registry.changed(),
            Added::Same => {}
            Added::Taken => {
                return Err(PushError::Taken {
                    name: tool.name,
                    version: tool.version,
                });
            }
            Added::Full => return Err(PushError::Full),
        }
        let reference = Reference {
            name: manifest.name,
            pin: Some(Pin::Version(manifest.version)),
        };
        Ok((reference, added))
    }

    /// Removes a version of a tool, and says whether there was one.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn remove_tool(
        &self,
        tenant: &str,
        name: &Name,
        version: &str,
    ) -> sqlx::Result<bool> {
        let removed = self
            .inner
            .store
            .delete_tool(tenant, name.as_str(), version)
            .await?;
        self.inner.registry.changed();
        Ok(removed)
    }
}

/// A component's bytes.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("can't read {}", file.display()))
}

/// A tool that the server came with.
pub(super) fn built_in(name: &str, component: &[u8]) -> anyhow::Result<(ToolEntry, Arc<Tool>)> {
    let name: Name = name.parse()?;
    let manifest = Manifest::of(component)?;
    let entry = ToolEntry {
        name: name.to_string(),
        version: manifest.as_ref().map(|m| m.version.to_string()),
        description: manifest
            .as_ref()
            .map_or_else(String::new, |m| m.description.clone()),
        digest: digest(component),
        size: component.len() as u64,
        imports: Interfaces::of(component)?.imports,
        capabilities: manifest
            .as_ref()
            .map_or(Value::Null, |m| json!(m.capabilities)),
        built_in: true,
        status: ToolStatus::Ready,
        progress: None,
        error: None,
        signed: false,
        pushed_by: None,
        pushed_at: None,
        schema: manifest.as_ref().map_or(Value::Null, |m| json!(m.schema)),
    };
    let tool = Arc::new(Tool::built_in(name, entry.digest.clone(), manifest));
    Ok((entry, tool))
}
