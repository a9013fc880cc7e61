//! What the server keeps, in PostgreSQL: the catalog, credentials, executions
//! and their events. Everything belongs to a tenant.

mod api_keys;
mod catalog;
mod connections;
mod credentials;
mod executions;
mod keys;
mod migrations;
mod presence;
mod recovery;
#[cfg(test)]
mod tests;
mod tools;

use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::Mutex;

pub use api_keys::{ApiKey, NewApiKey};
pub use catalog::{CatalogEntry, Page, PlaybookVersion, StoredPlaybook, Upload};
pub use credentials::{Credential, CredentialEntry, CredentialError};
pub use executions::{
    Accepted, EventRecord, ExecutionRecord, ExecutionSummary, Filter, Finished, NewExecution,
    RecordError, StoredEvent,
};
pub use keys::Rotation;
pub use migrations::{Migration, Migrations, migrate, migrations};
pub use recovery::Adopted;
pub use tools::{Added, StoredTool};

use crate::secrets::{KeyRing, Secret};
use connections::Connections;
use presence::Presence;

/// The tenant of a server without any other.
pub const DEFAULT_TENANT: &str = "default";

/// The server's database. Clones share one pool.
#[derive(Clone)]
pub struct Store {
    connections: Connections,
    /// What credentials are encrypted with.
    keys: KeyRing,
    presence: Arc<Mutex<Option<Presence>>>,
    /// This server's number.
    owner: i32,
}

impl Store {
    /// Connects and brings the tables up to date. Credentials are encrypted with
    /// `keys`.
    ///
    /// # Errors
    /// If the database can't be reached, a migration fails, or stored credentials
    /// are encrypted with another key. The message never holds the URL, which has
    /// the password in it.
    pub async fn connect(database_url: &Secret, keys: KeyRing) -> anyhow::Result<Self> {
        Self::connect_with(database_url, keys, Migrations::Apply).await
    }

    /// The same; `migrations` says whether the tables are brought up to date or
    /// have to be.
    ///
    /// # Errors
    /// As for [`Self::connect`]; or the tables are not up to date.
    pub async fn connect_with(
        database_url: &Secret,
        keys: KeyRing,
        migrations: Migrations,
    ) -> anyhow::Result<Self> {
        let options = open(database_url, migrations).await?;
        let connections = Connections::new(options.clone());
        keys::encrypt_plain(&connections, &keys)
            .await
            .context("can't encrypt the credentials that are stored in plain text")?;
        let presence = Presence::announce(options)
            .await
            .context("can't tell other servers that this one is there")?;
        // Only now: the master key is not changed while a server is there.
        keys::check(&connections, &keys).await?;
        Ok(Self {
            connections,
            keys,
            owner: presence.owner(),
            presence: Arc::new(Mutex::new(Some(presence))),
        })
    }

    /// Closes the pool, once what runs on it has ended.
    pub async fn close(&self) {
        if let Some(presence) = self.presence.lock().await.take() {
            presence.end().await;
        }
        self.connections.close();
    }

    /// Whether the database answers.
    pub async fn is_up(&self) -> bool {
        let asking = async {
            let mut connection = self.connections.of_all().await?;
            sqlx::query("SELECT 1").execute(&mut *connection).await
        };
        asking.await.is_ok()
    }

    /// How many connections are used, and how many are idle.
    #[must_use]
    pub fn connections(&self) -> (usize, usize) {
        self.connections.usage()
    }

    /// Whether PostgreSQL's row-level security holds for the server's role: it does
    /// not for a superuser.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn rows_are_secured(&self) -> sqlx::Result<bool> {
        let mut connection = self.connections.of_all().await?;
        sqlx::query_scalar("SELECT row_security_active('executions')")
            .fetch_one(&mut *connection)
            .await
    }
}

/// Says what a URL of the server's database has to be, if this is none. It is not
/// quoted.
///
/// # Errors
/// That.
pub fn check_url(url: &Secret) -> Result<(), String> {
    match url.expose().parse::<PgConnectOptions>() {
        Ok(_) => Ok(()),
        Err(error) => Err(without_url(&error)),
    }
}

/// Sees to the tables, and tells how to connect.
async fn open(database_url: &Secret, migrations: Migrations) -> anyhow::Result<PgConnectOptions> {
    let (mut connection, options) = connect(database_url).await?;
    migrations::bring(&mut connection, migrations).await?;
    connection.close().await.ok();
    Ok(options)
}

async fn connect(database_url: &Secret) -> anyhow::Result<(PgConnection, PgConnectOptions)> {
    let options =
        PgConnectOptions::from_str(database_url.expose()).map_err(|error| unreachable(&error))?;
    let connection = options
        .connect()
        .await
        .map_err(|error| unreachable(&error))?;
    Ok((connection, options))
}

fn unreachable(error: &sqlx::Error) -> anyhow::Error {
    let why = without_url(error);
    anyhow::anyhow!("can't connect to the server's database: {why}")
}

fn without_url(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(_) => {
            "DATABASE_URL is not a PostgreSQL URL (postgres://user:password@host:port/database)"
                .into()
        }
        other => other.to_string(),
    }
}
