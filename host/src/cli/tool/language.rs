//! The languages that tools are written in, and how each is built.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::project::Project;
use super::world;
use crate::cli::failure::Failure;

/// What a tool is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Built by cargo.
    Rust,
    /// Built by componentize-py.
    Python,
    /// Built by jco, which `build.mjs` calls.
    Js,
    /// Built by the project's `command`.
    #[value(skip)]
    C,
}

/// The target of Rust that makes components.
const TARGET: &str = "wasm32-wasip2";

/// Builds a project's component; its file, without a manifest yet.
///
/// # Errors
/// What is missing, or that the build failed, which has told why itself.
pub async fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let component = project.component();
    if project.settings.language != Some(Language::Rust) {
        world::prepare(project)?;
    }
    match (&project.settings.command, project.settings.language) {
        (Some(command), _) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(command);
            run(project, shell, "install a shell").await?;
        }
        (None, Some(Language::Rust)) => return cargo(project).await,
        (None, Some(Language::Python)) => {
            let own = project.directory.join(".venv/bin/componentize-py");
            let mut componentize = match own.is_file() {
                true => Command::new(std::path::absolute(own)?),
                false => Command::new("componentize-py"),
            };
            componentize.args([
                "-d",
                world::PLACE,
                "-w",
                "tool",
                "componentize",
                "app",
                "-o",
            ]);
            componentize.arg(target(&component)?);
            let hint = "install it with 'pip install -r requirements.txt', in .venv or elsewhere";
            run(project, componentize, hint).await?;
        }
        (None, Some(Language::Js)) => {
            let hint = "install Node.js, with npm";
            if !project.directory.join("node_modules").is_dir() {
                let mut npm = Command::new("npm");
                npm.args(["install", "--no-audit", "--no-fund"]);
                run(project, npm, hint).await?;
            }
            let mut node = Command::new("node");
            node.arg("build.mjs").arg(target(&component)?);
            run(project, node, hint).await?;
        }
        // Somebody else builds it.
        (None, Some(Language::C) | None) if project.settings.component.is_some() => {}
        (None, Some(Language::C) | None) => {
            return Err(Failure::new(format!(
                "{} says neither a `language` that noetl builds nor a `command`",
                project.file.display()
            ))
            .hint(
                "add `language = \"rust\"`, `\"python\"` or `\"js\"`, or `command` with what \
                 builds it and `component` with the file that it makes",
            )
            .into());
        }
    }
    match component.is_file() {
        true => Ok(component),
        false => Err(
            Failure::new(format!("the build made no {}", component.display()))
                .hint(format!(
                    "let `component` in {} name the file that it makes",
                    project.file.display()
                ))
                .into(),
        ),
    }
}

/// Where a build shall write, in a directory that is there.
fn target(component: &Path) -> anyhow::Result<PathBuf> {
    if let Some(directory) = component.parent() {
        std::fs::create_dir_all(directory).map_err(|error| {
            Failure::new(format!("cannot make {}: {error}", directory.display()))
        })?;
    }
    Ok(std::path::absolute(component)?)
}

/// Runs a part of the build in the project's directory. What it says goes to
/// stderr, as it comes.
async fn run(project: &Project, mut command: Command, missing: &str) -> anyhow::Result<()> {
    let program = name(&command);
    let status = command
        .current_dir(&project.directory)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .await
        .map_err(|error| cannot_start(&program, &error, missing))?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::new(format!("{program} failed ({status})"))
            .hint("its messages are above")
            .into()),
    }
}

fn name(command: &Command) -> String {
    command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned()
}

fn cannot_start(program: &str, error: &std::io::Error, missing: &str) -> Failure {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::new(format!("{program} is not installed")).hint(missing)
        }
        _ => Failure::new(format!("cannot start {program}: {error}")),
    }
}

/// Cargo tells where the component is that it made of the project's package.
async fn cargo(project: &Project) -> anyhow::Result<PathBuf> {
    let manifest = std::path::absolute(project.directory.join("Cargo.toml"))?;
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(&project.directory)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .map_err(|error| {
            let missing = "install Rust from https://rustup.rs, then open a new shell";
            cannot_start("cargo", &error, missing)
        })?;
    if !output.status.success() {
        let failure = Failure::new(format!("cargo failed ({})", output.status));
        return Err(match has_target(project).await {
            true => failure.hint("its messages are above"),
            false => failure.hint(format!(
                "the target is missing: 'rustup target add {TARGET}'"
            )),
        }
        .into());
    }
    artifact(&String::from_utf8_lossy(&output.stdout), &manifest).ok_or_else(|| {
        Failure::new(format!(
            "cargo made no component of the package in {}",
            manifest.display()
        ))
        .hint("give it a library with `crate-type = [\"cdylib\"]`")
        .into()
    })
}

/// The component among cargo's messages, one JSON object a line.
fn artifact(messages: &str, manifest: &Path) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let files = messages
        .filter(|message| {
            message["reason"] == "compiler-artifact"
                && message["manifest_path"].as_str().map(Path::new) == Some(manifest)
        })
        .filter_map(|message| message["filenames"].as_array().cloned());
    files
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|end| end == "wasm"))
}

/// Whether the project's toolchain has the target; unknown counts as yes.
async fn has_target(project: &Project) -> bool {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(&project.directory)
        .output()
        .await;
    output.is_ok_and(|output| {
        !output.status.success()
            || Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::Js => "js",
            Self::C => "c",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_s_messages_name_the_component() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/p/sdk/Cargo.toml","filenames":["/t/libsdk.rlib"]}
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/geocode.wasm"]}
{"reason":"build-finished","success":true}"#;
        let of = |manifest: &str| artifact(messages, Path::new(manifest));
        assert_eq!(of("/p/Cargo.toml"), Some("/t/geocode.wasm".into()));
        assert_eq!(of("/p/sdk/Cargo.toml"), None);
    }
}
