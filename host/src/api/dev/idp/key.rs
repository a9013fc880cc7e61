//! The stand-in's RSA key, and signing with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1v15::SigningKey;
use rsa::signature::{SignatureEncoding, Signer};
use rsa::traits::PublicKeyParts;
use rsa::{Generate, PrivateKey};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeyError {
    #[error("the identity provider stand-in could not make its RSA key: {0}")]
    Generate(String),
    #[error("the identity provider stand-in could not sign: {0}")]
    Sign(#[from] rsa::signature::Error),
}

/// The key, made when it is first needed: a server that is never asked for one
/// starts faster.
#[derive(Default)]
pub(super) struct KeyHolder(OnceCell<Key>);

impl KeyHolder {
    pub(super) async fn get(&self) -> Result<&Key, KeyError> {
        self.0
            .get_or_try_init(|| async {
                // Looking for primes takes long enough to hold up a worker thread.
                tokio::task::spawn_blocking(Key::generate)
                    .await
                    .map_err(|error| KeyError::Generate(error.to_string()))?
            })
            .await
    }
}

/// A signing key and its public half as a JSON Web Key.
pub(super) struct Key {
    signing: SigningKey<Sha256>,
    id: String,
    modulus: String,
    exponent: String,
}

impl Key {
    fn generate() -> Result<Self, KeyError> {
        let private =
            PrivateKey::try_generate().map_err(|error| KeyError::Generate(error.to_string()))?;
        let modulus = base64(private.n_bytes());
        let exponent = base64(private.e_bytes());
        // RFC 7638: the key's thumbprint, over its members in this very order.
        let members = format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#);
        Ok(Self {
            id: base64(Sha256::digest(members)),
            signing: SigningKey::new(private),
            modulus,
            exponent,
        })
    }

    /// The public key (RFC 7517, RFC 7518 section 6.3).
    pub(super) fn jwk(&self) -> Value {
        json!({
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.id,
            "n": self.modulus,
            "e": self.exponent,
        })
    }

    /// `claims` as a JWT (RFC 7519) in compact form, signed with RS256.
    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.id});
        let claims = serde_json::to_vec(claims).expect("claims are strings and numbers");
        let signed = format!("{}.{}", base64(header.to_string()), base64(claims));
        let signature = self.signing.try_sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", base64(signature.to_bytes())))
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
