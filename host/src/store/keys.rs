//! Which master key the stored credentials are encrypted with, and changing it.

use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::connections::{ALL, Connections, set_tenant};
use super::credentials::{Credential, Row};
use super::presence::{PRESENCE, lock_alone};
use super::{Migrations, open};
use crate::secrets::{KeyRing, Secret};

/// The advisory lock of whoever encrypts what was stored in plain text.
const ENCRYPTING: i64 = PRESENCE + 1;

/// Encrypts the credentials that an older version has stored in plain text, and
/// removes that text.
pub(super) async fn encrypt_plain(connections: &Connections, keys: &KeyRing) -> anyhow::Result<()> {
    let mut connection = connections.of_all().await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(ENCRYPTING)
        .execute(&mut *transaction)
        .await?;
    let left: bool = sqlx::query_scalar("SELECT to_regclass('credentials_plain') IS NOT NULL")
        .fetch_one(&mut *transaction)
        .await?;
    if !left {
        return Ok(());
    }
    let rows: Vec<(String, String, String, String)> =
        sqlx::query_as("SELECT tenant, alias, kind, url FROM credentials_plain")
            .fetch_all(&mut *transaction)
            .await?;
    let count = rows.len();
    for (tenant, alias, kind, url) in rows {
        let credential = Credential {
            kind,
            secret: Secret::new(url),
            allow_privileged: false,
        };
        Row::seal(&tenant, &alias, &credential, keys)
            .put(&mut *transaction)
            .await?;
    }
    // A dropped table's file is removed; a dropped column would stay in it.
    sqlx::query("DROP TABLE credentials_plain")
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    if count > 0 {
        tracing::info!(
            credentials = count,
            "encrypted; an older version had stored them in plain text"
        );
    }
    Ok(())
}

/// Checks that every stored credential can be decrypted with one of the keys.
pub(super) async fn check(connections: &Connections, keys: &KeyRing) -> anyhow::Result<()> {
    let mut connection = connections.of_all().await?;
    let unknown = unknown_keys(&mut connection, keys).await?;
    refuse_unknown(&unknown, keys)
}

async fn unknown_keys(
    connection: &mut PgConnection,
    keys: &KeyRing,
) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "SELECT key_id, count(*) FROM credentials WHERE key_id <> ALL ($1)
         GROUP BY key_id ORDER BY key_id",
    )
    .bind(keys.ids())
    .fetch_all(connection)
    .await
}

fn refuse_unknown(unknown: &[(String, i64)], keys: &KeyRing) -> anyhow::Result<()> {
    if unknown.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = unknown
        .iter()
        .map(|(key_id, count)| format!("{key_id} ({count} of them)"))
        .collect();
    bail!(
        "stored credentials are encrypted with a master key that is not at hand: {}; \
         the keys at hand are {}. Give the right key with NOETL_MASTER_KEY or --master-key-file; \
         what to do if it is lost: docs/operations.md, \"Credentials\"",
        missing.join(", "),
        keys.ids().join(", ")
    )
}

/// The credentials of a store that no server uses meanwhile, to be encrypted
/// with another master key.
pub struct Rotation {
    /// Keeps servers from starting.
    connection: PgConnection,
}

impl Rotation {
    /// Connects, and sees to it that no server uses the store. `keys` must hold
    /// all keys that the credentials are encrypted with.
    ///
    /// # Errors
    /// If the database can't be used, a server uses it, or a key is missing.
    pub async fn begin(database_url: &Secret, keys: &KeyRing) -> anyhow::Result<Self> {
        let options = open(database_url, Migrations::Apply).await?;
        encrypt_plain(&Connections::new(options.clone()), keys).await?;
        let mut connection = options.connect().await?;
        set_tenant(&mut connection, ALL).await?;
        let mut alone = false;
        // A server that was just killed is noticed by PostgreSQL a moment later.
        for _ in 0..10 {
            alone = lock_alone(&mut connection).await?;
            if alone {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if !alone {
            bail!(
                "a server uses this database, and would not know the new key: stop it, \
                 do this again, and start it with the new key"
            );
        }
        let unknown = unknown_keys(&mut connection, keys).await?;
        refuse_unknown(&unknown, keys)?;
        Ok(Self { connection })
    }

    /// How many credentials are encrypted with a key other than the newest.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn outdated(&mut self, keys: &KeyRing) -> anyhow::Result<i64> {
        let count = sqlx::query_scalar("SELECT count(*) FROM credentials WHERE key_id <> $1")
            .bind(keys.newest().id())
            .fetch_one(&mut self.connection)
            .await?;
        Ok(count)
    }

    /// Encrypts with the newest key what is encrypted with another: all of it or,
    /// if anything fails, nothing. Returns how many there were.
    ///
    /// # Errors
    /// If the database fails, or one of them can't be decrypted.
    pub async fn encrypt(&mut self, keys: &KeyRing) -> anyhow::Result<usize> {
        let mut transaction = self.connection.begin().await?;
        let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT {} FROM credentials WHERE key_id <> $1 FOR UPDATE",
            Row::COLUMNS
        )))
        .bind(keys.newest().id())
        .fetch_all(&mut *transaction)
        .await?;
        let count = rows.len();
        for row in rows {
            let (tenant, alias) = (row.tenant.clone(), row.alias.clone());
            let credential = row.open(keys)?;
            Row::seal(&tenant, &alias, &credential, keys)
                .put(&mut *transaction)
                .await?;
        }
        transaction
            .commit()
            .await
            .context("nothing was changed, or all of it; do it again")?;
        Ok(count)
    }

    /// Lets servers start again.
    pub async fn end(self) {
        let _ = self.connection.close().await;
    }
}
