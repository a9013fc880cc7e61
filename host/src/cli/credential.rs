//! `noetl credential`.

use std::io::Read;
use std::process::ExitCode;

use axum::http::Method;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
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
    secret: SecretSource,
    /// A host that the secret may be sent to, such as api.example.com, api.example.com:8443 or *.example.com; may be given again
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// The user who belongs to the password, for the type basic
    #[arg(long)]
    user: Option<String>,
    /// The name of the header that the secret is the value of, for the type header
    #[arg(long, value_name = "NAME")]
    header: Option<String>,
    /// Allows a role with more rights than a playbook needs: a superuser, one that makes roles, reads the server's files or runs programs there
    #[arg(long)]
    allow_privileged: bool,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A PostgreSQL database
    Postgres,
    /// HTTP servers that take a token: authorization: Bearer
    Bearer,
    /// HTTP servers that take a user and a password: authorization: Basic
    Basic,
    /// HTTP servers that take a header of their own
    Header,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct SecretSource {
    /// postgres://role:password@host/database; other accounts can see arguments, so rather use one of the next two
    #[arg(long)]
    url: Option<Secret>,
    /// Takes the URL from this environment variable
    #[arg(long, value_name = "VARIABLE")]
    url_env: Option<String>,
    /// Reads the URL from stdin
    #[arg(long)]
    url_stdin: bool,
    /// Takes the token, password or value for HTTP from this environment variable
    #[arg(long, value_name = "VARIABLE")]
    secret_env: Option<String>,
    /// Reads the token, password or value for HTTP from stdin
    #[arg(long)]
    secret_stdin: bool,
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
    /// The secret can't be read, or the server can't be reached or refuses.
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
        let credential = self.credential()?;
        self.server
            .with(async |client| client.put_credential(&self.alias, &credential).await)
            .await?;
        terminal::out(&format!("credential {} stored", self.alias));
        Ok(ExitCode::SUCCESS)
    }

    /// The credential as the server takes it.
    fn credential(&self) -> anyhow::Result<Value> {
        self.check()?;
        let secret = self.secret.read()?;
        let (secret, hosts) = (secret.expose(), &self.hosts);
        Ok(match self.kind {
            Kind::Postgres => {
                json!({"type": "postgres", "url": secret, "allow_privileged": self.allow_privileged})
            }
            Kind::Bearer => json!({"type": "bearer", "token": secret, "hosts": hosts}),
            Kind::Basic => {
                json!({"type": "basic", "user": self.user, "password": secret, "hosts": hosts})
            }
            Kind::Header => {
                json!({"type": "header", "name": self.header, "value": secret, "hosts": hosts})
            }
        })
    }

    /// Whether the arguments are those of the type.
    fn check(&self) -> Result<(), Failure> {
        let is_http = self.kind != Kind::Postgres;
        let of_url = self.secret.is_url();
        for (given, wanted, argument) in [
            (of_url, !is_http, "--url, --url-env or --url-stdin"),
            (!of_url, is_http, "--secret-env or --secret-stdin"),
            (!self.hosts.is_empty(), is_http, "--host"),
            (self.user.is_some(), self.kind == Kind::Basic, "--user"),
            (self.header.is_some(), self.kind == Kind::Header, "--header"),
        ] {
            let kind = self.kind.to_possible_value();
            let kind = kind.as_ref().map_or("", |kind| kind.get_name());
            match (given, wanted) {
                (false, true) => {
                    return Err(Failure::usage(format!("--type {kind} needs {argument}")));
                }
                (true, false) => {
                    return Err(Failure::usage(format!("--type {kind} has no {argument}")));
                }
                _ => {}
            }
        }
        match self.allow_privileged && is_http {
            true => Err(Failure::usage("--allow-privileged is for --type postgres")),
            false => Ok(()),
        }
    }
}

impl SecretSource {
    fn is_url(&self) -> bool {
        self.url.is_some() || self.url_env.is_some() || self.url_stdin
    }

    fn read(&self) -> anyhow::Result<Secret> {
        let what = if self.is_url() { "URL" } else { "secret" };
        let secret = match (&self.url, &self.url_env, &self.secret_env) {
            (Some(url), _, _) => url.clone(),
            (_, Some(variable), _) => from_environment("--url-env", variable)?,
            (_, _, Some(variable)) => from_environment("--secret-env", variable)?,
            (None, None, None) => {
                let mut text = Zeroizing::new(String::new());
                std::io::stdin()
                    .read_to_string(&mut text)
                    .map_err(|error| {
                        Failure::usage(format!("cannot read the {what} from stdin: {error}"))
                    })?;
                Secret::new(text.as_str())
            }
        };
        let secret = secret.expose().trim();
        if secret.is_empty() {
            return Err(Failure::usage(format!("the {what} is empty")).into());
        }
        Ok(Secret::new(secret))
    }
}

fn from_environment(argument: &str, variable: &str) -> anyhow::Result<Secret> {
    let is_name = variable
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        // Perhaps it is the secret itself.
        return Err(Failure::usage(format!(
            "{argument} takes the name of an environment variable"
        ))
        .hint(format!("write {argument} NAME, not {argument} \"$NAME\""))
        .into());
    }
    let value = std::env::var(variable)
        .map_err(|_| Failure::usage(format!("the environment variable {variable} is not set")))?;
    Ok(Secret::new(value))
}
