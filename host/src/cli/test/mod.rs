//! `noetl test`: runs a playbook's cases with the real engine and the real sandbox.
//! What is outside of it answers as the cases say.

mod cases;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::cache::CacheOption;
use super::components::ComponentsOption;
use super::{files, judge, mistakes, terminal};
use crate::engine::Outcome;
use crate::playbook::Playbook;
use cases::{Case, Cases};
use stage::Stage;

/// Arguments of `noetl test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Playbooks or their files of cases (hello.yaml has hello.test.yaml), or directories of them
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Runs only the cases with this in their name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: ComponentsOption,
    #[command(flatten)]
    cache: CacheOption,
}

/// What became of a case.
struct Played<'a> {
    file: &'a str,
    case: &'a Case,
    /// What is not as it should be; empty if the case passes.
    faults: Vec<String>,
    path: Vec<String>,
}

impl Test {
    /// Runs the cases. One that fails makes the exit code 1.
    ///
    /// # Errors
    /// A file can't be read, or has mistakes.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let tools = self.components.toolset()?;
        let mut all = Vec::new();
        for file in cases::find(&self.paths)? {
            let text = files::read(&file)?;
            let source = files::read(&cases::playbook_of(&file)?)?;
            let playbook = mistakes::parse(&source, &tools)?;
            let cases = cases::parse(&text, &playbook)
                .map_err(|diagnostics| mistakes::failure(&text, &diagnostics))?;
            all.push((cases, playbook));
        }
        let stage = Stage::new(&self.components.directory()?, &self.cache, tools)?;
        let mut played = Vec::new();
        let mut left_out = 0;
        for (Cases { file, cases }, playbook) in &all {
            for case in cases {
                let filter = self.filter.as_deref().unwrap_or_default();
                if !case.name.contains(filter) {
                    left_out += 1;
                    continue;
                }
                let began = Instant::now();
                let result = play(&stage, playbook, file, case).await?;
                if !self.json {
                    let name = format!("{}: {}", playbook.path, case.name);
                    let took = began.elapsed();
                    terminal::out(&judge::line(&name, &result.faults, took));
                }
                played.push(result);
            }
        }
        if played.is_empty() {
            return Err(judge::none_chosen(left_out, self.filter.as_deref()).into());
        }
        let failed = played.iter().filter(|case| !case.faults.is_empty()).count();
        match self.json {
            true => terminal::json(&as_json(&played, left_out)),
            false => summary(&played, failed, left_out),
        }
        Ok(match failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

async fn play<'a>(
    stage: &Stage,
    playbook: &Playbook,
    file: &'a str,
    case: &'a Case,
) -> anyhow::Result<Played<'a>> {
    let (outcome, mut faults) = stage.play(playbook, case).await?;
    let Outcome {
        result,
        failure,
        steps,
    } = outcome;
    let result = match failure {
        None => Ok(result.unwrap_or_default()),
        Some(failure) => Err(failure.error),
    };
    faults.extend(judge::faults(&case.expected, &result));
    let path: Vec<String> = steps.into_iter().map(|record| record.step).collect();
    if let Some(expected) = &case.path
        && *expected != path
    {
        faults.push(format!(
            "it went another way: expected {}, went {}",
            way(expected),
            way(&path)
        ));
    }
    Ok(Played {
        file,
        case,
        faults,
        path,
    })
}

fn way(steps: &[String]) -> String {
    match steps.is_empty() {
        true => "nowhere".into(),
        false => steps.join(" → "),
    }
}

fn summary(played: &[Played<'_>], failed: usize, left_out: usize) {
    for Played {
        file, case, faults, ..
    } in played
    {
        if faults.is_empty() {
            continue;
        }
        terminal::out(&format!("\n---- {} ({file}:{})", case.name, case.line));
        for fault in faults {
            terminal::out(fault);
        }
    }
    terminal::out(&judge::counts(played.len(), failed, left_out));
}

fn as_json(played: &[Played<'_>], left_out: usize) -> Value {
    let cases = played.iter().map(|played| {
        json!({
            "name": played.case.name,
            "file": played.file,
            "line": played.case.line,
            "passed": played.faults.is_empty(),
            "faults": played.faults,
            "path": played.path,
        })
    });
    let cases: Vec<Value> = cases.collect();
    json!({"left_out": left_out, "cases": cases})
}
