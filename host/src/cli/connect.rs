//! Chooses who does a command's work: a server, or this process where none
//! runs.

use clap::Args;

use super::client::Client;
use super::failure::Failure;
use super::local::{Local, LocalOptions, Serving};
use super::{serve, terminal};
use crate::secrets::Secret;
use crate::tool::Toolset;

/// Which server to use.
#[derive(Debug, Args)]
pub struct ServerOptions {
    /// The server [default: http://127.0.0.1:8082, or this process if none runs there]
    #[arg(long, env = "NOETL_SERVER", value_name = "URL")]
    server: Option<String>,
    /// The API key to show to the server; other accounts can see arguments, so rather set the variable
    #[arg(
        long,
        env = "NOETL_API_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    api_key: Option<Secret>,
    /// Does the work in this process, whatever server runs or is named
    #[arg(long)]
    here: bool,
    #[command(flatten)]
    local: LocalOptions,
}

impl ServerOptions {
    /// Does `work` with the server, or with an API in this process, which is
    /// shut down in order also when the work fails or Ctrl-C is pressed.
    ///
    /// # Errors
    /// Those of `work`; a server that was named does not answer; the API in
    /// this process can't be started.
    pub async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&Client) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        if let Some(client) = self.find_server().await? {
            return work(&client).await;
        }
        let interrupted = || Failure::new("interrupted");
        let local = tokio::select! {
            local = Local::start(&self.local, Serving::default(), &terminal::note) => local?,
            _ = tokio::signal::ctrl_c() => return Err(interrupted().into()),
        };
        let result = tokio::select! {
            result = work(&local.client) => result,
            _ = tokio::signal::ctrl_c() => Err(interrupted().into()),
        };
        local.stop().await?;
        result
    }

    /// The tools whose components are on this machine; no server is asked.
    ///
    /// # Errors
    /// If one can't be used.
    pub fn toolset_here(&self) -> anyhow::Result<Toolset> {
        self.local.toolset()
    }

    /// The server to use, if there is one.
    async fn find_server(&self) -> anyhow::Result<Option<Client>> {
        if self.here {
            return Ok(None);
        }
        if let Some(server) = &self.server {
            return Client::network(server, self.api_key.clone()).map(Some);
        }
        let default = format!("http://{}", serve::DEFAULT_LISTEN);
        let client = Client::network(&default, self.api_key.clone())?;
        match client.is_healthy().await {
            Some(true) => Ok(Some(client)),
            Some(false) => Err(Failure::new(format!(
                "what answers on {default} is not a noetl server in working order"
            ))
            .hint("name the server with --server, or add --here")
            .into()),
            None => {
                terminal::note(&format!("no server on {default}: working in this process"));
                Ok(None)
            }
        }
    }
}
