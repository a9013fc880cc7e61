//! The key that a token was signed with.

use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use noetl_tool::serde_json::{Value, from_value};
use noetl_tool::{Error, http};

use crate::fields::{Fields, Jwks, jwk};
use crate::invalid;

/// How old a kept set of keys may be, in seconds.
const MAX_AGE: u32 = 300;
/// The same when a token names a key that is not in it: it may be a new one.
const MAX_AGE_AFTER_ROTATION: u32 = 10;
const TIMEOUT: Duration = Duration::from_secs(10);
const REDIRECTS: u32 = 3;

/// The key for a token that is signed with this algorithm, and names this key if it
/// names one.
pub fn find(fields: &Fields, algorithm: Algorithm, kid: Option<&str>) -> Result<Jwk, Error> {
    if let Some(key) = &fields.key {
        let key = jwk("key", key)?;
        let other = key.common.key_id.as_deref();
        if kid.is_some() && other.is_some() && kid != other {
            return Err(unknown(kid, 1));
        }
        return fitting(key, algorithm);
    }
    if let Some(jwks) = &fields.jwks {
        return fitting(chosen(&jwks.keys, algorithm, kid)?, algorithm);
    }
    if algorithm.family() == AlgorithmFamily::Hmac {
        return Err(invalid(
            "algorithm_not_allowed",
            "a shared key is not taken from a URL: give it in `key` or `jwks`",
        ));
    }
    let url = match &fields.jwks_url {
        Some(url) => url.clone(),
        None => discovered(fields)?,
    };
    let set: Jwks = get(&url, MAX_AGE)?;
    let key = match chosen(&set.keys, algorithm, kid) {
        Ok(key) => key,
        Err(_) => {
            let set: Jwks = get(&url, MAX_AGE_AFTER_ROTATION)?;
            chosen(&set.keys, algorithm, kid)?
        }
    };
    fitting(key, algorithm)
}

/// Where the issuer's keys are, as it says (OpenID Connect Discovery).
fn discovered(fields: &Fields) -> Result<String, Error> {
    #[noetl_tool::shape(open)]
    struct Configuration {
        issuer: String,
        jwks_uri: String,
    }

    let issuer = fields.issuer.as_deref().ok_or_else(|| {
        Error::invalid_input(
            "there is no key to check with: give `issuer`, `jwks_url`, `jwks` or `key`",
        )
    })?;
    let url = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    let configuration: Configuration = get(&url, MAX_AGE)?;
    if configuration.issuer != issuer {
        return Err(Error::failed(
            "jwks",
            format!(
                "{url} is the configuration of `{}`, not of `{issuer}`",
                configuration.issuer
            ),
        ));
    }
    Ok(configuration.jwks_uri)
}

fn get<T: noetl_tool::serde::de::DeserializeOwned>(url: &str, max_age: u32) -> Result<T, Error> {
    let answer = http::get(url)
        .header("accept", "application/json")
        .timeout(TIMEOUT)
        .redirects(REDIRECTS)
        .max_age(max_age)
        .send()?;
    if !answer.is_success() {
        let status = answer.status;
        let message = format!("{url} answered with status {status}");
        return Err(Error::failed("jwks", message).code(status.to_string()));
    }
    Ok(answer.json()?)
}

/// The key that a token names. One that names none is taken to mean the only key of
/// its algorithm's kind.
fn chosen(keys: &[Value], algorithm: Algorithm, kid: Option<&str>) -> Result<Jwk, Error> {
    let mut candidates: Vec<Jwk> = keys
        .iter()
        // A set may have keys of kinds that nobody here knows.
        .filter_map(|key| from_value(key.clone()).ok())
        .filter(|key: &Jwk| key.common.public_key_use != Some(PublicKeyUse::Encryption))
        .filter(|key| match kid {
            Some(kid) => key.common.key_id.as_deref() == Some(kid),
            None => family(key) == Some(algorithm.family()),
        })
        .collect();
    match candidates.len() {
        1 => Ok(candidates.remove(0)),
        several => Err(unknown(kid, several)),
    }
}

fn unknown(kid: Option<&str>, found: usize) -> Error {
    let message = match kid {
        Some(kid) if found < 2 => {
            format!("the token is signed with the key `{kid}`, which is not known")
        }
        Some(kid) => format!("{found} keys are called `{kid}`"),
        None => format!("the token names no key, and {found} keys could be meant"),
    };
    invalid("unknown_key", message)
}

/// The key, if it is one for this algorithm and no other. A public key must never be
/// taken for a shared one.
fn fitting(key: Jwk, algorithm: Algorithm) -> Result<Jwk, Error> {
    let own = key.common.key_algorithm;
    if family(&key) == Some(algorithm.family()) && own.is_none_or(|own| own == algorithm.into()) {
        return Ok(key);
    }
    Err(invalid(
        "algorithm_not_allowed",
        format!("the key is not one for {algorithm:?}, which the token is signed with"),
    ))
}

fn family(key: &Jwk) -> Option<AlgorithmFamily> {
    match key.algorithm {
        AlgorithmParameters::RSA(_) => Some(AlgorithmFamily::Rsa),
        AlgorithmParameters::EllipticCurve(_) => Some(AlgorithmFamily::Ec),
        AlgorithmParameters::OctetKeyPair(_) => Some(AlgorithmFamily::Ed),
        AlgorithmParameters::OctetKey(_) => Some(AlgorithmFamily::Hmac),
        _ => None,
    }
}
