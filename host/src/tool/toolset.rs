use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use semver::Version;
use serde_json::Value;

use super::schema::Schema;
use super::{Capabilities, Manifest, Name, Pin, Reference};

/// A component that playbooks can use.
#[derive(Debug)]
pub struct Tool {
    /// Its name in playbooks.
    pub name: Name,
    /// Its version, if it says one.
    pub version: Option<Version>,
    /// `sha256:` and the digest of the component.
    pub digest: String,
    /// A signature of the digest, if it came with one.
    pub signature: Option<String>,
    /// What it says of itself; of the oldest components nothing.
    pub manifest: Option<Manifest>,
    capabilities: Option<Arc<Capabilities>>,
    /// Whether a tenant pushed it; otherwise the server came with it.
    pub pushed: bool,
    /// Whether steps can run it now: it is compiled and loaded here.
    pub loaded: bool,
    config: OnceLock<Option<Schema>>,
    args: OnceLock<Option<Schema>>,
}

impl Tool {
    /// A tool that the server came with.
    #[must_use]
    pub fn built_in(name: Name, digest: String, manifest: Option<Manifest>) -> Self {
        Self {
            version: manifest.as_ref().map(|manifest| manifest.version.clone()),
            capabilities: manifest
                .as_ref()
                .map(|manifest| Arc::new(manifest.capabilities.clone())),
            name,
            digest,
            signature: None,
            manifest,
            pushed: false,
            loaded: true,
            config: OnceLock::new(),
            args: OnceLock::new(),
        }
    }

    /// A tool that a tenant pushed.
    #[must_use]
    pub fn pushed(
        manifest: Manifest,
        digest: String,
        signature: Option<String>,
        loaded: bool,
    ) -> Self {
        Self {
            signature,
            pushed: true,
            loaded,
            ..Self::built_in(manifest.name.clone(), digest, Some(manifest))
        }
    }

    /// What its manifest asks for, if it has one.
    #[must_use]
    pub fn capabilities(&self) -> Option<Arc<Capabilities>> {
        self.capabilities.clone()
    }

    /// What the sandbox calls it by.
    #[must_use]
    pub fn key(&self) -> &str {
        match self.pushed {
            true => &self.digest,
            false => self.name.as_str(),
        }
    }

    /// What a step's own fields for the tool have to be.
    #[must_use]
    pub fn config(&self) -> Option<&Schema> {
        self.schema(&self.config, |m| m.schema.config.as_ref())
    }

    /// What a step's `args` have to be.
    #[must_use]
    pub fn args(&self) -> Option<&Schema> {
        self.schema(&self.args, |m| m.schema.args.as_ref())
    }

    fn schema<'s>(
        &'s self,
        cell: &'s OnceLock<Option<Schema>>,
        of: impl Fn(&Manifest) -> Option<&Value>,
    ) -> Option<&'s Schema> {
        let compile = || Schema::compile(self.manifest.as_ref().and_then(of)?).ok();
        cell.get_or_init(compile).as_ref()
    }

    fn is(&self, pin: &Pin) -> bool {
        match pin {
            Pin::Version(version) => self.version.as_ref() == Some(version),
            Pin::Digest(digest) => self.digest.strip_prefix("sha256:") == Some(digest),
        }
    }
}

/// The tools that the playbooks of one tenant can use.
#[derive(Debug, Clone, Default)]
pub struct Toolset {
    /// Of each name, the newest last.
    tools: BTreeMap<Name, Vec<Arc<Tool>>>,
}

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// There is no tool of this name.
    #[error("there is no tool `{0}`")]
    Tool(Name),
    /// The tool has no such version.
    #[error("the tool `{name}` has no version `{pin}`; there are: {}", versions.join(", "))]
    Version {
        /// Which tool.
        name: Name,
        /// What was asked for.
        pin: String,
        /// What there is, the newest last.
        versions: Vec<String>,
    },
}

impl FromIterator<Arc<Tool>> for Toolset {
    fn from_iter<T: IntoIterator<Item = Arc<Tool>>>(tools: T) -> Self {
        let mut set = Self::default();
        for tool in tools {
            set.tools.entry(tool.name.clone()).or_default().push(tool);
        }
        for versions in set.tools.values_mut() {
            versions.sort_by(|a, b| a.version.cmp(&b.version));
        }
        set
    }
}

impl Toolset {
    /// Tools of which only the names are known; what is no name is left out.
    pub fn named<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let names = names
            .into_iter()
            .filter_map(|name| name.as_ref().parse().ok());
        names
            .map(|name| Arc::new(Tool::built_in(name, String::new(), None)))
            .collect()
    }

    /// The tool that a playbook names. Without a pin that is the newest that is no
    /// pre-release and runs already, or else the newest.
    ///
    /// # Errors
    /// If there is none.
    pub fn find(&self, reference: &Reference) -> Result<&Arc<Tool>, Missing> {
        let Reference { name, pin } = reference;
        let missing = || Missing::Tool(name.clone());
        let versions = self.tools.get(name).ok_or_else(missing)?;
        let Some(pin) = pin else {
            let serves = |tool: &&Arc<Tool>| {
                tool.loaded && tool.version.as_ref().is_none_or(|v| v.pre.is_empty())
            };
            let newest = versions.iter().rfind(serves);
            return newest.or(versions.last()).ok_or_else(missing);
        };
        let found = versions.iter().find(|tool| tool.is(pin));
        found.ok_or_else(|| Missing::Version {
            name: name.clone(),
            pin: pin.to_string(),
            versions: versions
                .iter()
                .filter_map(|tool| Some(tool.version.as_ref()?.to_string()))
                .collect(),
        })
    }

    /// The names of the tools, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.keys().map(Name::as_str)
    }

    /// Every version of every tool.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(version: &str, loaded: bool) -> Arc<Tool> {
        let manifest = json!({"name": "acme/geo", "version": version});
        let manifest = serde_json::from_value(manifest).unwrap();
        let digest = format!("sha256:{}", hex::encode([version.len() as u8; 32]));
        Arc::new(Tool::pushed(manifest, digest, None, loaded))
    }

    #[test]
    fn a_reference_finds_the_newest_that_runs_or_what_it_is_pinned_to() {
        let tools = [
            tool("1.10.0", true),
            tool("1.9.0", true),
            tool("2.0.0-rc.1", true),
            tool("1.11.0", false),
        ];
        let set: Toolset = tools.into_iter().collect();
        let version = |reference: &str| {
            let found = set.find(&reference.parse().unwrap());
            found.map(|tool| tool.version.as_ref().unwrap().to_string())
        };
        assert_eq!(version("acme/geo").unwrap(), "1.10.0");
        assert_eq!(version("acme/geo@1.9.0").unwrap(), "1.9.0");
        assert_eq!(version("acme/geo@1.11.0").unwrap(), "1.11.0");
        let digest = hex::encode([5; 32]);
        assert_eq!(
            version(&format!("acme/geo@sha256:{digest}")).unwrap(),
            "1.9.0"
        );
        assert_eq!(
            version("acme/geo@3.0.0").unwrap_err().to_string(),
            "the tool `acme/geo` has no version `3.0.0`; there are: 1.9.0, 1.10.0, 1.11.0, 2.0.0-rc.1"
        );
        assert!(version("acme/other").is_err());
    }
}
