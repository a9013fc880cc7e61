use std::fmt;
use std::str::FromStr;

use semver::Version;
use serde::{Deserialize, Serialize};

/// A tool's name: `python`, or `acme/geocode` for one that somebody pushed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// The longest part of a name, in characters.
const PART: usize = 64;

/// Why a text is no name or reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// A part of the name has other characters.
    #[error(
        "`{0}` is no tool's name: it is `name` or `namespace/name`, each of at most 64 small letters, digits, `-` and `_` and beginning with a letter"
    )]
    Name(String),
    /// What stands after the `@` is neither a version nor a digest.
    #[error("`{0}` is neither a version such as `1.2.0` nor `sha256:` with 64 hexadecimal digits")]
    Pin(String),
}

impl Name {
    /// The namespace, if there is one.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.0.split_once('/').map(|(namespace, _)| namespace)
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_part = |part: &str| {
            part.len() <= PART
                && part.starts_with(|c: char| c.is_ascii_lowercase())
                && part
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
        };
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(name), None, None) if is_part(name) => Ok(Self(text.into())),
            (Some(namespace), Some(name), None) if is_part(namespace) && is_part(name) => {
                Ok(Self(text.into()))
            }
            _ => Err(NameError::Name(text.into())),
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which of a tool's components is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Pin {
    /// Exactly this version.
    Version(Version),
    /// The component with this SHA-256, in hex.
    Digest(String),
}

/// A tool as a playbook names it: `acme/geocode`, `acme/geocode@1.2.0` or
/// `acme/geocode@sha256:…`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Which tool.
    pub name: Name,
    /// Which component of it; the newest, if there is none.
    pub pin: Option<Pin>,
}

impl From<Name> for Reference {
    fn from(name: Name) -> Self {
        Self { name, pin: None }
    }
}

impl FromStr for Reference {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let Some((name, pin)) = text.split_once('@') else {
            return Ok(Self {
                name: text.parse()?,
                pin: None,
            });
        };
        Ok(Self {
            name: name.parse()?,
            pin: Some(pin.parse()?),
        })
    }
}

impl FromStr for Pin {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fault = || NameError::Pin(text.into());
        if let Some(digest) = text.strip_prefix("sha256:") {
            let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            return match digest.len() == 64 && digest.chars().all(is_digit) {
                true => Ok(Self::Digest(digest.into())),
                false => Err(fault()),
            };
        }
        text.parse().map(Self::Version).map_err(|_| fault())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pin {
            None => write!(f, "{}", self.name),
            Some(pin) => write!(f, "{}@{pin}", self.name),
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "{version}"),
            Self::Digest(digest) => write!(f, "sha256:{digest}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_it_is_written() {
        let digest = format!("acme/geo@sha256:{}", "a0".repeat(32));
        for text in [
            "python",
            "acme/geocode",
            "acme/geocode@1.2.0",
            "a/b@1.0.0-rc.1",
            &digest,
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "a/b/c",
            "A",
            "a b",
            "../a",
            "1a",
            "a@",
            "a@1",
            "a@1.2",
            "a@latest",
            "a@sha256:12",
            "a@^1.0.0",
            "a@1.0.0@2.0.0",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
