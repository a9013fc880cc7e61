//! `noetl test-database`: a PostgreSQL for the length of one command.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::embedded::{Embedded, Options};
use super::failure::Failure;

/// Arguments of `noetl test-database`.
#[derive(Debug, Args)]
pub struct TestDatabase {
    /// The command and its arguments, after --
    #[arg(required = true, last = true)]
    command: Vec<String>,
}

impl TestDatabase {
    /// Runs the command; its exit code becomes ours.
    ///
    /// # Errors
    /// PostgreSQL does not start, or the command can't be run.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        // Ctrl-C reaches the command too; this process waits for it to end.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let embedded = Embedded::start(Options::Temporary).await?;
        let (program, arguments) = self.command.split_first().context("no command")?;
        let mut child = tokio::process::Command::new(program)
            .args(arguments)
            .env("NOETL_TEST_DATABASE_URL", embedded.admin_url.expose())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failure::new(format!("cannot run {program}: {error}")))?;
        let status = loop {
            tokio::select! {
                status = child.wait() => break Some(status?),
                _ = interrupt.recv() => {}
                _ = terminate.recv() => break None,
            }
        };
        drop(child);
        embedded.stop().await?;
        let code = status.and_then(|status| status.code()).unwrap_or(1);
        Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
    }
}
