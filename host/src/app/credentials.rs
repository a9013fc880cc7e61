//! Credentials: checked when they come, read when a pool is made.

use super::App;
use crate::capabilities::postgres::{self, CredentialSource};
use crate::store::{Credential, Store};

/// Why a credential was not stored.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// It can't be used.
    #[error("{0}")]
    Invalid(String),
    /// The store failed.
    #[error("the server's database failed: {0}")]
    Store(#[from] sqlx::Error),
}

impl App {
    /// Adds or replaces a credential. Connections made with the old one are not
    /// used again.
    ///
    /// # Errors
    /// If it can't be one, or the store fails. No message repeats what was given:
    /// a secret may have got into the wrong place.
    pub async fn put_credential(
        &self,
        tenant: &str,
        alias: &str,
        credential: Credential,
    ) -> Result<(), CredentialError> {
        let invalid = |message: &str| CredentialError::Invalid(message.into());
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !(1..=100).contains(&alias.len()) || !alias.chars().all(is_part) {
            return Err(invalid(
                "a credential's alias has 1 to 100 letters, digits, `_`, `-` and `.`",
            ));
        }
        if credential.kind != "postgres" {
            return Err(invalid(
                "there are no credentials of this type; the type is `postgres`",
            ));
        }
        postgres::check_url(&credential.url).map_err(invalid)?;
        self.inner
            .store
            .put_credential(tenant, alias, &credential)
            .await?;
        self.inner.pools.invalidate(tenant, alias);
        Ok(())
    }

    /// Removes a credential, and says whether there was one. Connections made with
    /// it are not used again.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delete_credential(&self, tenant: &str, alias: &str) -> sqlx::Result<bool> {
        let removed = self.inner.store.delete_credential(tenant, alias).await?;
        self.inner.pools.invalidate(tenant, alias);
        Ok(removed)
    }
}

pub(super) struct StoredCredentials(pub Store);

#[async_trait::async_trait]
impl CredentialSource for StoredCredentials {
    async fn find(
        &self,
        tenant: &str,
        alias: &str,
    ) -> anyhow::Result<Option<postgres::Credential>> {
        // PostgreSQL can't hold it, so there is none.
        if alias.contains('\0') {
            return Ok(None);
        }
        let found = self.0.credential(tenant, alias).await?;
        Ok(found
            .filter(|credential| credential.kind == "postgres")
            .map(|credential| postgres::Credential {
                url: credential.url,
                allow_privileged: credential.allow_privileged,
            }))
    }
}
