//! Playbooks, in versions that never change.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection as _, FromRow};
use utoipa::ToSchema;

use super::Store;

/// A playbook in the catalog's list.
#[derive(Debug, Clone, Serialize, FromRow, ToSchema)]
pub struct CatalogEntry {
    /// The playbook's path, by which it is executed.
    pub path: String,
    /// Its name.
    pub name: String,
    /// The latest version, from 1.
    pub version: i32,
    /// When that version came.
    pub registered_at: DateTime<Utc>,
    /// How many versions there are.
    pub versions: i64,
}

/// A version in a playbook's history.
#[derive(Debug, Clone, Serialize, FromRow, ToSchema)]
pub struct PlaybookVersion {
    /// The version, from 1.
    pub version: i32,
    /// The playbook's name in it.
    pub name: String,
    /// The file that it came from.
    pub file: String,
    /// When it came.
    pub registered_at: DateTime<Utc>,
    /// From whom.
    pub registered_by: Option<String>,
}

/// A playbook with its text.
#[derive(Debug, Clone, Serialize, FromRow, ToSchema)]
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

/// A playbook to be added.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    /// Its path.
    pub path: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The file that it is from.
    pub file: &'a str,
    /// The YAML text.
    pub content: &'a str,
}

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// What paths begin with.
    pub prefix: &'a str,
    /// Only these paths, see [`super::ApiKey::paths`].
    pub paths: Option<&'a [String]>,
    /// Only what comes after this path.
    pub after: &'a str,
    /// So many at most.
    pub limit: i64,
}

impl Store {
    /// Adds a version of each playbook whose latest has another text: of all or, if
    /// anything fails, of none. Returns the versions that have these texts.
    pub async fn put_playbooks(
        &self,
        tenant: &str,
        by: Option<&str>,
        uploads: &[Upload<'_>],
    ) -> sqlx::Result<Vec<i32>> {
        let mut connection = self.connections.of(tenant).await?;
        let mut tx = connection.begin().await?;
        // Registrations of a tenant take their turns; in one order for each path
        // they would do so too, but they are rare.
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('playbooks of ' || $1, 0))")
            .bind(tenant)
            .execute(&mut *tx)
            .await?;
        let mut versions = Vec::new();
        for upload in uploads {
            let latest: Option<(i32, String, bool)> = sqlx::query_as(
                "SELECT version, content, deleted_at IS NULL FROM playbooks
                 WHERE tenant = $1 AND path = $2 ORDER BY version DESC LIMIT 1",
            )
            .bind(tenant)
            .bind(upload.path)
            .fetch_optional(&mut *tx)
            .await?;
            let version = match latest {
                Some((version, text, true)) if text == upload.content => {
                    versions.push(version);
                    continue;
                }
                Some((version, ..)) => version + 1,
                None => 1,
            };
            sqlx::query(
                "INSERT INTO playbooks (tenant, path, version, name, file, content, registered_by)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
            )
            .bind(tenant)
            .bind(upload.path)
            .bind(version)
            .bind(upload.name)
            .bind(upload.file)
            .bind(upload.content)
            .bind(by)
            .execute(&mut *tx)
            .await?;
            versions.push(version);
        }
        tx.commit().await?;
        Ok(versions)
    }

    /// A version of a playbook, or the latest one. One that was removed is only
    /// found if `removed` says so: executions of it still have to be told.
    pub async fn playbook(
        &self,
        tenant: &str,
        path: &str,
        version: Option<i32>,
        removed: bool,
    ) -> sqlx::Result<Option<StoredPlaybook>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_as(
            "SELECT path, name, version, file, content, registered_at FROM playbooks
             WHERE tenant = $1 AND path = $2 AND ($3::int IS NULL OR version = $3)
                 AND ($4 OR deleted_at IS NULL)
             ORDER BY version DESC LIMIT 1",
        )
        .bind(tenant)
        .bind(path)
        .bind(version)
        .bind(removed)
        .fetch_optional(&mut *connection)
        .await
    }

    /// The latest version of each playbook, by path.
    pub async fn playbooks(&self, tenant: &str, page: Page<'_>) -> sqlx::Result<Vec<CatalogEntry>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_as(
            "SELECT DISTINCT ON (path) path, name, version, registered_at,
                 count(*) OVER (PARTITION BY path) AS versions
             FROM playbooks
             WHERE tenant = $1 AND deleted_at IS NULL AND path > $2 AND starts_with(path, $3)
                 AND ($4::text[] IS NULL OR within(path, $4))
             ORDER BY path, version DESC LIMIT $5",
        )
        .bind(tenant)
        .bind(page.after)
        .bind(page.prefix)
        .bind(page.paths)
        .bind(page.limit)
        .fetch_all(&mut *connection)
        .await
    }

    /// A playbook's versions, the newest first; none if there is no such playbook.
    pub async fn playbook_versions(
        &self,
        tenant: &str,
        path: &str,
    ) -> sqlx::Result<Vec<PlaybookVersion>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_as(
            "SELECT version, name, file, registered_at, registered_by FROM playbooks
             WHERE tenant = $1 AND path = $2 AND deleted_at IS NULL ORDER BY version DESC",
        )
        .bind(tenant)
        .bind(path)
        .fetch_all(&mut *connection)
        .await
    }

    /// Removes a version of a playbook, or all of them, and says whether there was
    /// one. Executions keep theirs.
    pub async fn delete_playbook(
        &self,
        tenant: &str,
        path: &str,
        version: Option<i32>,
    ) -> sqlx::Result<bool> {
        let mut connection = self.connections.of(tenant).await?;
        let done = sqlx::query(
            "UPDATE playbooks SET deleted_at = now()
             WHERE tenant = $1 AND path = $2 AND ($3::int IS NULL OR version = $3) AND deleted_at IS NULL",
        )
        .bind(tenant)
        .bind(path)
        .bind(version)
        .execute(&mut *connection)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
