//! Who calls, and what they may do: API keys, tokens of an identity provider, or
//! nobody in particular on a server that only this machine reaches.

mod key;
mod oidc;
mod principal;
mod role;

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use chrono::Utc;
use lru::LruCache;
use uuid::Uuid;

pub use key::KeyText;
pub use oidc::{ALGORITHMS, Algorithm, Oidc, OidcConfig, parse_algorithm};
pub use principal::{Method, Principal};
pub use role::Role;

use crate::store::{ApiKey, NewApiKey, Store};

/// How callers are told apart.
#[derive(Debug, Clone, Default)]
pub struct AccessConfig {
    /// Whether a caller must show a key or a token. If not, one that shows none is
    /// an admin of the default tenant.
    pub required: bool,
    /// The identity provider whose tokens are taken.
    pub oidc: Option<OidcConfig>,
}

/// Why a caller is nobody.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// It shows nothing.
    #[error(
        "this server wants to know who calls: send `Authorization: Bearer KEY`, with an API key{0}"
    )]
    Missing(&'static str),
    /// What it shows is not taken.
    #[error("{0}")]
    Refused(String),
    /// It can't be found out: the store or the identity provider fails.
    #[error("{0}")]
    Unavailable(String),
}

/// Keys that are kept in memory.
const KNOWN: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");
/// For how long; after that, a key that another server revoked is not taken.
const KNOWN_FOR: Duration = Duration::from_secs(2);
/// How exact the time is when a key was last used.
const USED: chrono::Duration = chrono::Duration::minutes(1);

/// Keys by their digests, and when the store was last asked for them.
type Known = LruCache<[u8; 32], (Instant, Option<ApiKey>)>;

/// Knows callers.
pub struct Access {
    store: Store,
    required: bool,
    oidc: Option<Oidc>,
    known: Mutex<Known>,
}

impl Access {
    /// Knows the keys in `store`, and what `config` says.
    ///
    /// # Errors
    /// If the identity provider can't be one.
    pub fn new(store: Store, config: AccessConfig) -> anyhow::Result<Self> {
        Ok(Self {
            store,
            required: config.required,
            oidc: config.oidc.map(Oidc::new).transpose()?,
            known: Mutex::new(LruCache::new(KNOWN)),
        })
    }

    /// Whether a caller must show who it is.
    pub fn required(&self) -> bool {
        self.required
    }

    /// Who calls with this value of `Authorization`.
    ///
    /// # Errors
    /// If that is nobody.
    pub async fn authenticate(&self, header: Option<&str>) -> Result<Principal, AccessError> {
        let Some(header) = header else {
            let tokens = match self.oidc {
                Some(_) => " or a token of the identity provider",
                None => "",
            };
            return match self.required {
                true => Err(AccessError::Missing(tokens)),
                false => Ok(Principal::open()),
            };
        };
        let refused = |message: &str| AccessError::Refused(message.into());
        let token = header
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(|| refused("the header must be `Authorization: Bearer KEY`"))?;
        if let Some(key) = KeyText::parse(token) {
            return self.of_key(&key).await;
        }
        match &self.oidc {
            Some(oidc) => oidc.verify(token).await,
            None => Err(refused("this is no API key of this server")),
        }
    }

    async fn of_key(&self, key: &KeyText) -> Result<Principal, AccessError> {
        let digest = key.digest();
        let found = self.find(digest).await.map_err(|_| {
            AccessError::Unavailable("the server's database does not answer".into())
        })?;
        let refused = |message: String| AccessError::Refused(message);
        let key =
            found.ok_or_else(|| refused("this API key is not one of this server's".into()))?;
        if key.revoked_at.is_some() {
            return Err(refused(format!("the API key `{}` was revoked", key.name)));
        }
        if let Some(at) = key.expires_at.filter(|at| *at <= Utc::now()) {
            let at = at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            return Err(refused(format!(
                "the API key `{}` expired at {at}",
                key.name
            )));
        }
        let role = key.role.parse().map_err(refused)?;
        Ok(Principal {
            role,
            subject: format!("key:{}", key.name),
            paths: key.paths.map(Into::into),
            method: Method::ApiKey,
            expires_at: key.expires_at,
            tenant: key.tenant,
        })
    }

    async fn find(&self, digest: [u8; 32]) -> sqlx::Result<Option<ApiKey>> {
        if let Some((at, key)) = self.known().get(&digest)
            && at.elapsed() < KNOWN_FOR
        {
            return Ok(key.clone());
        }
        let key = self.store.find_api_key(&digest).await?;
        if let Some(key) = &key
            && key.last_used_at.is_none_or(|at| at + USED < Utc::now())
        {
            self.store.used_api_key(&key.tenant, key.id).await?;
        }
        self.known().put(digest, (Instant::now(), key.clone()));
        Ok(key)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no panic while it is held")
    }

    /// Makes a key, and returns it with its text, which can't be had again.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn make_key(
        &self,
        tenant: &str,
        key: NewApiKey<'_>,
    ) -> sqlx::Result<(ApiKey, KeyText)> {
        let made = make_key(&self.store, tenant, key).await?;
        self.known().pop(&made.1.digest());
        Ok(made)
    }

    /// Revokes a key: it is not taken any more. Returns whether there is one.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn revoke_key(&self, tenant: &str, id: Uuid) -> sqlx::Result<bool> {
        let revoked = self.store.revoke_api_key(tenant, id).await?;
        self.known().clear();
        Ok(revoked)
    }
}

/// Makes a key of a tenant, and returns it with its text.
///
/// # Errors
/// If the store fails.
pub async fn make_key(
    store: &Store,
    tenant: &str,
    key: NewApiKey<'_>,
) -> sqlx::Result<(ApiKey, KeyText)> {
    let text = KeyText::random();
    let stored = store.put_api_key(tenant, key, &text.digest()).await?;
    Ok((stored, text))
}
