//! What a step says of its token.

use std::str::FromStr;

use jsonwebtoken::Algorithm;
use jsonwebtoken::jwk::Jwk;
use noetl_tool::Error;
use noetl_tool::serde_json::{Map, Value, from_value};

/// Of the token, and of what it has to be. A field of `args` counts more than the same
/// one of the step.
#[noetl_tool::shape]
pub struct Fields {
    /// `verify`, or `sign`.
    #[serde(default)]
    pub action: Action,
    /// The token to verify, in its compact form.
    pub token: Option<String>,
    /// Where the issuer's keys are, as a JWK Set.
    pub jwks_url: Option<String>,
    /// The issuer's keys, as a JWK Set.
    pub jwks: Option<Jwks>,
    /// One key, as a JWK.
    pub key: Option<Value>,
    /// What `iss` has to be. Without keys and `jwks_url`, they are where this issuer's
    /// `.well-known/openid-configuration` says.
    pub issuer: Option<String>,
    /// What has to be in `aud`: one of these. Without it, `aud` is not looked at.
    pub audience: Option<Audience>,
    /// What a token may be signed with. A shared key (HS256 and so on) has to be named
    /// here, and given in `key` or `jwks`.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<String>,
    /// How far the clocks may be apart, in seconds.
    #[serde(default = "leeway")]
    #[schemars(range(max = 300))]
    pub leeway: u64,
    /// Claims that have to be there.
    #[serde(default = "required")]
    pub required: Vec<String>,
    /// What a token that is not good makes of the step.
    #[serde(default)]
    pub on_invalid: OnInvalid,
    /// What to sign.
    pub claims: Option<Map<String, Value>>,
}

/// What to do.
#[noetl_tool::shape]
#[serde(rename_all = "lowercase")]
#[derive(Default)]
pub enum Action {
    #[default]
    Verify,
    Sign,
}

/// What a token that is not good makes of the step.
#[noetl_tool::shape]
#[serde(rename_all = "lowercase")]
#[derive(Default, Clone, Copy, PartialEq)]
pub enum OnInvalid {
    /// It fails.
    #[default]
    Fail,
    /// It has a result that says so, which the playbook can branch by.
    Result,
}

/// A JWK Set (RFC 7517).
#[noetl_tool::shape(open)]
pub struct Jwks {
    pub keys: Vec<Value>,
}

/// One or several.
#[noetl_tool::shape]
#[serde(untagged)]
pub enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

fn algorithms() -> Vec<String> {
    ["RS256", "ES256"].map(Into::into).into()
}

fn leeway() -> u64 {
    60
}

fn required() -> Vec<String> {
    vec!["exp".into()]
}

/// The most that clocks may be apart, in seconds.
const MAX_LEEWAY: u64 = 300;

impl Fields {
    /// The algorithms that are allowed.
    pub fn allowed(&self) -> Result<Vec<Algorithm>, Error> {
        let read = |(at, name): (usize, &String)| {
            Algorithm::from_str(name).map_err(|_| {
                Error::invalid_input(format!(
                    "algorithms[{at}]: `{name}` is none that a signature can be checked with"
                ))
            })
        };
        self.algorithms.iter().enumerate().map(read).collect()
    }

    /// What is given, as far as it can be told without the token.
    pub fn check(&self) -> Result<(), Error> {
        if self.leeway > MAX_LEEWAY {
            return Err(Error::invalid_input(format!(
                "leeway: {} s is too much, {MAX_LEEWAY} s is the most",
                self.leeway
            )));
        }
        if self.audience.as_ref().is_some_and(|a| a.all().is_empty()) {
            return Err(Error::invalid_input("audience: the list is empty"));
        }
        Ok(())
    }
}

/// A key that was written down as it is, and so has to be one.
pub fn jwk(field: &str, key: &Value) -> Result<Jwk, Error> {
    from_value(key.clone()).map_err(|error| Error::invalid_input(format!("{field}: {error}")))
}
