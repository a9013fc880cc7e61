//! Credentials: checked when they come, read when they are used.

use super::App;
use crate::capabilities::{http, postgres};
use crate::store::{self, Store};

/// A credential as it comes.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A login at PostgreSQL.
    Postgres(postgres::Credential),
    /// What shows an HTTP server who asks.
    Http(http::Credential),
}

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
        credential.check().map_err(invalid)?;
        let credential = store::Credential::from(credential);
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

impl Credential {
    fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Postgres(credential) => postgres::check_url(&credential.url),
            Self::Http(credential) => credential.check(),
        }
    }
}

impl From<Credential> for store::Credential {
    fn from(credential: Credential) -> Self {
        match credential {
            Credential::Postgres(credential) => Self {
                kind: "postgres".into(),
                secret: credential.url,
                allow_privileged: credential.allow_privileged,
            },
            Credential::Http(credential) => Self {
                kind: credential.login.kind().into(),
                secret: credential.to_secret(),
                allow_privileged: false,
            },
        }
    }
}

/// The credentials of the store, for who uses them.
pub(super) struct StoredCredentials(pub Store);

impl StoredCredentials {
    async fn find(&self, tenant: &str, alias: &str) -> anyhow::Result<Option<store::Credential>> {
        // PostgreSQL can't hold it, so there is none.
        if alias.contains('\0') {
            return Ok(None);
        }
        Ok(self.0.credential(tenant, alias).await?)
    }
}

#[async_trait::async_trait]
impl postgres::CredentialSource for StoredCredentials {
    async fn find(
        &self,
        tenant: &str,
        alias: &str,
    ) -> anyhow::Result<Option<postgres::Credential>> {
        let found = self.find(tenant, alias).await?;
        Ok(found
            .filter(|credential| credential.kind == "postgres")
            .map(|credential| postgres::Credential {
                url: credential.secret,
                allow_privileged: credential.allow_privileged,
            }))
    }
}

#[async_trait::async_trait]
impl http::CredentialSource for StoredCredentials {
    async fn find(&self, tenant: &str, alias: &str) -> anyhow::Result<Option<http::Credential>> {
        match self.find(tenant, alias).await? {
            Some(found) => http::Credential::from_secret(&found.kind, &found.secret),
            None => Ok(None),
        }
    }
}
