//! `noetl run playbook` and `noetl execute`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::connect::ServerOptions;
use super::payload::PayloadOptions;
use super::{execution, files};

/// What `noetl run` runs.
#[derive(Debug, Subcommand)]
pub enum Run {
    /// Register a playbook's file and execute it
    Playbook(RunPlaybook),
}

/// Arguments of `noetl run playbook`.
#[derive(Debug, Args)]
pub struct RunPlaybook {
    /// The playbook's YAML file
    file: PathBuf,
    #[command(flatten)]
    how: How,
}

/// Arguments of `noetl execute`.
#[derive(Debug, Args)]
pub struct Execute {
    /// The playbook's catalog path, such as examples/hello
    path: String,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, Args)]
struct How {
    #[command(flatten)]
    payload: PayloadOptions,
    /// Prints the answer as JSON on stdout; the steps go to stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerOptions,
}

impl RunPlaybook {
    /// Registers and executes the file.
    ///
    /// # Errors
    /// The file has mistakes, or the execution fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let payload = self.how.payload.read()?;
        let file = files::read(&self.file)?;
        self.how
            .server
            .with(async |client| {
                let registered = client.register(&file).await?;
                execution::run(client, &registered.path, &payload, self.how.json).await
            })
            .await
    }
}

impl Execute {
    /// Executes a registered playbook.
    ///
    /// # Errors
    /// There is no such playbook, or the execution fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let payload = self.how.payload.read()?;
        self.how
            .server
            .with(async |client| execution::run(client, &self.path, &payload, self.how.json).await)
            .await
    }
}
