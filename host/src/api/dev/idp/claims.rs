//! What an ID token says (OpenID Connect Core 1.0, section 2).

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use sha2::{Digest, Sha256};

/// How long a token is good for, in seconds.
const LIFETIME: u64 = 3600;

/// The claims of an ID token. Times are seconds since 1970.
#[derive(Serialize)]
pub(super) struct Claims<'a> {
    iss: String,
    sub: String,
    aud: &'a str,
    iat: u64,
    exp: u64,
    nonce: &'a str,
    email: &'a str,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> Claims<'a> {
    /// Claims about the holder of `email`, for the application `client_id`.
    /// Without a `name`, the token does not have that claim.
    pub(super) fn new(
        issuer: String,
        client_id: &'a str,
        nonce: &'a str,
        email: &'a str,
        name: Option<&'a str>,
    ) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        Self {
            iss: issuer,
            sub: subject(email),
            aud: client_id,
            iat: now,
            exp: now + LIFETIME,
            nonce,
            email,
            email_verified: true,
            name,
        }
    }
}

/// The same user for the same email, today and after a restart. The form is that
/// of Auth0's user IDs: the connection's name, a bar, 24 hex digits.
fn subject(email: &str) -> String {
    let digest = Sha256::digest(email.to_lowercase());
    format!("dev|{}", hex::encode(&digest[..12]))
}
