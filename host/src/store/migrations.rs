//! The versions of the server's tables.

use std::collections::HashMap;

use anyhow::Context;
use sqlx::PgPool;
use sqlx::migrate::Migrator;

use super::Store;
use crate::secrets::Secret;

static MIGRATOR: Migrator = sqlx::migrate!();

/// One change of the server's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// What it is about.
    pub description: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Whether a server changes its tables when it starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Migrations {
    /// The server brings its tables up to date
    #[default]
    Apply,
    /// The server does not start if its tables are not up to date
    Require,
}

/// Every change that this program knows, in order.
///
/// # Errors
/// The database can't be reached or asked.
pub async fn migrations(database_url: &Secret) -> anyhow::Result<Vec<Migration>> {
    let pool = super::connect(database_url).await?;
    let all = list(&pool)
        .await
        .context("can't ask for the tables' version");
    pool.close().await;
    all
}

/// Brings the tables up to date.
///
/// # Errors
/// The database can't be reached, or a change fails.
pub async fn migrate(database_url: &Secret) -> anyhow::Result<()> {
    let pool = super::connect(database_url).await?;
    let applied = bring(&pool, Migrations::Apply).await;
    pool.close().await;
    applied
}

/// Brings the tables up to date, or demands that they are.
pub(super) async fn bring(pool: &PgPool, how: Migrations) -> anyhow::Result<()> {
    match how {
        Migrations::Apply => MIGRATOR
            .run(pool)
            .await
            .context("can't bring the server's tables up to date"),
        Migrations::Require => {
            let pending = pending(pool)
                .await
                .context("can't ask for the tables' version")?;
            anyhow::ensure!(
                pending.is_empty(),
                "the server's tables are not up to date, {} missing; run `noetl migrate`, or \
                 start the server with --migrations apply",
                match pending.len() {
                    1 => "a migration is".to_owned(),
                    count => format!("{count} migrations are"),
                }
            );
            Ok(())
        }
    }
}

impl Store {
    /// The changes that the tables don't have yet.
    pub async fn pending_migrations(&self) -> anyhow::Result<Vec<Migration>> {
        pending(&self.pool).await
    }
}

async fn pending(pool: &PgPool) -> anyhow::Result<Vec<Migration>> {
    let mut all = list(pool).await?;
    all.retain(|migration| !migration.applied);
    Ok(all)
}

/// A change that was made in another wording, or was broken off, is no change that
/// this program knows.
async fn list(pool: &PgPool) -> anyhow::Result<Vec<Migration>> {
    let asked = sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations");
    let applied: Vec<(i64, bool, Vec<u8>)> = match asked.fetch_all(pool).await {
        // `undefined_table`: it is a new database.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Vec::new(),
        asked => asked?,
    };
    let applied: HashMap<i64, (bool, Vec<u8>)> = applied
        .into_iter()
        .map(|(version, success, checksum)| (version, (success, checksum)))
        .collect();
    Ok(MIGRATOR
        .iter()
        .map(|migration| Migration {
            version: migration.version,
            description: migration.description.to_string(),
            applied: applied
                .get(&migration.version)
                .is_some_and(|(success, checksum)| *success && checksum[..] == *migration.checksum),
        })
        .collect())
}
