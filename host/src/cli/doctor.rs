//! `noetl doctor`.

use std::process::ExitCode;

use clap::Args;

use super::local::LocalOptions;
use super::terminal::out;
use crate::app::tools;
use crate::sandbox::Workers;

/// Arguments of `noetl doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    local: LocalOptions,
}

/// What was found out, for people.
struct Findings {
    wrong: usize,
}

impl Findings {
    fn add(&mut self, what: &str, found: Result<String, String>) {
        match found {
            Ok(detail) => out(&format!("ok       {what}: {detail}")),
            Err(detail) => {
                self.wrong += 1;
                out(&format!("MISSING  {what}: {detail}"));
            }
        }
    }
}

impl Doctor {
    /// Starts a worker with every tool, as the server does, and tells how it is
    /// confined.
    ///
    /// # Errors
    /// None: what is wrong is told, and ends in a non-zero exit code.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut findings = Findings { wrong: 0 };
        match self.examine(&mut findings).await {
            Ok(()) if findings.wrong == 0 => {
                out("steps are isolated by all that noetl uses");
                Ok(ExitCode::SUCCESS)
            }
            Ok(()) => {
                out(&format!(
                    "{} of what isolates steps is missing: `noetl serve` runs without it, `--require-isolation` does not",
                    findings.wrong
                ));
                Ok(ExitCode::FAILURE)
            }
            Err(error) => {
                findings.add("sandbox", Err(format!("{error:#}")));
                Ok(ExitCode::FAILURE)
            }
        }
    }

    async fn examine(&self, findings: &mut Findings) -> anyhow::Result<()> {
        let settings = self.local.workers()?;
        let mut compiled = Vec::new();
        for (name, wasm) in tools(&self.local.components()?)? {
            compiled.push(Workers::compile(&settings, &name, &wasm)?);
        }
        let names: Vec<&str> = compiled.iter().map(|tool| tool.name.as_str()).collect();
        findings.add("tools", Ok(names.join(", ")));
        for mechanism in Workers::probe(&settings, &compiled).await?.mechanisms {
            let held = match mechanism.missing {
                None => Ok("holds".into()),
                Some(why) => Err(why),
            };
            findings.add(&mechanism.name, held);
        }
        Ok(())
    }
}
