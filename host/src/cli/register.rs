//! `noetl register`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::connect::ServerOptions;
use super::{failure, files, terminal};

/// Arguments of `noetl register`.
#[derive(Debug, Args)]
pub struct Register {
    /// Playbook files, or directories of them
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    server: ServerOptions,
}

impl Register {
    /// Registers every file; those with mistakes are reported, and make the
    /// exit code 1.
    ///
    /// # Errors
    /// A file can't be read, or the server can't be reached.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let files = files::read_all(&self.paths)?;
        self.server
            .with(async |client| {
                let mut code = ExitCode::SUCCESS;
                for file in &files {
                    match client.register(file).await {
                        Ok(registered) => terminal::out(&format!(
                            "{}: {} version {}",
                            file.name, registered.path, registered.version
                        )),
                        Err(error) => code = failure::report(&error),
                    }
                }
                Ok(code)
            })
            .await
    }
}
