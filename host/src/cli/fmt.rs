//! `noetl fmt`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::failure::{self, Failure};
use super::files::{self, File};
use super::{mistakes, terminal};
use crate::yaml::{self, FormatError};

/// Arguments of `noetl fmt`.
#[derive(Debug, Args)]
pub struct Fmt {
    /// Playbook files, or directories of them
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Changes nothing; names the files that are not formatted
    #[arg(long)]
    check: bool,
}

impl Fmt {
    /// Formats every file. With `--check`, one that is not formatted makes the exit
    /// code 1; one that can't be formatted always does.
    ///
    /// # Errors
    /// A file can't be read or written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut code = ExitCode::SUCCESS;
        for file in files::read_all(&self.paths)? {
            match yaml::format(&file.name, &file.text) {
                Ok(text) if text == file.text => {}
                Ok(_) if self.check => {
                    terminal::out(&format!("{}: not formatted", file.name));
                    code = ExitCode::FAILURE;
                }
                Ok(text) => {
                    std::fs::write(&file.path, text).map_err(|error| {
                        Failure::new(format!("cannot write {}: {error}", file.name))
                    })?;
                    terminal::out(&format!("{}: formatted", file.name));
                }
                Err(error) => code = failure::report(&refused(&file, &error).into()),
            }
        }
        Ok(code)
    }
}

fn refused(file: &File, error: &FormatError) -> Failure {
    match error {
        FormatError::Mistakes(diagnostics) => mistakes::failure(file, diagnostics),
        error => Failure::new(format!("{}: {error}", file.name))
            .hint("the file is as it was; write that part in another way, or leave it as it is"),
    }
}
