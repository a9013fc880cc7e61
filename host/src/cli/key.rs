//! `noetl key`: API keys, by whoever has the server's database.

use std::process::ExitCode;

use chrono::Utc;
use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::failure::Failure;
use super::local::{StoreAccess, StoreOptions};
use super::{playbook, terminal};
use crate::access::{Role, make_key};
use crate::api::keys::check;
use crate::store::{DEFAULT_TENANT, NewApiKey, Store};

/// What to do with API keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make an API key and print it, this once
    Create(Create),
    /// List a tenant's API keys
    List(List),
    /// Revoke an API key
    Revoke(Revoke),
}

/// Whose keys, and where they are.
#[derive(Debug, Args)]
struct Place {
    /// The tenant
    #[arg(long, value_name = "NAME", default_value = DEFAULT_TENANT)]
    tenant: String,
    #[command(flatten)]
    store: StoreOptions,
}

/// Arguments of `noetl key create`.
#[derive(Debug, Args)]
pub struct Create {
    /// What the key is called
    name: String,
    /// What its bearer may do
    #[arg(long, value_enum, default_value_t = Role::Runner)]
    role: Role,
    /// A playbook that the key is for, or with a `/` at the end what paths begin with; may be repeated [default: all]
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<String>,
    /// How long the key is taken, such as `90d` [default: until it is revoked]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    expires: Option<std::time::Duration>,
    #[command(flatten)]
    place: Place,
}

/// Arguments of `noetl key list`.
#[derive(Debug, Args)]
pub struct List {
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Place,
}

/// Arguments of `noetl key revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The key's id
    id: Uuid,
    #[command(flatten)]
    place: Place,
}

impl Key {
    /// Does it in the server's database; no server has to run.
    ///
    /// # Errors
    /// The database can't be used, or there can't be such a key.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Revoke(command) => command.run().await,
        }
    }
}

impl Place {
    async fn with<T>(
        &self,
        work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        if self.tenant.is_empty() || self.tenant == "*" {
            return Err(Failure::usage("`--tenant` must be a tenant's name").into());
        }
        let StoreAccess {
            database_url,
            master_keys,
            embedded,
        } = self.store.start(&terminal::note).await?;
        let store = Store::connect(&database_url, master_keys.keys).await?;
        let result = work(&store).await;
        store.close().await;
        if let Some(embedded) = embedded {
            embedded.stop().await?;
        }
        result
    }
}

impl Create {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let paths = (!self.paths.is_empty()).then_some(self.paths.as_slice());
        let expires_at = match self.expires {
            None => None,
            Some(time) => Some(
                chrono::Duration::from_std(time)
                    .ok()
                    .and_then(|time| Utc::now().checked_add_signed(time))
                    .ok_or_else(|| Failure::usage("`--expires` is too far away"))?,
            ),
        };
        check(&self.name, paths, expires_at).map_err(Failure::usage)?;
        let tenant = &self.place.tenant;
        let (entry, text) = self
            .place
            .with(async |store| {
                let key = NewApiKey {
                    name: &self.name,
                    role: self.role.as_str(),
                    paths,
                    created_by: Some("noetl key create"),
                    expires_at,
                };
                Ok(make_key(store, tenant, key).await?)
            })
            .await?;
        terminal::note(&format!(
            "key {} of tenant {tenant}, role {}; it is shown this once",
            entry.id, self.role
        ));
        terminal::out(text.expose());
        Ok(ExitCode::SUCCESS)
    }
}

impl List {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let tenant = &self.place.tenant;
        let keys = self
            .place
            .with(async |store| Ok(store.api_keys(tenant).await?))
            .await?;
        let fields = [
            "id",
            "name",
            "role",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ];
        playbook::show(&json!(keys), &fields, self.json);
        Ok(ExitCode::SUCCESS)
    }
}

impl Revoke {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let tenant = &self.place.tenant;
        let revoked = self
            .place
            .with(async |store| Ok(store.revoke_api_key(tenant, self.id).await?))
            .await?;
        match revoked {
            true => Ok(ExitCode::SUCCESS),
            false => Err(
                Failure::new(format!("the tenant {tenant} has no API key {}", self.id))
                    .hint("'noetl key list' shows those that there are")
                    .into(),
            ),
        }
    }
}
