//! API keys: of a key, the store knows only the digest.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Store;

/// An API key: never its text.
#[derive(Debug, Clone, Serialize, FromRow, ToSchema)]
pub struct ApiKey {
    /// Its id, by which it is revoked.
    pub id: Uuid,
    /// The tenant that it belongs to.
    pub tenant: String,
    /// What it is called.
    pub name: String,
    /// `viewer`, `runner`, `author` or `admin`.
    pub role: String,
    /// The playbooks that it may see and run, as paths or, with a `/` at the end, as
    /// what paths begin with; all of them if there is no list.
    pub paths: Option<Vec<String>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// By whom.
    pub created_by: Option<String>,
    /// From when on it is not taken.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to a minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A key to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewApiKey<'a> {
    /// What it is called.
    pub name: &'a str,
    /// `viewer`, `runner`, `author` or `admin`.
    pub role: &'a str,
    /// See [`ApiKey::paths`].
    pub paths: Option<&'a [String]>,
    /// Who makes it.
    pub created_by: Option<&'a str>,
    /// From when on it is not taken.
    pub expires_at: Option<DateTime<Utc>>,
}

const COLUMNS: &str =
    "id, tenant, name, role, paths, created_at, created_by, expires_at, last_used_at, revoked_at";

impl Store {
    /// Adds a key, whose text has this SHA-256.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn put_api_key(
        &self,
        tenant: &str,
        key: NewApiKey<'_>,
        digest: &[u8],
    ) -> sqlx::Result<ApiKey> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "INSERT INTO api_keys (id, tenant, name, role, paths, digest, created_by, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {COLUMNS}"
        )))
        .bind(Uuid::now_v7())
        .bind(tenant)
        .bind(key.name)
        .bind(key.role)
        .bind(key.paths)
        .bind(digest)
        .bind(key.created_by)
        .bind(key.expires_at)
        .fetch_one(&mut *connection)
        .await
    }

    /// A tenant's keys, the oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn api_keys(&self, tenant: &str) -> sqlx::Result<Vec<ApiKey>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM api_keys WHERE tenant = $1 ORDER BY id"
        )))
        .bind(tenant)
        .fetch_all(&mut *connection)
        .await
    }

    /// The key of this digest, whosever it is.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn find_api_key(&self, digest: &[u8]) -> sqlx::Result<Option<ApiKey>> {
        let mut connection = self.connections.of_all().await?;
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM api_keys WHERE digest = $1"
        )))
        .bind(digest)
        .fetch_optional(&mut *connection)
        .await
    }

    /// Revokes a key, and says whether there is one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn revoke_api_key(&self, tenant: &str, id: Uuid) -> sqlx::Result<bool> {
        let mut connection = self.connections.of(tenant).await?;
        let done = sqlx::query(
            "UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant)
        .bind(id)
        .execute(&mut *connection)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn used_api_key(&self, tenant: &str, id: Uuid) -> sqlx::Result<()> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query("UPDATE api_keys SET last_used_at = now() WHERE tenant = $1 AND id = $2")
            .bind(tenant)
            .bind(id)
            .execute(&mut *connection)
            .await?;
        Ok(())
    }
}
