use std::fmt;

use semver::Version;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use wasm_encoder::{ComponentSection as _, CustomSection};
use wasmparser::{BinaryReader, Parser};

use super::Name;
use crate::grants::HostPattern;

/// The custom section of a component that its manifest is in.
pub const SECTION: &str = "noetl.manifest";
/// The longest manifest, in bytes.
const BYTES: usize = 256 << 10;

/// What a tool says of itself: a JSON text in its component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its name: `namespace/name`, or a plain one for those that every server has.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: String,
    /// What it wants to reach.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// The shapes of what goes in and comes out.
    #[serde(default)]
    pub schema: Schemas,
}

/// What a tool wants to reach, beside the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// PostgreSQL, with the credential that a step names.
    #[serde(default)]
    pub postgres: bool,
    /// HTTP, to these hosts.
    #[serde(default)]
    pub http: Hosts,
}

/// Hosts that a tool wants to talk to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosts {
    /// Whatever its tenant was granted: `"any"`.
    Any,
    /// These, as far as they are granted: a list.
    Only(Vec<HostPattern>),
}

/// JSON Schemas; what has none is not checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schemas {
    /// Of the tool's own fields in a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    /// Of a step's `args`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Value>,
    /// Of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// Why a component has no manifest that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is not WebAssembly.
    #[error("it is not a WebAssembly component")]
    Component,
    /// The section is not what it should be.
    #[error("its section `{SECTION}` is no manifest: {0}")]
    Manifest(String),
    /// A schema is none.
    #[error("`schema.{field}` of its manifest is no JSON Schema: {error}")]
    Schema {
        /// Which one.
        field: &'static str,
        /// Why not.
        error: String,
    },
}

impl Manifest {
    /// The manifest of a component, if it has one.
    ///
    /// # Errors
    /// If it is no component, or its manifest is none.
    pub fn of(component: &[u8]) -> Result<Option<Self>, ManifestError> {
        let sections = sections(component)?;
        let found = sections.iter().find(|s| s.custom == Some(SECTION));
        let Some(text) = found.map(|section| section.data) else {
            return Ok(None);
        };
        if text.len() > BYTES {
            return Err(ManifestError::Manifest(format!(
                "it has {} bytes, {BYTES} are the most",
                text.len()
            )));
        }
        let manifest: Self =
            serde_json::from_slice(text).map_err(|e| ManifestError::Manifest(e.to_string()))?;
        manifest.check()?;
        Ok(Some(manifest))
    }

    /// Whether the schemas are some.
    ///
    /// # Errors
    /// The first that is none.
    pub fn check(&self) -> Result<(), ManifestError> {
        let Schemas {
            config,
            args,
            result,
        } = &self.schema;
        for (field, schema) in [("config", config), ("args", args), ("result", result)] {
            if let Some(schema) = schema {
                super::schema::Schema::compile(schema)
                    .map_err(|error| ManifestError::Schema { field, error })?;
            }
        }
        Ok(())
    }

    /// The component with this manifest in place of the one that it may have.
    ///
    /// # Errors
    /// If it is no component.
    pub fn write_into(&self, component: &[u8]) -> Result<Vec<u8>, ManifestError> {
        let text = serde_json::to_vec(self).map_err(|e| ManifestError::Manifest(e.to_string()))?;
        let mut written = component[..HEADER.min(component.len())].to_vec();
        for section in sections(component)? {
            if section.custom != Some(SECTION) {
                written.extend(section.bytes);
            }
        }
        let section = CustomSection {
            name: SECTION.into(),
            data: text.into(),
        };
        section.append_to_component(&mut written);
        Ok(written)
    }
}

/// Magic number, version and layer.
const HEADER: usize = 8;

/// A section of the outermost component.
struct Section<'c> {
    /// Its name, if it is a custom one.
    custom: Option<&'c str>,
    /// What a custom one holds after its name.
    data: &'c [u8],
    /// The whole of it.
    bytes: &'c [u8],
}

