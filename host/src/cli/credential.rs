//! `noetl credential`.

use std::io::Read;
use std::process::ExitCode;

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use zeroize::Zeroizing;

use super::connect::ServerOptions;
use super::failure::Failure;
use super::rotate_key::RotateKey;
use super::{playbook, terminal};
use crate::secrets::Secret;

/// What to do with credentials.
#[derive(Debug, Subcommand)]
pub enum Credential {
    /// Store a credential, in place of one with the same alias
    Add(Add),
    /// List aliases and types; values are never shown
    List(List),
    /// Remove a credential
    Delete(Delete),
    /// Encrypt all credentials with a new master key; no server may run meanwhile
    RotateKey(RotateKey),
}

/// Arguments of `noetl credential add`.
#[derive(Debug, Args)]
pub struct Add {
    /// The name that playbooks use, such as pg_demo
    alias: String,
    /// What it gives access to
    #[arg(long = "type", value_enum)]
    kind: Kind,
    #[command(flatten)]
    url: UrlSource,
    /// Allows a role with more rights than a playbook needs: a superuser, one that makes roles, reads the server's files or runs programs there
    #[arg(long)]
    allow_privileged: bool,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// A PostgreSQL database
    Postgres,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct UrlSource {
    /// postgres://role:password@host/database; other accounts can see arguments, so rather use one of the next two
    #[arg(long)]
    url: Option<Secret>,
    /// Takes the URL from this environment variable
    #[arg(long, value_name = "VARIABLE")]
    url_env: Option<String>,
    /// Reads the URL from stdin
    #[arg(long)]
    url_stdin: bool,
}

/// Arguments of `noetl credential list`.
#[derive(Debug, Args)]
pub struct List {
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// Arguments of `noetl credential delete`.
#[derive(Debug, Args)]
pub struct Delete {
    /// The name that playbooks use
    alias: String,
    #[command(flatten)]
    server: ServerOptions,
}

impl Credential {
    /// Does it.
    ///
    /// # Errors
    /// The URL can't be read, or the server can't be reached or refuses.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Credential::Add(add) => add.run().await,
            Credential::Delete(Delete { alias, server }) => {
                let path = ["api", "credentials", &alias];
                server
                    .with(async |client| client.request(Method::DELETE, &path, None).await)
                    .await?;
                Ok(ExitCode::SUCCESS)
            }
            Credential::List(list) => {
                let body = list
                    .server
                    .with(async |client| client.get(&["api", "credentials"]).await)
                    .await?;
                playbook::show(
                    &body["credentials"],
                    &["alias", "type", "allow_privileged"],
                    list.json,
                );
                Ok(ExitCode::SUCCESS)
            }
            Credential::RotateKey(rotate_key) => rotate_key.run().await,
        }
    }
}

impl Add {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let url = self.url.read()?;
        let kind = match self.kind {
            Kind::Postgres => "postgres",
        };
        self.server
            .with(async |client| {
                client
                    .put_credential(&self.alias, kind, &url, self.allow_privileged)
                    .await
            })
            .await?;
        terminal::out(&format!("credential {} stored", self.alias));
        Ok(ExitCode::SUCCESS)
    }
}

impl UrlSource {
    fn read(&self) -> anyhow::Result<Secret> {
        let url = match (&self.url, &self.url_env) {
            (Some(url), _) => url.clone(),
            (None, Some(variable)) => from_environment(variable)?,
            (None, None) => {
                let mut text = Zeroizing::new(String::new());
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|error| {
                        Failure::usage(format!("cannot read the URL from stdin: {error}"))
                    })?;
                Secret::new(text.as_str())
            }
        };
        let url = url.expose().trim();
        if url.is_empty() {
            return Err(Failure::usage("the URL is empty").into());
        }
        Ok(Secret::new(url))
    }
}

fn from_environment(variable: &str) -> anyhow::Result<Secret> {
    let is_name = variable
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        // Perhaps it is the URL itself, with its password.
        return Err(
            Failure::usage("--url-env takes the name of an environment variable")
                .hint("write --url-env PG_URL, not --url-env \"$PG_URL\"")
                .into(),
        );
    }
    let value = std::env::var(variable)
        .map_err(|_| Failure::usage(format!("the environment variable {variable} is not set")))?;
    Ok(Secret::new(value))
}
