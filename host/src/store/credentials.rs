//! Credentials, by alias. A URL goes in and comes out only to make a pool.

use serde::Serialize;
use sqlx::FromRow;

use super::Store;

/// A credential in a list: never its value.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct CredentialEntry {
    /// The name that playbooks use.
    pub alias: String,
    /// What it opens: `postgres`.
    #[serde(rename = "type")]
    pub kind: String,
}

impl Store {
    /// Adds or replaces a credential.
    pub async fn put_credential(
        &self,
        tenant: &str,
        alias: &str,
        kind: &str,
        url: &str,
    ) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO credentials (tenant, alias, kind, url) VALUES ($1, $2, $3, $4)
             ON CONFLICT (tenant, alias) DO UPDATE SET kind = EXCLUDED.kind, url = EXCLUDED.url, updated_at = now()",
        )
        .bind(tenant)
        .bind(alias)
        .bind(kind)
        .bind(url)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The tenant's credentials, by alias.
    pub async fn credentials(&self, tenant: &str) -> sqlx::Result<Vec<CredentialEntry>> {
        sqlx::query_as("SELECT alias, kind FROM credentials WHERE tenant = $1 ORDER BY alias")
            .bind(tenant)
            .fetch_all(&self.pool)
            .await
    }

    /// The URL behind an alias.
    pub(crate) async fn credential_url(
        &self,
        tenant: &str,
        alias: &str,
    ) -> sqlx::Result<Option<String>> {
        sqlx::query_scalar(
            "SELECT url FROM credentials WHERE tenant = $1 AND alias = $2 AND kind = 'postgres'",
        )
        .bind(tenant)
        .bind(alias)
        .fetch_optional(&self.pool)
        .await
    }
}
