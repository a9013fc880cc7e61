//! Tokens of an identity provider (OpenID Connect), checked against the keys that
//! it publishes.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chrono::DateTime;
pub use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;

use super::{AccessError, Method, Principal, Role};
use crate::visible::brief;

/// The algorithms that can be allowed. Those that sign with a shared secret can't:
/// a provider's public key would be such a secret.
pub const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// The algorithm of a name.
///
/// # Errors
/// What names there are.
pub fn parse_algorithm(name: &str) -> Result<Algorithm, String> {
    ALGORITHMS
        .into_iter()
        .find(|(known, _)| *known == name)
        .map(|(_, algorithm)| algorithm)
        .ok_or_else(|| {
            let names = ALGORITHMS.map(|(name, _)| name).join(", ");
            format!("it is one of {names}")
        })
}

/// An identity provider, and what its tokens say.
#[derive(Debug, Clone)]
pub struct OidcConfig {
    /// Its `iss`, a URL.
    pub issuer: String,
    /// The `aud` that a token must have.
    pub audience: String,
    /// How tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are; if that is not said, the issuer's discovery document
    /// does.
    pub jwks_url: Option<String>,
    /// The claim with the tenant's name.
    pub tenant_claim: String,
    /// The tenant of tokens without that claim; without one, they are refused.
    pub tenant: Option<String>,
    /// The claim with the role, or a list that has it.
    pub role_claim: String,
    /// The role of tokens without that claim; without one, they are refused.
    pub role: Option<Role>,
}

/// How long keys are believed in.
const FRESH: Duration = Duration::from_secs(3600);
/// The provider is asked no more often than this.
const PAUSE: Duration = Duration::from_secs(10);
/// And has this long to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// An answer's length at most, in bytes.
const MAX_ANSWER: usize = 1 << 20;
/// How much clocks may differ, in seconds.
const LEEWAY: u64 = 30;

