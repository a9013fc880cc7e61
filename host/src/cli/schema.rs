//! `noetl schema`.

use std::process::ExitCode;

use clap::Args;

use super::connect::ServerOptions;
use super::terminal;
use crate::playbook;

/// Arguments of `noetl schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Asks no server: the tools are those in the directory of --components
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    server: ServerOptions,
}

impl Schema {
    /// Prints the JSON Schema of playbooks, with the tools that the server has.
    ///
    /// # Errors
    /// The server can't be reached, or refuses; or a component can't be used.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        if self.offline {
            terminal::json(&playbook::schema(&self.server.toolset_here()?));
            return Ok(ExitCode::SUCCESS);
        }
        let path = ["api", "schema"];
        let schema = self.server.with(async |client| client.get(&path).await);
        terminal::json(&schema.await?);
        Ok(ExitCode::SUCCESS)
    }
}
