//! `noetl tool check`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Args;
use serde_json::{Value, json};

use super::project::Project;
use super::target::{self, Component, Finding};
use super::words;
use crate::cli::cache::CacheOption;
use crate::cli::sandbox::{Sandbox, TOOL};
use crate::cli::{table, terminal};

/// Arguments of `noetl tool check`.
#[derive(Debug, Args)]
pub struct Check {
    /// A component, or the directory of a tool that was built
    #[arg(value_name = "FILE|DIR", default_value = ".")]
    path: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cache: CacheOption,
}

impl Check {
    /// Checks it. What a server would refuse makes the exit code 1.
    ///
    /// # Errors
    /// There is no component, or it can't be read.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let file = target::file(&self.path)?;
        let component = Component::read(&file)?;
        let mut findings = findings(&component);
        findings.extend(outdated(&self.path, &component)?);
        let compiled = match Sandbox::load(&self.cache, &[(TOOL, file.as_path())]) {
            Ok(sandbox) => Some(match sandbox.compiled {
                Some(time) => format!("yes, in {}", terminal::human(time)),
                None => "yes, before".into(),
            }),
            Err(error) => {
                findings.push(Finding::error(
                    format!("it can't be run: {error:#}"),
                    "build it against the noetl:tool of this server, with nothing else that it asks for",
                ));
                None
            }
        };
        match self.json {
            true => terminal::json(&as_json(&component, &findings)),
            false => print(&file, &component, compiled.as_deref(), &findings),
        }
        Ok(match findings.iter().any(|finding| finding.refused) {
            true => ExitCode::FAILURE,
            false => ExitCode::SUCCESS,
        })
    }
}

/// What is to be said of a component that was not run.
fn findings(component: &Component) -> Vec<Finding> {
    let mut findings = Vec::new();
    match &component.manifest {
        None => findings.push(Finding::error(
            "it has no manifest, so that no server knows its name",
            "build it with 'noetl tool build', from a directory with a tool.toml",
        )),
        Some(manifest) => {
            if manifest.name.namespace().is_none() {
                findings.push(Finding::error(
                    format!(
                        "`{}` has no namespace, which only tools that belong to the server have not",
                        manifest.name
                    ),
                    format!("call it `yours/{}` in tool.toml", manifest.name),
                ));
            }
            findings.extend(target::contradictions(&component.interfaces, manifest));
        }
    }
    findings
}

/// Whether a project says something else by now than what was built.
fn outdated(path: &Path, component: &Component) -> anyhow::Result<Option<Finding>> {
    if !path.is_dir() {
        return Ok(None);
    }
    let project = Project::read(path)?;
    let settings = &project.settings;
    let same = component.manifest.as_ref().is_some_and(|manifest| {
        manifest.name == settings.name
            && manifest.version == settings.version
            && manifest.description == settings.description
            && manifest.capabilities == settings.capabilities
    });
    Ok((!same).then(|| {
        Finding::warning(
            format!("it was built before {} was changed", project.file.display()),
            "build it again",
        )
    }))
}

fn as_json(component: &Component, findings: &[Finding]) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({"refused": finding.refused, "message": finding.message, "hint": finding.hint})
        })
        .collect();
    json!({
        "digest": component.digest,
        "size": component.wasm.len(),
        "tool_versions": component.interfaces.tool_versions(),
        "imports": component.interfaces.imports,
        "exports": component.interfaces.exports,
        "manifest": component.manifest,
        "findings": findings,
    })
}

fn print(file: &Path, component: &Component, compiled: Option<&str>, findings: &[Finding]) {
    let mut rows: Vec<[String; 2]> = Vec::new();
    let mut row = |name: &str, value: String| rows.push([name.into(), value]);
    row("file", file.display().to_string());
    if let Some(manifest) = &component.manifest {
        row("tool", format!("{} {}", manifest.name, manifest.version));
        row("description", manifest.description.clone());
        let wanted = &manifest.capabilities;
        row(
            "asks for",
            match (wanted.postgres, wanted.http.is_none()) {
                (false, true) => "nothing".into(),
                (true, true) => "PostgreSQL".into(),
                (false, false) => format!("HTTP: {}", wanted.http),
                (true, false) => format!("PostgreSQL; HTTP: {}", wanted.http),
            },
        );
        let schema = &manifest.schema;
        let schemas = [
            ("config", &schema.config),
            ("args", &schema.args),
            ("result", &schema.result),
        ];
        let schemas = schemas.iter().filter(|(_, schema)| schema.is_some());
        let schemas: Vec<&str> = schemas.map(|(name, _)| *name).collect();
        row("checked by schemas", or_nothing(&schemas));
    }
    let versions = component.interfaces.tool_versions();
    row("built against noetl:tool", or_nothing(&versions));
    row(
        "can",
        match words::of(&component.interfaces.imports) {
            words if words.is_empty() => "compute, and nothing else".into(),
            words => words.join("\n"),
        },
    );
    row("exports", or_nothing(&component.interfaces.exports));
    row(
        "size",
        ByteSize(component.wasm.len() as u64)
            .display()
            .iec()
            .to_string(),
    );
    row("digest", component.digest.clone());
    row("compiles", compiled.unwrap_or("no").into());
    terminal::out(&table::fields(&rows));
    for finding in findings {
        terminal::note(&finding.text());
    }
}

fn or_nothing<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => "nothing".into(),
        items => {
            let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
            items.join(", ")
        }
    }
}