/// Checks tokens.
pub struct Oidc {
    config: OidcConfig,
    http: reqwest::Client,
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    set: Option<JwkSet>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Oidc {
    /// Takes tokens of this provider. It is not asked for anything yet.
    ///
    /// # Errors
    /// If a URL is none, or goes over the network without TLS.
    pub fn new(config: OidcConfig) -> anyhow::Result<Self> {
        for url in std::iter::once(&config.issuer).chain(&config.jwks_url) {
            check_url(url)?;
        }
        if config.algorithms.is_empty() {
            bail!("no algorithm is allowed: name one, such as RS256");
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self {
            config,
            http,
            keys: Mutex::default(),
        })
    }

    /// Who has this token.
    pub(super) async fn verify(&self, token: &str) -> Result<Principal, AccessError> {
        let refused = |why: String| AccessError::Refused(format!("the token is not taken: {why}"));
        let header = decode_header(token)
            .map_err(|_| refused("it is neither an API key nor a signed JWT".into()))?;
        if !self.config.algorithms.contains(&header.alg) {
            return Err(refused(format!(
                "it is signed with {:?}, which is not allowed here",
                header.alg
            )));
        }
        let jwk = self.key(header.kid.as_deref(), header.alg).await?;
        let key = DecodingKey::from_jwk(&jwk)
            .map_err(|_| refused("the provider's key can't be used".into()))?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = decode::<Map<String, Value>>(token, &key, &validation)
            .map_err(|error| refused(error.to_string()))?
            .claims;
        self.principal(&claims).map_err(refused)
    }

    fn principal(&self, claims: &Map<String, Value>) -> Result<Principal, String> {
        let config = &self.config;
        let tenant = match claims.get(&config.tenant_claim) {
            Some(Value::String(tenant)) if tenant != "*" && !tenant.is_empty() => tenant.clone(),
            Some(_) => {
                return Err(format!(
                    "its claim `{}` is no tenant's name",
                    config.tenant_claim
                ));
            }
            None => config
                .tenant
                .clone()
                .ok_or_else(|| format!("it has no claim `{}`", config.tenant_claim))?,
        };
        let named = claims.get(&config.role_claim).map(|value| match value {
            Value::Array(roles) => roles.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect::<Vec<_>>(),
        });
        let role = match named {
            Some(names) => names.iter().filter_map(|name| name.parse().ok()).max(),
            None => config.role,
        };
        Ok(Principal {
            tenant,
            role: role.ok_or_else(|| {
                let claim = &config.role_claim;
                format!("its claim `{claim}` names none of viewer, runner, author, admin")
            })?,
            subject: brief(claims["sub"].as_str().unwrap_or_default(), 200),
            paths: None,
            method: Method::Oidc,
            expires_at: claims["exp"]
                .as_f64()
                .and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0)),
        })
    }

    /// The provider's key that a token names. The provider is asked again for one
    /// that is not known: it may be new.
    async fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Jwk, AccessError> {
        let mut keys = self.keys.lock().await;
        let find = |keys: &Keys| {
            let set = keys.set.as_ref()?;
            set.keys
                .iter()
                .find(|jwk| suits(jwk, kid, algorithm))
                .cloned()
        };
        let fresh = keys.fetched.is_some_and(|at| at.elapsed() < FRESH);
        if fresh && let Some(jwk) = find(&keys) {
            return Ok(jwk);
        }
        if keys.tried.is_none_or(|at| at.elapsed() > PAUSE) {
            keys.tried = Some(Instant::now());
            match self.fetch().await {
                Ok(set) => {
                    keys.set = Some(set);
                    keys.fetched = keys.tried;
                }
                Err(error) => {
                    let issuer = &self.config.issuer;
                    tracing::warn!(
                        issuer,
                        error = format!("{error:#}"),
                        "the identity provider's keys can't be had"
                    );
                }
            }
        }
        find(&keys).ok_or_else(|| match keys.set {
            Some(_) => AccessError::Refused(
                "the token is not taken: it is signed with a key that the identity provider does not publish".into(),
            ),
            None => AccessError::Unavailable(
                "the identity provider's keys can't be had; try again later".into(),
            ),
        })
    }

    async fn fetch(&self) -> anyhow::Result<JwkSet> {
        let url = match &self.config.jwks_url {
            Some(url) => url.clone(),
            None => {
                let issuer = self.config.issuer.trim_end_matches('/');
                let document: Discovery = self
                    .get(&format!("{issuer}/.well-known/openid-configuration"))
                    .await?;
                if document.issuer != self.config.issuer {
                    bail!(
                        "its discovery document is of the issuer `{}`",
                        brief(&document.issuer, 200)
                    );
                }
                check_url(&document.jwks_uri)?;
                document.jwks_uri
            }
        };
        self.get(&url).await
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> anyhow::Result<T> {
        let mut response = self.http.get(url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                bail!("{url} answers with more than {MAX_ANSWER} bytes");
            }
        }
        serde_json::from_slice(&body).with_context(|| format!("{url} does not answer as it should"))
    }
}

/// Whether a key is the one of this id, and made for this algorithm.
fn suits(jwk: &Jwk, kid: Option<&str>, algorithm: Algorithm) -> bool {
    let common = &jwk.common;
    let id = kid.is_none() || common.key_id.as_deref() == kid;
    let signs = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
    let made_for = common
        .key_algorithm
        .is_none_or(|made_for| made_for == KeyAlgorithm::from(algorithm));
    let family = DecodingKey::from_jwk(jwk).is_ok_and(|key| key.family() == algorithm.family());
    id && signs && made_for && family
}

fn check_url(url: &str) -> anyhow::Result<()> {
    let parsed = Url::parse(url).with_context(|| format!("`{url}` is not a URL"))?;
    let here = match parsed.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if here => Ok(()),
        _ => bail!("`{url}` is not an https URL, and not on this machine"),
    }
}
