//! Playbooks, in versions that never change.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::FromRow;

use super::Store;

/// A playbook in the catalog's list.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct CatalogEntry {
    /// The playbook's path, by which it is executed.
    pub path: String,
    /// Its name.
    pub name: String,
    /// The latest version, from 1.
    pub version: i32,
    /// When that version came.
    pub registered_at: DateTime<Utc>,
}

/// A playbook with its text.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct StoredPlaybook {
    /// The playbook's path.
    pub path: String,
    /// Its name.
    pub name: String,
    /// The version, from 1.
    pub version: i32,
    /// The file's name, for messages.
    pub file: String,
    /// The YAML text.
    pub content: String,
    /// When the version came.
    pub registered_at: DateTime<Utc>,
}

impl Store {
    /// Adds a version of a playbook, unless the latest has the same text.
    /// Returns the version that has this text.
    pub async fn put_playbook(
        &self,
        tenant: &str,
        path: &str,
        name: &str,
        file: &str,
        content: &str,
    ) -> sqlx::Result<i32> {
        let mut tx = self.pool.begin().await?;
        // Two registrations of one path take their turns.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 0))")
            .bind(tenant)
            .bind(path)
            .execute(&mut *tx)
            .await?;
        let latest: Option<(i32, String)> = sqlx::query_as(
            "SELECT version, content FROM playbooks WHERE tenant = $1 AND path = $2 ORDER BY version DESC LIMIT 1",
        )
        .bind(tenant)
        .bind(path)
        .fetch_optional(&mut *tx)
        .await?;
        let version = match latest {
            Some((version, text)) if text == content => return Ok(version),
            Some((version, _)) => version + 1,
            None => 1,
        };
        sqlx::query("INSERT INTO playbooks (tenant, path, version, name, file, content) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(tenant)
            .bind(path)
            .bind(version)
            .bind(name)
            .bind(file)
            .bind(content)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(version)
    }

    /// A version of a playbook, or the latest one.
    pub async fn playbook(
        &self,
        tenant: &str,
        path: &str,
        version: Option<i32>,
    ) -> sqlx::Result<Option<StoredPlaybook>> {
        // PostgreSQL can't even be asked for it.
        if path.contains('\0') {
            return Ok(None);
        }
        sqlx::query_as(
            "SELECT path, name, version, file, content, registered_at FROM playbooks
             WHERE tenant = $1 AND path = $2 AND ($3::int IS NULL OR version = $3)
             ORDER BY version DESC LIMIT 1",
        )
        .bind(tenant)
        .bind(path)
        .bind(version)
        .fetch_optional(&self.pool)
        .await
    }

    /// The latest version of each playbook, by path.
    pub async fn playbooks(&self, tenant: &str) -> sqlx::Result<Vec<CatalogEntry>> {
        sqlx::query_as(
            "SELECT DISTINCT ON (path) path, name, version, registered_at FROM playbooks
             WHERE tenant = $1 ORDER BY path, version DESC",
        )
        .bind(tenant)
        .fetch_all(&self.pool)
        .await
    }
}
