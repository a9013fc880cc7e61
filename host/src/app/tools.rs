//! What is known of the tools, for people.

use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use utoipa::ToSchema;
use wasmparser::{Parser, Payload};

use super::App;

/// A tool.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ToolEntry {
    /// Its name in playbooks.
    pub name: String,
    /// `sha256:` and the digest of its component.
    pub digest: String,
    /// The component's size, in bytes.
    pub size: usize,
    /// The interfaces that it asks the host for.
    pub imports: Vec<String>,
}

/// The tools' components. They are looked into when somebody asks.
pub(super) struct Tools {
    files: Vec<(String, PathBuf)>,
    entries: OnceCell<Vec<ToolEntry>>,
}

impl Tools {
    pub fn new(files: Vec<(String, PathBuf)>) -> Self {
        Self {
            files,
            entries: OnceCell::new(),
        }
    }
}

impl App {
    /// The tools that the server has, by name.
    ///
    /// # Errors
    /// If a component can't be read any more.
    pub async fn tools(&self) -> anyhow::Result<&[ToolEntry]> {
        let tools = &self.inner.tools;
        let entries = tools.entries.get_or_try_init(|| async {
            let files = tools.files.clone();
            tokio::task::spawn_blocking(move || {
                files
                    .into_iter()
                    .map(|(name, file)| look_into(name, &file))
                    .collect()
            })
            .await?
        });
        Ok(entries.await?.as_slice())
    }
}

fn look_into(name: String, file: &std::path::Path) -> anyhow::Result<ToolEntry> {
    let bytes = std::fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    let mut imports = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload? {
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let name = import?.name.name;
                    // Types are imported too, by plain names.
                    if name.contains(':') {
                        imports.push(name.to_owned());
                    }
                }
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(ToolEntry {
        name,
        digest: format!("sha256:{}", hex::encode(Sha256::digest(&bytes))),
        size: bytes.len(),
        imports,
    })
}
