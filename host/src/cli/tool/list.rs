//! `noetl tool list`.

use std::process::ExitCode;

use clap::Args;

use crate::cli::connect::ServerOptions;
use crate::cli::playbook;

/// Arguments of `noetl tool list`.
#[derive(Debug, Args)]
pub struct List {
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerOptions,
}

impl List {
    /// Lists them.
    ///
    /// # Errors
    /// The server can't be reached, or refuses.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let path = ["api", "tools"];
        let body = self.server.with(async |client| client.get(&path).await);
        let body = body.await?;
        let fields = ["name", "version", "status", "granted", "description"];
        playbook::show(&body["tools"], &fields, self.json);
        Ok(ExitCode::SUCCESS)
    }
}
