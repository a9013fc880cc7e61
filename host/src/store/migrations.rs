//! The versions of the server's tables.

use std::collections::HashMap;

use anyhow::Context;
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection};

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
    let (mut connection, _) = super::connect(database_url).await?;
    let all = list(&mut connection)
        .await
        .context("can't ask for the tables' version");
    connection.close().await.ok();
    all
}

/// Brings the tables up to date.
///
/// # Errors
/// The database can't be reached, or a change fails.
pub async fn migrate(database_url: &Secret) -> anyhow::Result<()> {
    let (mut connection, _) = super::connect(database_url).await?;
    let applied = bring(&mut connection, Migrations::Apply).await;
    connection.close().await.ok();
    applied
}

/// Brings the tables up to date, or demands that they are.
pub(super) async fn bring(connection: &mut PgConnection, how: Migrations) -> anyhow::Result<()> {
    match how {
        Migrations::Apply => MIGRATOR
            .run(connection)
            .await
            .context("can't bring the server's tables up to date"),
        Migrations::Require => {
            let pending = pending(connection)
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
        pending(&mut *self.connections.of_all().await?).await
    }
}

async fn pending(connection: &mut PgConnection) -> anyhow::Result<Vec<Migration>> {
    let mut all = list(connection).await?;
    all.retain(|migration| !migration.applied);
    Ok(all)
}

/// A change that was made in another wording, or was broken off, is no change that
/// this program knows.
async fn list(connection: &mut PgConnection) -> anyhow::Result<Vec<Migration>> {
    let asked = sqlx::query_as("SELECT version, success, checksum FROM _sqlx_migrations");
    let applied: Vec<(i64, bool, Vec<u8>)> = match asked.fetch_all(connection).await {
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