fn sections(component: &[u8]) -> Result<Vec<Section<'_>>, ManifestError> {
    if !Parser::is_component(component) {
        return Err(ManifestError::Component);
    }
    let broken = |_| ManifestError::Component;
    let mut sections = Vec::new();
    let mut at = HEADER;
    while at < component.len() {
        let mut reader = BinaryReader::new(&component[at..], 0);
        let id = reader.read_u8().map_err(broken)?;
        let size = reader.read_var_u32().map_err(broken)? as usize;
        let content = reader.read_bytes(size).map_err(broken)?;
        let bytes = &component[at..at + reader.original_position()];
        at += bytes.len();
        let (custom, data) = match id {
            0 => {
                let mut reader = BinaryReader::new(content, 0);
                let name = reader.read_string().map_err(broken)?;
                (Some(name), &content[reader.original_position()..])
            }
            _ => (None, content),
        };
        sections.push(Section {
            custom,
            data,
            bytes,
        });
    }
    Ok(sections)
}

impl Default for Hosts {
    fn default() -> Self {
        Self::Only(Vec::new())
    }
}

impl Hosts {
    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Only(hosts) if hosts.is_empty())
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any host"),
            Self::Only(hosts) => {
                let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
                f.write_str(&hosts.join(", "))
            }
        }
    }
}

impl Serialize for Hosts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_str("any"),
            Self::Only(hosts) => serializer.collect_seq(hosts.iter().map(ToString::to_string)),
        }
    }
}

impl<'de> Deserialize<'de> for Hosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "`any` or a list of hosts")]
        enum Written {
            Text(String),
            List(Vec<String>),
        }
        match Written::deserialize(deserializer)? {
            Written::Text(text) if text == "any" => Ok(Self::Any),
            Written::Text(text) => Err(D::Error::custom(format!(
                "`{text}` is neither `any` nor a list of hosts"
            ))),
            Written::List(hosts) => {
                let hosts = hosts
                    .iter()
                    .map(|host| host.parse().map_err(D::Error::custom));
                hosts.collect::<Result<_, _>>().map(Self::Only)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The smallest component.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn manifest(version: &str) -> Manifest {
        serde_json::from_value(json!({
            "name": "acme/geocode",
            "version": version,
            "capabilities": {"http": ["api.example.com", "*.example.org:8443"]},
            "schema": {"args": {"type": "object", "required": ["city"]}},
        }))
        .unwrap()
    }

    #[test]
    fn a_component_carries_its_manifest() {
        assert!(Manifest::of(EMPTY).unwrap().is_none());
        let first = manifest("1.0.0").write_into(EMPTY).unwrap();
        assert_eq!(Manifest::of(&first).unwrap(), Some(manifest("1.0.0")));
        let second = manifest("1.1.0").write_into(&first).unwrap();
        assert_eq!(Manifest::of(&second).unwrap(), Some(manifest("1.1.0")));
        assert_eq!(second.len(), first.len(), "the old one is gone");
    }

    #[test]
    fn what_is_no_component_has_no_manifest() {
        for bytes in [
            &b""[..],
            b"\0asm",
            b"\0asm\x01\0\0\0",
            b"\0asm\x0d\0\x01\0\0\xff\xff\xff\xff\x0f",
            b"\0asm\x0d\0\x01\0\0\x05\xff",
        ] {
            assert!(Manifest::of(bytes).is_err(), "{bytes:?}");
            assert!(manifest("1.0.0").write_into(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        let with = |manifest: &str| {
            let mut component = EMPTY.to_vec();
            let section = CustomSection {
                name: SECTION.into(),
                data: manifest.as_bytes().into(),
            };
            section.append_to_component(&mut component);
            Manifest::of(&component).unwrap_err().to_string()
        };
        for (text, told) in [
            ("{", "is no manifest"),
            (
                r#"{"name": "Acme", "version": "1.0.0"}"#,
                "`Acme` is no tool's name",
            ),
            (r#"{"name": "acme/a", "version": "1.0"}"#, "version"),
            (
                r#"{"name": "acme/a", "version": "1.0.0", "capabilities": {"files": true}}"#,
                "`files`",
            ),
            (
                r#"{"name": "acme/a", "version": "1.0.0", "capabilities": {"http": "all"}}"#,
                "neither `any` nor",
            ),
            (
                r#"{"name": "acme/a", "version": "1.0.0", "capabilities": {"http": ["http://a"]}}"#,
                "http://a",
            ),
            (
                r#"{"name": "acme/a", "version": "1.0.0", "schema": {"args": {"type": "text"}}}"#,
                "`schema.args`",
            ),
            (
                r#"{"name": "acme/a", "version": "1.0.0", "schema": {"args": {"$ref": "https://example.com/s.json"}}}"#,
                "`schema.args`",
            ),
        ] {
            let error = with(text);
            assert!(error.contains(told), "{error}\n{told}");
        }
    }
}
