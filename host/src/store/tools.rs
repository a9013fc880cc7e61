//! Components that tenants have pushed, in versions that never change.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Connection as _, FromRow};

use super::Store;

/// The most versions of tools that a tenant can have at once.
const VERSIONS: i64 = 200;

/// A version of a tool, without its component.
#[derive(Debug, Clone, FromRow)]
pub struct StoredTool {
    /// The tenant that has it.
    pub tenant: String,
    /// `namespace/name`.
    pub name: String,
    /// A semantic version.
    pub version: String,
    /// `sha256:` and the digest of the component.
    pub digest: String,
    /// The component's size, in bytes.
    pub size: i64,
    /// The component's manifest.
    pub manifest: Value,
    /// The interfaces that it asks the host for.
    pub imports: Vec<String>,
    /// A signature of the digest, if it came with one.
    pub signature: Option<String>,
    /// `compiling`, `ready` or `failed`.
    pub status: String,
    /// Why it failed.
    pub error: Option<String>,
    /// When it came.
    pub pushed_at: DateTime<Utc>,
    /// From whom.
    pub pushed_by: Option<String>,
}

/// What became of a tool that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is there now, and to be compiled.
    New,
    /// The same component was there under this name and version.
    Same,
    /// This version is, or was, another component.
    Taken,
    /// The tenant has as many versions as it may.
    Full,
}

const COLUMNS: &str = "tenant, name, version, digest, size, manifest, imports, signature, status, error, pushed_at, pushed_by";

impl Store {
    /// Adds a version of a tool with its component, to be compiled. A version that
    /// failed gives way; one that was removed comes back if it is the same.
    pub async fn put_tool(&self, tool: &StoredTool, component: &[u8]) -> sqlx::Result<Added> {
        let mut connection = self.connections.of(&tool.tenant).await?;
        let mut tx = connection.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('tools of ' || $1, 0))")
            .bind(&tool.tenant)
            .execute(&mut *tx)
            .await?;
        let before: Option<(String, String, bool, Option<String>)> = sqlx::query_as(
            "SELECT digest, status, deleted_at IS NOT NULL, signature FROM tools
             WHERE tenant = $1 AND name = $2 AND version = $3",
        )
        .bind(&tool.tenant)
        .bind(&tool.name)
        .bind(&tool.version)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some((digest, status, removed, signature)) = before {
            let same = digest == tool.digest;
            if !same && status != "failed" {
                return Ok(Added::Taken);
            }
            if same && status != "failed" && !removed && signature == tool.signature {
                return Ok(Added::Same);
            }
        }
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM tools WHERE tenant = $1 AND deleted_at IS NULL",
        )
        .bind(&tool.tenant)
        .fetch_one(&mut *tx)
        .await?;
        if count >= VERSIONS {
            return Ok(Added::Full);
        }
        sqlx::query(
            "INSERT INTO tool_components (tenant, digest, bytes) VALUES ($1, $2, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(&tool.tenant)
        .bind(&tool.digest)
        .bind(component)
        .execute(&mut *tx)
        .await?;
        sqlx::query(
            "INSERT INTO tools (tenant, name, version, digest, size, manifest, imports, signature, status, pushed_by)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'compiling', $9)
             ON CONFLICT (tenant, name, version) DO UPDATE SET
                 digest = EXCLUDED.digest, size = EXCLUDED.size, manifest = EXCLUDED.manifest,
                 imports = EXCLUDED.imports, signature = EXCLUDED.signature,
                 status = EXCLUDED.status, error = NULL, pushed_at = now(),
                 pushed_by = EXCLUDED.pushed_by, deleted_at = NULL,
                 revision = nextval('tool_revisions')",
        )
        .bind(&tool.tenant)
        .bind(&tool.name)
        .bind(&tool.version)
        .bind(&tool.digest)
        .bind(tool.size)
        .bind(&tool.manifest)
        .bind(&tool.imports)
        .bind(&tool.signature)
        .bind(&tool.pushed_by)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Added::New)
    }

    /// The tools of a tenant, without those that were removed.
    pub async fn tools(&self, tenant: &str) -> sqlx::Result<Vec<StoredTool>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM tools WHERE tenant = $1 AND deleted_at IS NULL"
        )))
        .bind(tenant)
        .fetch_all(&mut *connection)
        .await
    }

    /// The tools of all tenants that are to be served.
    pub(crate) async fn tools_to_serve(&self) -> sqlx::Result<Vec<StoredTool>> {
        let mut connection = self.connections.of_all().await?;
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM tools
             WHERE deleted_at IS NULL AND status IN ('compiling', 'ready') ORDER BY revision"
        )))
        .fetch_all(&mut *connection)
        .await
    }

    /// A number that changes when any tool does.
    pub(crate) async fn tools_revision(&self) -> sqlx::Result<i64> {
        let mut connection = self.connections.of_all().await?;
        sqlx::query_scalar("SELECT coalesce(max(revision), 0) FROM tools")
            .fetch_one(&mut *connection)
            .await
    }

    /// The component with this digest.
    pub(crate) async fn tool_component(
        &self,
        tenant: &str,
        digest: &str,
    ) -> sqlx::Result<Option<Vec<u8>>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_scalar("SELECT bytes FROM tool_components WHERE tenant = $1 AND digest = $2")
            .bind(tenant)
            .bind(digest)
            .fetch_optional(&mut *connection)
            .await
    }

    /// Says what became of a tool that was to be compiled. One that is ready stays so.
    pub(crate) async fn tool_compiled(
        &self,
        tool: &StoredTool,
        result: Result<(), &str>,
    ) -> sqlx::Result<()> {
        let (status, error) = match result {
            Ok(()) => ("ready", None),
            Err(error) => ("failed", Some(error)),
        };
        let mut connection = self.connections.of(&tool.tenant).await?;
        sqlx::query(
            "UPDATE tools SET status = $5, error = $6, revision = nextval('tool_revisions')
             WHERE tenant = $1 AND name = $2 AND version = $3 AND digest = $4
               AND status = 'compiling'",
        )
        .bind(&tool.tenant)
        .bind(&tool.name)
        .bind(&tool.version)
        .bind(&tool.digest)
        .bind(status)
        .bind(error)
        .execute(&mut *connection)
        .await?;
        Ok(())
    }

    /// Removes a version of a tool, and says whether there was one. Its component is
    /// kept if another version has it.
    pub async fn delete_tool(&self, tenant: &str, name: &str, version: &str) -> sqlx::Result<bool> {
        let mut connection = self.connections.of(tenant).await?;
        let mut tx = connection.begin().await?;
        let digest: Option<String> = sqlx::query_scalar(
            "UPDATE tools SET deleted_at = now(), revision = nextval('tool_revisions')
             WHERE tenant = $1 AND name = $2 AND version = $3 AND deleted_at IS NULL
             RETURNING digest",
        )
        .bind(tenant)
        .bind(name)
        .bind(version)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(digest) = &digest {
            sqlx::query(
                "DELETE FROM tool_components WHERE tenant = $1 AND digest = $2 AND NOT EXISTS
                 (SELECT FROM tools WHERE tenant = $1 AND digest = $2 AND deleted_at IS NULL)",
            )
            .bind(tenant)
            .bind(digest)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(digest.is_some())
    }
}
