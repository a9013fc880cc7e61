//! Signatures of components: Ed25519 over the text of their digest, `sha256:…`.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use zeroize::Zeroizing;

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

/// The public half of a key, written as the base64 of its 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// What is wrong with a key or a signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A private key can't be read.
    #[error("it is not an Ed25519 key: PKCS#8 in PEM, as `noetl tool keygen` writes it")]
    SigningKey,
    /// A public key can't be read.
    #[error("`{0}` is not a public key: the base64 of 32 bytes, as `noetl tool keygen` prints it")]
    PublicKey(String),
    /// No random numbers could be had.
    #[error("the system gives no random numbers")]
    Random,
    /// A text is no signature.
    #[error("the signature is not the base64 of 64 bytes")]
    Malformed,
    /// The signature is by somebody else, or of something else.
    #[error("the signature of {digest} is by none of the known keys")]
    Unknown {
        /// What it should be of.
        digest: String,
    },
}

impl SigningKey {
    /// A new key as a PEM text, and its public half.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn generate() -> Result<(Zeroizing<String>, PublicKey), SignatureError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| SignatureError::Random)?;
        let body = Zeroizing::new(BASE64_STANDARD.encode(document.as_ref()));
        let mut pem = Zeroizing::new(String::with_capacity(body.len() + 80));
        pem.push_str("-----BEGIN PRIVATE KEY-----\n");
        for line in body.as_bytes().chunks(64) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem.push_str("-----END PRIVATE KEY-----\n");
        let public = Self::from_pem(&pem)?.public();
        Ok((pem, public))
    }

    /// Reads a key, also one that another program wrote.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_pem(pem: &str) -> Result<Self, SignatureError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| SignatureError::SigningKey)?;
        // Others leave the public half out.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map(Self)
            .map_err(|_| SignatureError::SigningKey)
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let bytes = self.0.public_key().as_ref().try_into();
        PublicKey(bytes.expect("an Ed25519 key has 32 bytes"))
    }
}

/// Signs a digest; the signature is base64.
#[must_use]
pub fn sign(key: &SigningKey, digest: &str) -> String {
    BASE64_STANDARD.encode(key.0.sign(digest.as_bytes()))
}

/// Whether one of these keys signed the digest.
///
/// # Errors
/// If none did.
pub fn verify(keys: &[PublicKey], digest: &str, signature: &str) -> Result<(), SignatureError> {
    let bytes = BASE64_STANDARD.decode(signature.trim());
    let bytes = bytes.ok().filter(|bytes| bytes.len() == 64);
    let bytes = bytes.ok_or(SignatureError::Malformed)?;
    let is_by = |key: &PublicKey| {
        let key = UnparsedPublicKey::new(&ED25519, key.0);
        key.verify(digest.as_bytes(), &bytes).is_ok()
    };
    match keys.iter().any(is_by) {
        true => Ok(()),
        false => Err(SignatureError::Unknown {
            digest: digest.into(),
        }),
    }
}

impl FromStr for PublicKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let bytes = BASE64_STANDARD.decode(text.trim()).unwrap_or_default();
        let bytes = bytes.try_into();
        bytes
            .map(Self)
            .map_err(|_| SignatureError::PublicKey(text.into()))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0011";

    /// Written by `openssl genpkey -algorithm ed25519`.
    const OPENSSL: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIBGOtcN8Ri/FwQpC0/Un1zKoqCKhPPeGMNAFVbX3Ab9k\n\
        -----END PRIVATE KEY-----\n";

    #[test]
    fn only_the_key_that_signed_verifies() {
        let (pem, public) = SigningKey::generate().unwrap();
        let (_, other) = SigningKey::generate().unwrap();
        let signature = sign(&SigningKey::from_pem(&pem).unwrap(), DIGEST);
        assert_eq!(verify(&[other, public], DIGEST, &signature), Ok(()));
        for (keys, digest) in [
            (&[other][..], DIGEST),
            (&[], DIGEST),
            (&[public], "sha256:0012"),
        ] {
            let error = verify(keys, digest, &signature).unwrap_err();
            assert!(matches!(error, SignatureError::Unknown { .. }), "{error}");
        }
    }

    #[test]
    fn what_is_no_signature_or_key_is_told() {
        let (_, public) = SigningKey::generate().unwrap();
        for text in ["", "AAAA", "no base64!"] {
            let error = verify(&[public], DIGEST, text).unwrap_err();
            assert_eq!(error, SignatureError::Malformed, "{text}");
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
            assert!(SigningKey::from_pem(text).is_err(), "{text}");
        }
        assert_eq!(public.to_string().parse(), Ok(public));
    }

    #[test]
    fn keys_of_openssl_are_taken() {
        let key = SigningKey::from_pem(OPENSSL).unwrap();
        assert_eq!(
            key.public().to_string(),
            "5W20vJL3bfnjU6aFUIdcldX9twhP3xul3P5eyQJ5VY4="
        );
        assert_eq!(
            sign(&key, DIGEST),
            "KFGr5OEsaYfiYk5aWjLSlmsdqysVUHU1/FvYvSFVDnCZxHlKm6vcKwh4nwcRDN/ycg5zjEabhY5BrwQ5hovSAA=="
        );
    }
}
