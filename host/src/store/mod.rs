//! What the server keeps, in PostgreSQL: the catalog, credentials, executions
//! and their events. Everything belongs to a tenant.

mod api_keys;
mod catalog;
mod connections;
mod credentials;
mod executions;
mod keys;
mod presence;
mod recovery;
#[cfg(test)]
mod tests;

use std::str::FromStr;
use std::sync::Arc;

use anyhow::Context;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::Mutex;

pub use api_keys::{ApiKey, NewApiKey};
pub use catalog::{CatalogEntry, Page, PlaybookVersion, StoredPlaybook, Upload};
pub use credentials::{Credential, CredentialEntry, CredentialError};
pub use executions::{
    Accepted, EventRecord, ExecutionRecord, ExecutionSummary, Filter, Finished, NewExecution,
    RecordError, StoredEvent,
};
pub use keys::Rotation;
pub use recovery::Adopted;

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
        let options = open(database_url).await?;
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

    /// How many connections there are, and how many of them are idle.
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

/// Brings the tables up to date, and tells how to connect.
async fn open(database_url: &Secret) -> anyhow::Result<PgConnectOptions> {
    let unreachable = |e: &sqlx::Error| {
        anyhow::anyhow!("can't connect to the server's database: {}", without_url(e))
    };
    let options = PgConnectOptions::from_str(database_url.expose()).map_err(|e| unreachable(&e))?;
    let mut connection = options.connect().await.map_err(|e| unreachable(&e))?;
    migrate(&mut connection)
        .await
        .context("can't bring the server's tables up to date")?;
    Ok(options)
}

async fn migrate(connection: &mut PgConnection) -> anyhow::Result<()> {
    sqlx::migrate!().run(connection).await?;
    Ok(())
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
