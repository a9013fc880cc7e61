use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::Generate;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What every key begins with, so that one in the wrong place is noticed.
const PREFIX: &str = "noetl_";

/// An API key's text: 32 random bytes. It has so much entropy that a plain digest
/// of it can be stored.
pub struct KeyText(Zeroizing<String>);

impl KeyText {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        let bytes = Zeroizing::new(<[u8; 32]>::generate());
        Self(Zeroizing::new(format!(
            "{PREFIX}{}",
            URL_SAFE_NO_PAD.encode(bytes.as_slice())
        )))
    }

    /// The key in a text, if it can be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        (bytes.len() == 32).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The text, to be shown once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the text, by which it is found.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_text() {
        let key = KeyText::random();
        assert_eq!(key.expose().len(), PREFIX.len() + 43);
        let again = KeyText::parse(key.expose()).unwrap();
        assert_eq!(again.digest(), key.digest());
        assert_ne!(KeyText::random().digest(), key.digest());
        for text in ["", "noetl_", "noetl_AAAA", "eyJhbGciOiJub25lIn0.e30."] {
            assert!(KeyText::parse(text).is_none(), "{text}");
        }
    }
}
