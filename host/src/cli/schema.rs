//! `noetl schema`.

use std::process::ExitCode;

use clap::Args;

use super::connect::ServerOptions;
use super::terminal;

/// Arguments of `noetl schema`.
#[derive(Debug, Args)]
pub struct Schema {
    #[command(flatten)]
    server: ServerOptions,
}

impl Schema {
    /// Prints the JSON Schema of playbooks, with the tools that the server has.
    ///
    /// # Errors
    /// The server can't be reached, or refuses.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let path = ["api", "schema"];
        let schema = self.server.with(async |client| client.get(&path).await);
        terminal::json(&schema.await?);
        Ok(ExitCode::SUCCESS)
    }
}
