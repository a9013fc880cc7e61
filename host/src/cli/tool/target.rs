//! A component that a command is about, and what can be said of it without running
//! it.

use std::path::{Path, PathBuf};

use super::project::Project;
use crate::cli::failure::Failure;
use crate::tool::{Hosts, Interfaces, Manifest, digest};

/// A component's file: the one that was named, or what the project in that
/// directory was built to.
///
/// # Errors
/// The directory is no project, or was not built.
pub fn file(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let output = Project::read(path)?.output();
    match output.is_file() {
        true => Ok(output),
        false => Err(Failure::new(format!("{} is not there", output.display()))
            .hint(format!(
                "build it with 'noetl tool build {}'",
                path.display()
            ))
            .into()),
    }
}

/// Reads a component's file.
///
/// # Errors
/// If it can't be read.
pub fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).map_err(|error| {
        Failure::new(format!("cannot read {}: {error}", file.display()))
            .hint("name a component's file or a tool's directory")
            .into()
    })
}

/// A component, looked into.
#[derive(Debug)]
pub struct Component {
    /// Its bytes.
    pub wasm: Vec<u8>,
    /// `sha256:…` of them.
    pub digest: String,
    /// What it asks for and offers.
    pub interfaces: Interfaces,
    /// What it says of itself.
    pub manifest: Option<Manifest>,
}

impl Component {
    /// Looks into `wasm`, which is called `name` in messages.
    ///
    /// # Errors
    /// If it is no component, or its manifest is none.
    pub fn of(name: &str, wasm: Vec<u8>) -> anyhow::Result<Self> {
        let wrong = |error| {
            Failure::new(format!("{name}: {error}"))
                .hint("'noetl tool build' makes a component with its manifest")
        };
        Ok(Self {
            interfaces: Interfaces::of(&wasm).map_err(wrong)?,
            manifest: Manifest::of(&wasm).map_err(wrong)?,
            digest: digest(&wasm),
            wasm,
        })
    }

    /// Reads a file and looks into it.
    ///
    /// # Errors
    /// Those of both.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        Self::of(&file.display().to_string(), read(file)?)
    }

    /// Its manifest, which it must have.
    ///
    /// # Errors
    /// It has none.
    pub fn manifest(&self, name: &str) -> anyhow::Result<&Manifest> {
        self.manifest.as_ref().ok_or_else(|| {
            Failure::new(format!("{name} has no manifest"))
                .hint("build it with 'noetl tool build', from a directory with a tool.toml")
                .into()
        })
    }
}

/// Something about a component that its author has to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether a server refuses the component for it.
    pub refused: bool,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Finding {
    /// What a server refuses.
    pub fn error(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            refused: true,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What may be meant otherwise.
    pub fn warning(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            refused: false,
            ..Self::error(message, hint)
        }
    }

    /// As it is printed.
    pub fn text(&self) -> String {
        let kind = match self.refused {
            true => "error",
            false => "warning",
        };
        format!("{kind}: {}\n  hint: {}", self.message, self.hint)
    }
}

/// Where a manifest asks for other things than the component imports.
pub fn contradictions(interfaces: &Interfaces, manifest: &Manifest) -> Vec<Finding> {
    let wanted = &manifest.capabilities;
    let lists_hosts = matches!(&wanted.http, Hosts::Only(hosts) if !hosts.is_empty());
    [
        ("postgres", wanted.postgres, "true"),
        (
            "http",
            !wanted.http.is_none(),
            match lists_hosts {
                true => "a list of hosts",
                false => "\"any\"",
            },
        ),
    ]
    .into_iter()
    .filter_map(
        |(interface, asked, how)| match (asked, interfaces.imports_of_tool(interface)) {
            (true, false) => Some(Finding::error(
                format!(
                    "`capabilities.{interface}` is {how}, but the component does not import noetl:tool/{interface}"
                ),
                format!("take `{interface}` out of [capabilities] in tool.toml"),
            )),
            (false, true) => Some(Finding::warning(
                format!(
                    "the component imports noetl:tool/{interface}, but its manifest does not ask for it: every call will be denied"
                ),
                format!("set `{interface}` below [capabilities] in tool.toml if the tool uses it"),
            )),
            _ => None,
        },
    )
    .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(imports: &[&str], capabilities: serde_json::Value) -> Vec<bool> {
        let imports = imports
            .iter()
            .map(|name| format!("noetl:tool/{name}@0.2.0"))
            .collect();
        let interfaces = Interfaces {
            imports,
            exports: vec!["run".into()],
        };
        let manifest = json!({"name": "a/b", "version": "1.0.0", "capabilities": capabilities});
        let manifest = serde_json::from_value(manifest).unwrap();
        let found = contradictions(&interfaces, &manifest);
        found.iter().map(|finding| finding.refused).collect()
    }

    #[test]
    fn a_manifest_is_held_against_the_imports() {
        assert!(found(&["log"], json!({})).is_empty());
        assert!(found(&["http"], json!({"http": ["a.example"]})).is_empty());
        assert_eq!(found(&["http"], json!({"postgres": true})), [true, false]);
        assert_eq!(found(&["postgres"], json!({"http": "any"})), [false, true]);
    }
}
