//! What the server keeps, in PostgreSQL: the catalog, credentials, executions
//! and their events. Everything belongs to a tenant.

mod catalog;
mod credentials;
mod executions;

use std::time::Duration;

use anyhow::Context;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

pub use catalog::{CatalogEntry, StoredPlaybook};
pub use credentials::CredentialEntry;
pub use executions::{Accepted, ExecutionRecord, Finished, StoredEvent};

/// The tenant of a server without any other.
pub const DEFAULT_TENANT: &str = "default";

/// The server's database. Clones share one pool.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
}

impl Store {
    /// Connects and brings the tables up to date.
    ///
    /// # Errors
    /// If the database can't be reached or a migration fails. The message never
    /// holds the URL, which has the password in it.
    pub async fn connect(database_url: &str) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(10))
            .connect(database_url)
            .await
            .map_err(|e| {
                anyhow::anyhow!(
                    "can't connect to the server's database: {}",
                    without_url(&e)
                )
            })?;
        sqlx::migrate!()
            .run(&pool)
            .await
            .context("can't bring the server's tables up to date")?;
        Ok(Self { pool })
    }

    /// Closes the pool, once what runs on it has ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether the database answers.
    pub async fn is_up(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.pool).await.is_ok()
    }
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
