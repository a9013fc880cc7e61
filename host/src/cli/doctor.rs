//! `noetl doctor`.

mod database;
mod machine;

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::config::ConfigOption;
use super::local::LocalOptions;
use super::terminal::out;
use crate::app::tools;
use crate::sandbox::Workers;

/// Arguments of `noetl doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    config: ConfigOption,
    #[command(flatten)]
    local: LocalOptions,
}

/// What was found out, for people.
#[derive(Default)]
struct Findings {
    wrong: usize,
}

/// Something that is in order, with a word about it; or what is wrong.
type Found = Result<String, String>;

impl Findings {
    fn add(&mut self, what: &str, found: Found) {
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
    /// Looks at all that the server needs, and starts a worker with every tool, as
    /// the server does, to tell how it is confined.
    ///
    /// # Errors
    /// None: what is wrong is told, and ends in a non-zero exit code.
    pub async fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        let mut service = Findings::default();
        service.add("configuration", Ok(machine::configuration(config)));
        service.add("master key", self.local.store.master_key());
        service.add("cache directory", machine::cache(&self.local));
        service.add("open files", machine::open_files());
        database::examine(self.local.store.database_url(), &mut service).await;
        let mut isolation = Findings::default();
        if let Err(error) = self.isolation(&mut isolation).await {
            isolation.add("sandbox", Err(format!("{error:#}")));
        } else if isolation.wrong > 0 {
            out(&format!(
                "{} of what isolates steps is missing: `noetl serve` runs without it, `--require-isolation` does not",
                isolation.wrong
            ));
        } else {
            out("steps are isolated by all that noetl uses");
        }
        if service.wrong > 0 {
            out(&format!(
                "{} of what the server needs is not in order",
                service.wrong
            ));
        }
        Ok(match service.wrong + isolation.wrong {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }

    async fn isolation(&self, findings: &mut Findings) -> anyhow::Result<()> {
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
