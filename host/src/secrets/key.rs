//! A master key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::Generate;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Secret;

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;

/// A key that secrets are sealed with. Everybody may know its id, which is
/// derived from it and tells nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    bytes: Zeroizing<[u8; KEY_BYTES]>,
    id: String,
}

impl MasterKey {
    /// A new key out of the system's random numbers.
    pub fn random() -> Self {
        Self::of(Zeroizing::new(<[u8; KEY_BYTES]>::generate()))
    }

    /// Reads a key: 32 bytes in base64.
    pub fn parse(text: &str) -> Option<Self> {
        let decoded = Zeroizing::new(STANDARD.decode(text).ok()?);
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if decoded.len() != KEY_BYTES {
            return None;
        }
        bytes.copy_from_slice(&decoded);
        Some(Self::of(bytes))
    }

    fn of(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"noetl master key id\0");
        hash.update(bytes.as_slice());
        Self {
            id: hex::encode(&hash.finalize()[..8]),
            bytes,
        }
    }

    /// Names the key: 16 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as [`MasterKey::parse`] reads it.
    pub fn to_text(&self) -> Secret {
        Secret::new(STANDARD.encode(self.bytes.as_slice()))
    }

    pub(super) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}
