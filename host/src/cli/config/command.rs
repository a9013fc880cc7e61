//! `noetl config`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Args, Subcommand};

use super::super::failure::Failure;
use super::super::serve::Serve;
use super::super::terminal::{note, out};
use super::{Configured, choose, file, innermost, show};

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Tell all mistakes in a configuration file
    Check(Check),
    /// Show what `noetl serve` with the same flags would work with, and where each value is from
    Show(Box<Show>),
}

/// Arguments of `noetl config check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The file [default: that of `noetl serve`]
    #[arg(value_name = "FILE", env = "NOETL_CONFIG")]
    file: Option<PathBuf>,
}

/// Arguments of `noetl config show`.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    serve: Serve,
}

impl Config {
    /// Does it.
    ///
    /// # Errors
    /// There is no file, or it can't be read.
    pub fn run(self, configured: &Configured, matches: &ArgMatches) -> anyhow::Result<ExitCode> {
        match self {
            Self::Check(check) => check.run(&configured.command),
            Self::Show(_) => {
                let serve = configured.command.find_subcommand(super::SERVE);
                show::show(configured, serve.expect("it is there"), innermost(matches));
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Check {
    fn run(self, command: &clap::Command) -> anyhow::Result<ExitCode> {
        let Some(file) = choose(self.file) else {
            return Err(Failure::usage("there is no configuration file")
                .hint(format!(
                    "name one; without a name it is {}",
                    super::DEFAULT_FILE
                ))
                .into());
        };
        let serve = command.find_subcommand(super::SERVE).expect("it is there");
        let source = file::Source::read(&file)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
        match file::parse(&source, serve) {
            Ok(_) => {
                out(&format!("{}: ok", file.display()));
                Ok(ExitCode::SUCCESS)
            }
            Err(mistakes) => {
                note(&mistakes.to_string());
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
