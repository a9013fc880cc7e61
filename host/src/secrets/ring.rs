//! Seals secrets with the newest of some master keys, and opens them with any.

use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Generate, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::{MasterKey, Secret};

/// The master keys of a server: the first one seals, all of them open. Clones
/// share them.
#[derive(Debug, Clone)]
pub struct KeyRing(Arc<[MasterKey]>);

/// A secret as it is kept: nobody can read or change it without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the master key.
    pub key_id: String,
    /// Random; different for each sealing.
    pub nonce: Vec<u8>,
    /// The encrypted secret and its authentication tag.
    pub ciphertext: Vec<u8>,
}

/// Why a secret can't be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The key is not in the ring.
    #[error("it is encrypted with the master key {key_id}, and the keys at hand are {at_hand}")]
    UnknownKey {
        /// The key that it is sealed with.
        key_id: String,
        /// The ring's keys.
        at_hand: String,
    },
    /// The key is there, and what was sealed with it is not this.
    #[error(
        "it was changed after it had been encrypted with the master key {key_id}, \
         or belongs to another credential"
    )]
    Changed {
        /// The key that it is said to be sealed with.
        key_id: String,
    },
}

impl KeyRing {
    /// A ring of these keys, the one that seals first. `None` without any.
    pub fn new(keys: Vec<MasterKey>) -> Option<Self> {
        (!keys.is_empty()).then(|| Self(keys.into()))
    }

    /// The key that seals.
    pub fn newest(&self) -> &MasterKey {
        &self.0[0]
    }

    /// All keys, the newest first.
    pub fn keys(&self) -> &[MasterKey] {
        &self.0
    }

    /// The ids of all keys, the newest first.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(|key| key.id().to_owned()).collect()
    }

    /// Seals `secret`. It can be opened only together with the same `context`,
    /// which says what it belongs to.
    pub fn seal(&self, secret: &Secret, context: &[u8]) -> Sealed {
        let nonce = XNonce::generate();
        let payload = Payload {
            msg: secret.expose().as_bytes(),
            aad: context,
        };
        let ciphertext = cipher(self.newest())
            .encrypt(&nonce, payload)
            .expect("a secret is shorter than 256 GiB");
        Sealed {
            key_id: self.newest().id().to_owned(),
            nonce: nonce.to_vec(),
            ciphertext,
        }
    }

    /// Opens what was sealed with the same `context`.
    ///
    /// # Errors
    /// If the ring has not the key, or anything of it is not what was sealed.
    pub fn open(&self, sealed: &Sealed, context: &[u8]) -> Result<Secret, OpenError> {
        let key_id = sealed.key_id.clone();
        let Some(key) = self.0.iter().find(|key| key.id() == key_id) else {
            return Err(OpenError::UnknownKey {
                key_id,
                at_hand: self.ids().join(", "),
            });
        };
        let payload = Payload {
            msg: &sealed.ciphertext,
            aad: context,
        };
        XNonce::try_from(sealed.nonce.as_slice())
            .ok()
            .and_then(|nonce| cipher(key).decrypt(&nonce, payload).ok())
            .map(Zeroizing::new)
            .and_then(|bytes| Some(Secret::new(std::str::from_utf8(&bytes).ok()?)))
            .ok_or(OpenError::Changed { key_id })
    }
}

fn cipher(key: &MasterKey) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &[&MasterKey]) -> KeyRing {
        KeyRing::new(keys.iter().copied().cloned().collect()).unwrap()
    }

    #[test]
    fn a_key_survives_its_text_and_nothing_else_is_one() {
        let key = MasterKey::random();
        assert_eq!(MasterKey::parse(key.to_text().expose()), Some(key.clone()));
        assert_eq!(format!("{key:?}"), format!("MasterKey({})", key.id()));
        assert_ne!(key, MasterKey::random());
        for text in ["", "AAAA", "not base64!", &"A".repeat(43), &"A".repeat(64)] {
            assert_eq!(MasterKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_its_key_and_its_context_open_a_secret() {
        let (old, new) = (MasterKey::random(), MasterKey::random());
        let secret = Secret::new("postgres://ada:hunter2@db/app");
        let sealed = ring(&[&old]).seal(&secret, b"a");
        assert_eq!(ring(&[&old]).open(&sealed, b"a"), Ok(secret.clone()));
        assert_eq!(ring(&[&new, &old]).open(&sealed, b"a"), Ok(secret.clone()));
        assert_eq!(ring(&[&new, &old]).seal(&secret, b"a").key_id, new.id());

        let changed = Err(OpenError::Changed {
            key_id: old.id().to_owned(),
        });
        assert_eq!(ring(&[&old]).open(&sealed, b"b"), changed);
        for place in 0..sealed.ciphertext.len() {
            let mut other = sealed.clone();
            other.ciphertext[place] ^= 1;
            assert_eq!(ring(&[&old]).open(&other, b"a"), changed);
        }
        for nonce in [vec![], vec![0; 24], vec![0; 12]] {
            let other = Sealed {
                nonce,
                ..sealed.clone()
            };
            assert_eq!(ring(&[&old]).open(&other, b"a"), changed);
        }
        let error = ring(&[&new]).open(&sealed, b"a").unwrap_err().to_string();
        assert!(
            error.contains(old.id()) && error.contains(new.id()),
            "{error}"
        );
        let renamed = Sealed {
            key_id: new.id().to_owned(),
            ..sealed.clone()
        };
        assert!(ring(&[&new, &old]).open(&renamed, b"a").is_err());
    }

    #[test]
    fn the_same_secret_never_looks_the_same() {
        let ring = ring(&[&MasterKey::random()]);
        let secret = Secret::new("x");
        assert_ne!(ring.seal(&secret, b""), ring.seal(&secret, b""));
    }
}
