//! Credentials, by alias. What is secret of one is encrypted before it is written, and
//! read only to be used.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::{FromRow, PgExecutor};
use utoipa::ToSchema;

use super::Store;
use crate::secrets::{KeyRing, OpenError, Sealed, Secret};

/// A credential in a list: never its value.
#[derive(Debug, Clone, Serialize, FromRow, ToSchema)]
pub struct CredentialEntry {
    /// The name that playbooks use.
    pub alias: String,
    /// What it is for: `postgres`, or for HTTP `bearer`, `basic` or `header`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether its role may have more rights than a playbook needs.
    pub allow_privileged: bool,
    /// When its value last came.
    pub updated_at: DateTime<Utc>,
}

/// A credential with its value.
#[derive(Debug, Clone)]
pub struct Credential {
    /// What it is for: `postgres`, or for HTTP `bearer`, `basic` or `header`.
    pub kind: String,
    /// What is kept encrypted, in the form that its kind has: of `postgres` the URL.
    pub secret: Secret,
    /// Whether its role may have more rights than a playbook needs.
    pub allow_privileged: bool,
}

/// Why a credential could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The store failed.
    #[error("the server's database failed: {0}")]
    Store(#[from] sqlx::Error),
    /// It is there and can't be decrypted.
    #[error("the credential `{alias}` of tenant `{tenant}` can't be decrypted: {error}")]
    Unreadable {
        /// The tenant that has it.
        tenant: String,
        /// Its name.
        alias: String,
        /// Why not.
        error: OpenError,
    },
}

/// A credential as it is written.
#[derive(FromRow)]
pub(super) struct Row {
    pub tenant: String,
    pub alias: String,
    pub kind: String,
    pub allow_privileged: bool,
    key_id: String,
    nonce: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl Row {
    /// Its columns, for a SELECT.
    pub const COLUMNS: &str = "tenant, alias, kind, allow_privileged, key_id, nonce, ciphertext";

    pub fn seal(tenant: &str, alias: &str, credential: &Credential, keys: &KeyRing) -> Self {
        let (kind, allow_privileged) = (&credential.kind, credential.allow_privileged);
        let context = context(tenant, alias, kind, allow_privileged);
        let sealed = keys.seal(&credential.secret, &context);
        Self {
            tenant: tenant.into(),
            alias: alias.into(),
            kind: kind.into(),
            allow_privileged,
            key_id: sealed.key_id,
            nonce: sealed.nonce,
            ciphertext: sealed.ciphertext,
        }
    }

    pub fn open(self, keys: &KeyRing) -> Result<Credential, CredentialError> {
        let context = context(&self.tenant, &self.alias, &self.kind, self.allow_privileged);
        let sealed = Sealed {
            key_id: self.key_id,
            nonce: self.nonce,
            ciphertext: self.ciphertext,
        };
        match keys.open(&sealed, &context) {
            Ok(secret) => Ok(Credential {
                kind: self.kind,
                secret,
                allow_privileged: self.allow_privileged,
            }),
            Err(error) => Err(CredentialError::Unreadable {
                tenant: self.tenant,
                alias: self.alias,
                error,
            }),
        }
    }

    /// Adds it, in place of one with the same alias.
    pub async fn put(&self, database: impl PgExecutor<'_>) -> sqlx::Result<()> {
        sqlx::query(
            "INSERT INTO credentials (tenant, alias, kind, allow_privileged, key_id, nonce, ciphertext)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (tenant, alias) DO UPDATE SET
                 kind = EXCLUDED.kind, allow_privileged = EXCLUDED.allow_privileged,
                 key_id = EXCLUDED.key_id, nonce = EXCLUDED.nonce,
                 ciphertext = EXCLUDED.ciphertext, updated_at = now()",
        )
        .bind(&self.tenant)
        .bind(&self.alias)
        .bind(&self.kind)
        .bind(self.allow_privileged)
        .bind(&self.key_id)
        .bind(&self.nonce)
        .bind(&self.ciphertext)
        .execute(database)
        .await?;
        Ok(())
    }
}

/// What an encrypted text belongs to: in another row, or with another permission,
/// it can't be decrypted.
fn context(tenant: &str, alias: &str, kind: &str, allow_privileged: bool) -> Vec<u8> {
    json!(["noetl credential", tenant, alias, kind, allow_privileged])
        .to_string()
        .into_bytes()
}

impl Store {
    /// Adds or replaces a credential.
    pub async fn put_credential(
        &self,
        tenant: &str,
        alias: &str,
        credential: &Credential,
    ) -> sqlx::Result<()> {
        let mut connection = self.connections.of(tenant).await?;
        Row::seal(tenant, alias, credential, &self.keys)
            .put(&mut *connection)
            .await
    }

    /// Removes a credential, and says whether there was one.
    pub async fn delete_credential(&self, tenant: &str, alias: &str) -> sqlx::Result<bool> {
        let mut connection = self.connections.of(tenant).await?;
        let done = sqlx::query("DELETE FROM credentials WHERE tenant = $1 AND alias = $2")
            .bind(tenant)
            .bind(alias)
            .execute(&mut *connection)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// The tenant's credentials, by alias.
    pub async fn credentials(&self, tenant: &str) -> sqlx::Result<Vec<CredentialEntry>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_as(
            "SELECT alias, kind, allow_privileged, updated_at FROM credentials
             WHERE tenant = $1 ORDER BY alias",
        )
        .bind(tenant)
        .fetch_all(&mut *connection)
        .await
    }

    /// The credential behind an alias.
    pub(crate) async fn credential(
        &self,
        tenant: &str,
        alias: &str,
    ) -> Result<Option<Credential>, CredentialError> {
        let mut connection = self.connections.of(tenant).await?;
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {} FROM credentials WHERE tenant = $1 AND alias = $2",
            Row::COLUMNS
        )))
        .bind(tenant)
        .bind(alias)
        .fetch_optional(&mut *connection)
        .await?;
        drop(connection);
        row.map(|row| row.open(&self.keys)).transpose()
    }
}
