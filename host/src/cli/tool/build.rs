//! `noetl tool build`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::language;
use super::project::Project;
use super::target::{self, Component, Finding};
use crate::cli::cache::CacheOption;
use crate::cli::failure::Failure;
use crate::cli::sandbox::{Sandbox, TOOL};
use crate::cli::terminal;
use crate::tool::{Manifest, Schemas};

/// Arguments of `noetl tool build`.
#[derive(Debug, Args)]
pub struct Build {
    /// The tool's directory, with a tool.toml
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// A component that is built already: it only gets the manifest
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Where the component goes [default: build/NAME.wasm in the tool's directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    cache: CacheOption,
}

impl Build {
    /// Builds it.
    ///
    /// # Errors
    /// What is wrong with the project, or that it can't be built.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::read(&self.directory)?;
        let built = build(&project, self.component.as_deref(), &self.cache).await?;
        let output = self.output.unwrap_or_else(|| project.output());
        write(&output, &built.wasm)?;
        terminal::out(&format!(
            "{}: {} {}, {}, {}",
            output.display(),
            project.settings.name,
            project.settings.version,
            bytesize::ByteSize(built.wasm.len() as u64).display().iec(),
            built.digest,
        ));
        Ok(ExitCode::SUCCESS)
    }
}

/// Builds a project's component, or takes `component`, and puts the manifest into
/// it. What may be meant otherwise is told on stderr.
///
/// # Errors
/// What is wrong with the project, or that it can't be built.
pub async fn build(
    project: &Project,
    component: Option<&Path>,
    cache: &CacheOption,
) -> anyhow::Result<Component> {
    let mut manifest = project.manifest()?;
    let file = match component {
        Some(file) => file.to_owned(),
        None => language::build(project).await?,
    };
    let name = file.display().to_string();
    let built = Component::of(&name, target::read(&file)?)?;
    let exports = |name: &str| built.interfaces.exports.iter().any(|export| export == name);
    if !exports("run") {
        return Err(Failure::new(format!("{name} exports no function `run`"))
            .hint("a tool is a component of the world noetl:tool/tool")
            .into());
    }
    if exports("describe") && !is_complete(&manifest.schema) {
        let sandbox = Sandbox::load(cache, &[(TOOL, &file)])?;
        let said = sandbox
            .describe()
            .await
            .map_err(|error| Failure::new(format!("{name}: {error:#}")))?;
        fill(&mut manifest, &said.unwrap_or_default())
            .map_err(|error| Failure::new(format!("{name}: its function `describe` {error}")))?;
    }
    for finding in target::contradictions(&built.interfaces, &manifest) {
        refuse(&project.file, &finding)?;
    }
    let wasm = manifest
        .write_into(&built.wasm)
        .map_err(|error| Failure::new(format!("{name}: {error}")))?;
    Component::of(&name, wasm)
}

fn refuse(file: &Path, finding: &Finding) -> anyhow::Result<()> {
    if finding.refused {
        let message = format!("{}: {}", file.display(), finding.message);
        return Err(Failure::new(message).hint(&finding.hint).into());
    }
    terminal::note(&finding.text());
    Ok(())
}

fn is_complete(schema: &Schemas) -> bool {
    schema.config.is_some() && schema.args.is_some() && schema.result.is_some()
}

/// Takes the schemas that there are no files of from what the tool says.
fn fill(manifest: &mut Manifest, said: &str) -> Result<(), String> {
    let said: Value =
        serde_json::from_str(said).map_err(|error| format!("answers no JSON: {error}"))?;
    let said: Schemas = serde_json::from_value(said).map_err(|error| {
        format!("answers something else than `config`, `args` and `result`: {error}")
    })?;
    let schema = &mut manifest.schema;
    for (own, said) in [
        (&mut schema.config, said.config),
        (&mut schema.args, said.args),
        (&mut schema.result, said.result),
    ] {
        *own = own.take().or(said);
    }
    manifest.check().map_err(|error| error.to_string())
}

/// Writes a component, and the directory that it goes to.
///
/// # Errors
/// If it can't be written.
pub fn write(file: &Path, wasm: &[u8]) -> anyhow::Result<()> {
    let directory = file.parent().filter(|path| !path.as_os_str().is_empty());
    directory
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(file, wasm))
        .map_err(|error| {
            Failure::new(format!("cannot write {}: {error}", file.display()))
                .hint("name another place with --output")
                .into()
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn files_go_before_what_the_tool_says() {
        let mut manifest: Manifest = serde_json::from_value(json!({
            "name": "a/b", "version": "1.0.0", "schema": {"args": {"type": "object"}},
        }))
        .unwrap();
        let said = json!({"args": {"type": "array"}, "config": {"type": "null"}});
        fill(&mut manifest, &said.to_string()).unwrap();
        assert_eq!(manifest.schema.args, Some(json!({"type": "object"})));
        assert_eq!(manifest.schema.config, Some(json!({"type": "null"})));
        assert_eq!(manifest.schema.result, None);
        for (said, told) in [
            ("", "no JSON"),
            (r#"{"output": {}}"#, "`output`"),
            (r#"{"result": {"type": "text"}}"#, "`schema.result`"),
        ] {
            let error = fill(&mut manifest, said).unwrap_err();
            assert!(error.contains(told), "{error}\n{told}");
        }
    }
}
