//! `noetl tool test`: runs a tool's cases in the real sandbox, with the answers of
//! PostgreSQL and of HTTP servers written beside them.

mod cases;
mod http;
mod postgres;
mod scene;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};
use uuid::Uuid;

use super::build;
use super::project::Project;
use super::target::Component;
use crate::capabilities::log::Entry;
use crate::cli::cache::CacheOption;
use crate::cli::judge;
use crate::cli::sandbox::{Sandbox, TOOL};
use crate::cli::terminal;
use crate::grants::Grant;
use crate::sandbox::{ErrorCategory, Limits, StepError, StepOutcome, StepRequest, Usage};
use crate::tool::Manifest;
use crate::tool::schema::Schema;
use cases::Case;
use scene::{Rights, Scene};

/// Arguments of `noetl tool test`.
#[derive(Debug, Args)]
pub struct Test {
    /// The tool's directory, with a tool.toml
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// Runs only the cases with this in their name
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
    /// The cases [default: cases.yaml, or the files in tests/]
    #[arg(long, value_name = "FILE")]
    cases: Option<PathBuf>,
    /// A component that is built already
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    cache: CacheOption,
}

/// What became of a case.
struct Played {
    /// What is not as it should be; empty if the case passes.
    faults: Vec<String>,
    log: Vec<Entry>,
    usage: Usage,
}

impl Test {
    /// Runs the cases. One that fails makes the exit code 1.
    ///
    /// # Errors
    /// The tool can't be built, or the cases can't be read.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let project = Project::read(&self.directory)?;
        let all = cases::read(&project, self.cases.as_deref())?;
        let component = build::build(&project, self.component.as_deref(), &self.cache).await?;
        let name = project.file.display().to_string();
        let manifest = component.manifest(&name)?;
        let sandbox = load(&component, &self.cache)?;

        let total = all.len();
        let chosen = all.into_iter().filter(|case| {
            let filter = self.filter.as_deref().unwrap_or_default();
            case.name.contains(filter)
        });
        let chosen: Vec<Case> = chosen.collect();
        if chosen.is_empty() {
            return Err(judge::none_chosen(total, self.filter.as_deref()).into());
        }
        if !self.json {
            let many = plural(chosen.len());
            let of = format!("{} {}", manifest.name, manifest.version);
            terminal::out(&format!("running {many} of {of}"));
        }
        let mut played = Vec::new();
        for case in &chosen {
            let result = play(case, manifest, &sandbox).await;
            if !self.json {
                let took = result.usage.duration;
                terminal::out(&judge::line(&case.name, &result.faults, took));
            }
            played.push((case, result));
        }
        let failed = played
            .iter()
            .filter(|(_, result)| !result.faults.is_empty());
        let failed = failed.count();
        match self.json {
            true => terminal::json(&as_json(manifest, &played, total)),
            false => summary(&played, failed, total),
        }
        Ok(match failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

/// The sandbox takes files.
fn load(component: &Component, cache: &CacheOption) -> anyhow::Result<Sandbox> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("component.wasm");
    std::fs::write(&file, &component.wasm)?;
    Sandbox::load(cache, &[(TOOL, &file)])
}

/// Plays a case as a server would run the step.
async fn play(case: &Case, manifest: &Manifest, sandbox: &Sandbox) -> Played {
    let scene = Scene::new(case, Rights::of(manifest, &case.config));
    let outcome = match refused(case, manifest) {
        Some(error) => StepOutcome {
            result: Err(error),
            log: Vec::new(),
            usage: Usage::default(),
        },
        None => sandbox.run(request(case), scene.backend()).await,
    };
    let mut faults = scene.faults();
    faults.extend(judge::faults(&case.expected, &outcome.result));
    if let (Ok(data), Some(schema)) = (&outcome.result, &manifest.schema.result) {
        let wrong = faults_of(schema, data);
        faults.extend(
            wrong
                .into_iter()
                .map(|wrong| format!("the result is not what its schema says: {wrong}")),
        );
    }
    Played {
        faults,
        log: outcome.log,
        usage: outcome.usage,
    }
}

fn faults_of(schema: &Value, value: &Value) -> Vec<String> {
    match Schema::compile(schema) {
        Ok(schema) => schema
            .faults(value)
            .iter()
            .map(ToString::to_string)
            .collect(),
        Err(error) => vec![error],
    }
}

/// What a server says to a step that is not what the tool's schemas say.
fn refused(case: &Case, manifest: &Manifest) -> Option<StepError> {
    let schemas = [
        ("config", &manifest.schema.config, &case.config),
        ("args", &manifest.schema.args, &case.args),
    ];
    schemas.into_iter().find_map(|(field, schema, value)| {
        let faults = faults_of(schema.as_ref()?, value);
        (!faults.is_empty()).then(|| {
            let message = format!("`{field}`: {}", faults.join("; "));
            StepError::new(ErrorCategory::InvalidInput, message)
        })
    })
}

fn request(case: &Case) -> StepRequest {
    let mut limits = Limits::default();
    for setting in &case.limits {
        limits.set(setting.limit, setting.value);
    }
    StepRequest {
        tool: TOOL.into(),
        tenant: "default".into(),
        execution_id: Uuid::now_v7(),
        playbook: case.file.clone(),
        step: case.name.clone(),
        config: case.config.clone(),
        args: case.args.clone(),
        grant: Arc::new(Grant::nothing()),
        capabilities: None,
        credentials: None,
        limits,
    }
}

fn summary(played: &[(&Case, Played)], failed: usize, total: usize) {
    for (case, result) in played {
        if result.faults.is_empty() {
            continue;
        }
        terminal::out(&format!(
            "\n---- {} ({}:{})",
            case.name, case.file, case.line
        ));
        for fault in &result.faults {
            terminal::out(fault);
        }
        for Entry { level, message } in &result.log {
            terminal::out(&format!("log: {level}: {message}"));
        }
    }
    let left_out = total - played.len();
    terminal::out(&judge::counts(played.len(), failed, left_out));
}

fn as_json(manifest: &Manifest, played: &[(&Case, Played)], total: usize) -> Value {
    let cases = played.iter().map(|(case, result)| {
        json!({
            "name": case.name,
            "file": case.file,
            "line": case.line,
            "passed": result.faults.is_empty(),
            "faults": result.faults,
            "log": result.log,
            "usage": result.usage,
        })
    });
    let cases: Vec<Value> = cases.collect();
    json!({
        "tool": manifest.name,
        "version": manifest.version,
        "left_out": total - played.len(),
        "cases": cases,
    })
}

fn plural(number: usize) -> String {
    match number {
        1 => "1 case".into(),
        number => format!("{number} cases"),
    }
}
