//! `noetl tool remove`.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use axum::http::Method;
use clap::Args;

use crate::cli::connect::ServerOptions;
use crate::cli::failure::Failure;
use crate::cli::terminal;
use crate::tool::{Pin, Reference};

/// Arguments of `noetl tool remove`.
#[derive(Debug, Args)]
pub struct Remove {
    /// The tool with its version: NAME@VERSION
    tool: Reference,
    /// Does not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    server: ServerOptions,
}

impl Remove {
    /// Removes it.
    ///
    /// # Errors
    /// No version was named, nobody said yes, or the server refuses.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let reference = self.tool.to_string();
        if !matches!(self.tool.pin, Some(Pin::Version(_))) {
            return Err(Failure::usage(format!("'{reference}' names no version"))
                .hint(format!(
                    "write it as {name}@1.2.0; 'noetl tool show {name}' lists the versions",
                    name = self.tool.name
                ))
                .into());
        }
        if !self.yes && !agreed(&reference)? {
            return Ok(ExitCode::FAILURE);
        }
        let mut path = vec!["api", "tools"];
        path.extend(reference.split('/'));
        self.server
            .with(async |client| client.request(Method::DELETE, &path, None).await)
            .await?;
        Ok(ExitCode::SUCCESS)
    }
}

fn agreed(reference: &str) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(
            Failure::usage(format!("nobody can be asked whether to remove {reference}"))
                .hint("add --yes")
                .into(),
        );
    }
    terminal::note(&format!(
        "playbooks that use {reference} will fail; remove it? [y/N]"
    ));
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(["y", "yes"].contains(&answer.trim()))
}
