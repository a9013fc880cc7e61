//! What the server keeps, in PostgreSQL: the catalog, credentials, executions
//! and their events. Everything belongs to a tenant.

mod catalog;
mod credentials;
mod executions;
mod keys;
mod migrations;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool, Postgres};

pub use catalog::{CatalogEntry, StoredPlaybook};
pub use credentials::{Credential, CredentialEntry, CredentialError};
pub use executions::{Accepted, ExecutionRecord, Finished, StoredEvent};
pub use keys::Rotation;
pub use migrations::{Migration, Migrations, migrate, migrations};

use crate::secrets::{KeyRing, Secret};

/// The tenant of a server without any other.
pub const DEFAULT_TENANT: &str = "default";

/// The server's database. Clones share one pool.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    /// What credentials are encrypted with.
    keys: KeyRing,
    /// Holds the lock that says: a server uses this store.
    presence: Arc<Mutex<Option<PoolConnection<Postgres>>>>,
}

/// The advisory lock of [`Store::presence`].
const PRESENCE: i64 = 0x6e6f_6574_6c00;

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
        let pool = connect(database_url).await?;
        migrations::bring(&pool, migrations).await?;
        keys::encrypt_plain(&pool, &keys)
            .await
            .context("can't encrypt the credentials that are stored in plain text")?;
        let store = Self {
            pool,
            keys,
            presence: Arc::default(),
        };
        store
            .announce()
            .await
            .context("can't look for executions that a server left behind")?;
        // Only now: the master key is not changed while a server is there.
        keys::check(&store.pool, &store.keys).await?;
        Ok(store)
    }

    /// Says that a server uses the store, until it is closed. If none did, what
    /// is marked as running was left behind by one that is gone.
    async fn announce(&self) -> sqlx::Result<()> {
        let mut connection = self.pool.acquire().await?;
        let mut alone = false;
        // A server that was just killed is noticed by PostgreSQL a moment later.
        for _ in 0..10 {
            alone = lock_alone(&mut connection).await?;
            if alone || !executions::any_running(&mut connection).await? {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if alone {
            let left = executions::mark_interrupted(&mut connection).await?;
            if left > 0 {
                tracing::warn!(
                    executions = left,
                    "marked as interrupted: their server is gone"
                );
            }
        }
        sqlx::query(
            "SELECT pg_advisory_lock_shared($1), CASE WHEN $2 THEN pg_advisory_unlock($1) END",
        )
        .bind(PRESENCE)
        .bind(alone)
        .execute(&mut *connection)
        .await?;
        *self.presence.lock().expect("never poisoned") = Some(connection);
        Ok(())
    }

    /// Closes the pool, once what runs on it has ended.
    pub async fn close(&self) {
        let presence = self.presence.lock().expect("never poisoned").take();
        if let Some(connection) = presence {
            // Closed, not given back: the lock is the connection's.
            let _ = connection.close().await;
        }
        self.pool.close().await;
    }

    /// Its connections: those in use and those that wait for work.
    pub fn connections(&self) -> (usize, usize) {
        let idle = self.pool.num_idle();
        let all = self.pool.size() as usize;
        (all.saturating_sub(idle), idle)
    }

    /// Whether the database answers.
    pub async fn is_up(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }
}

/// Says what a URL of the server's database has to be, if this is none. It is not
/// quoted.
///
/// # Errors
/// That.
pub fn check_url(url: &Secret) -> Result<(), String> {
    match url.expose().parse::<sqlx::postgres::PgConnectOptions>() {
        Ok(_) => Ok(()),
        Err(error) => Err(without_url(&error)),
    }
}

/// Connects and brings the tables up to date.
async fn open(database_url: &Secret) -> anyhow::Result<PgPool> {
    let pool = connect(database_url).await?;
    migrations::bring(&pool, Migrations::Apply).await?;
    Ok(pool)
}

async fn connect(database_url: &Secret) -> anyhow::Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(16)
        .acquire_timeout(Duration::from_secs(10))
        .connect(database_url.expose())
        .await
        .map_err(|e| {
            anyhow::anyhow!(
                "can't connect to the server's database: {}",
                without_url(&e)
            )
        })
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

/// Whether nobody else uses the store; then nobody can until `connection` is closed
/// or gives the lock back.
async fn lock_alone(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(PRESENCE)
        .fetch_one(connection)
        .await
}
