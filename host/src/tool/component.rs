use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload};

use super::ManifestError;

/// What a component asks its host for, and what it offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// Interfaces such as `noetl:tool/log@0.2.0`.
    pub imports: Vec<String>,
    /// Functions such as `run`, and interfaces.
    pub exports: Vec<String>,
}

impl Interfaces {
    /// Those of the outermost component.
    ///
    /// # Errors
    /// If it is no component.
    pub fn of(component: &[u8]) -> Result<Self, ManifestError> {
        if !Parser::is_component(component) {
            return Err(ManifestError::Component);
        }
        let broken = |_| ManifestError::Component;
        let mut found = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(broken)? {
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let name = import.map_err(broken)?.name.name;
                        // Types are imported too, by plain names.
                        if name.contains(':') {
                            found.imports.push(name.into());
                        }
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        found.exports.push(export.map_err(broken)?.name.name.into());
                    }
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Ok(found)
    }

    /// Whether it imports this interface of `noetl:tool`, in any version.
    #[must_use]
    pub fn imports_of_tool(&self, interface: &str) -> bool {
        self.tool_interfaces().any(|(name, _)| name == interface)
    }

    /// The versions of `noetl:tool` that it was built against; usually one.
    #[must_use]
    pub fn tool_versions(&self) -> Vec<&str> {
        let mut versions: Vec<&str> = self.tool_interfaces().map(|(_, version)| version).collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    fn tool_interfaces(&self) -> impl Iterator<Item = (&str, &str)> {
        let imports = self.imports.iter();
        imports.filter_map(|name| name.strip_prefix("noetl:tool/")?.split_once('@'))
    }
}

/// `sha256:` and the digest of a component's bytes, in hex.
#[must_use]
pub fn digest(component: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(component)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_s_imports_and_exports_are_found() {
        let tool = include_bytes!("../../../tests/components/tool-0.1.0.wasm");
        let found = Interfaces::of(tool).unwrap();
        assert_eq!(found.tool_versions(), ["0.1.0"]);
        assert!(found.imports_of_tool("postgres") && !found.imports_of_tool("http"));
        assert_eq!(found.exports, ["run"]);
    }

    #[test]
    fn what_is_no_component_has_none() {
        for bytes in [&b""[..], b"\0asm\x01\0\0\0", b"\0asm\x0d\0\x01\0\x07\xff"] {
            assert!(Interfaces::of(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn the_digest_is_that_of_the_bytes() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b""), empty);
    }
}
