use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use url::Url;
use uuid::Uuid;

use crate::limits::Limits;
use crate::tool::Name;
use crate::tool::signature::PublicKey;

/// The grant of one tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Tools, by name.
    pub tools: Allowed,
    /// Credentials, by alias; they are always the tenant's own.
    pub credentials: Allowed,
    /// Hosts that a tool may talk to.
    pub hosts: Vec<HostPattern>,
    /// If there are any, the tools that the tenant pushes have to be signed with one.
    pub tool_keys: Vec<PublicKey>,
    /// What each of the tenant's steps may use.
    pub limits: Limits,
}

/// The tools that every server has.
pub const BUILT_IN_TOOLS: [&str; 5] = ["python", "postgres", "http", "jwt", "transform"];

/// Stands for every tool that the tenant has pushed; `acme/*` for those of a namespace.
const PUSHED_TOOLS: &str = "*/*";

impl Grant {
    /// What a server without a grants file gives: the built-in tools and those that
    /// the tenant pushes, all of the tenant's own credentials, the default limits.
    #[must_use]
    pub fn built_in() -> Self {
        let tools = BUILT_IN_TOOLS.into_iter().chain([PUSHED_TOOLS]);
        Self {
            tools: Allowed::Only(tools.map(Into::into).collect()),
            credentials: Allowed::All,
            ..Self::nothing()
        }
    }

    /// Whether the tool is granted.
    #[must_use]
    pub fn allows_tool(&self, name: &Name) -> bool {
        self.tools.allows(name.as_str())
            || name.namespace().is_some_and(|namespace| {
                self.tools.allows(PUSHED_TOOLS) || self.tools.allows(&format!("{namespace}/*"))
            })
    }

    /// Nothing at all.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            tools: Allowed::none(),
            credentials: Allowed::none(),
            hosts: Vec::new(),
            tool_keys: Vec::new(),
            limits: Limits::default(),
        }
    }
}

/// Names that are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Every one that there is.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Allowed {
    /// None.
    #[must_use]
    pub const fn none() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Whether `name` is allowed.
    #[must_use]
    pub fn allows(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(name),
        }
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Only(names) if names.is_empty())
    }
}

/// A step that asks for something, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its tenant.
    pub tenant: String,
    /// Its playbook's path.
    pub playbook: String,
    /// Its name.
    pub step: String,
    /// The execution that it belongs to, if it runs already.
    pub execution_id: Option<Uuid>,
}

impl Caller {
    /// Logs that the step was refused what it asked for: `name`, which is a
    /// `tool`, a `credential`, a `host`, a `limit`. Names may come from a guest, so they are
    /// cut, and written with control characters escaped.
    pub fn denied(&self, capability: &str, name: &str) {
        let name: String = name.chars().take(100).collect();
        tracing::warn!(
            target: "noetl::denied",
            tenant = ?self.tenant,
            playbook = ?self.playbook,
            step = ?self.step,
            execution_id = self.execution_id.map(tracing::field::display),
            capability,
            name = ?name,
            "denied"
        );
    }
}

/// A host that may be talked to: `example.com`, `example.com:8443` or
/// `*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// The name in lower case, or what follows `*.`.
    pub host: String,
    /// Whether it means the names below `host`, and not `host` itself.
    pub subdomains: bool,
    /// Only this port; otherwise that of the protocol.
    pub port: Option<u16>,
}

impl HostPattern {
    /// Whether it means the host and the port that a URL names.
    #[must_use]
    pub fn covers(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else {
            return false;
        };
        let is_host = match self.subdomains {
            false => host == self.host,
            true => host
                .strip_suffix(&self.host)
                .is_some_and(|below| below.len() > 1 && below.ends_with('.')),
        };
        is_host && self.has_port_of(url)
    }

    /// Whether it means the port that a URL names.
    #[must_use]
    pub fn has_port_of(&self, url: &Url) -> bool {
        match self.port {
            Some(port) => url.port_or_known_default() == Some(port),
            // A URL tells its port unless it is the protocol's own.
            None => url.port().is_none(),
        }
    }

    /// The address, if it is one and no name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match url::Host::parse(&self.host) {
            Ok(url::Host::Ipv4(address)) => Some(address.into()),
            Ok(url::Host::Ipv6(address)) => Some(address.into()),
            _ => None,
        }
    }
}

impl std::fmt::Display for HostPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let below = if self.subdomains { "*." } else { "" };
        write!(f, "{below}{}", self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = |what: &str| Err(format!("`{text}` {what}"));
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                match port.parse::<u16>() {
                    Ok(port) if port > 0 => (host, Some(port)),
                    _ => return fault("has no port from 1 to 65535 after its colon"),
                }
            }
            _ => (text, None),
        };
        let (host, subdomains) = match host.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (host, false),
        };
        if host.contains('*') {
            return fault("has a `*` that is not the first label, as in `*.example.com`");
        }
        match url::Host::parse(host) {
            Ok(url::Host::Domain(host)) => Ok(Self {
                host,
                subdomains,
                port,
            }),
            Ok(address) if !subdomains => Ok(Self {
                host: address.to_string(),
                subdomains,
                port,
            }),
            _ => {
                fault("is not a host, such as `example.com`, `example.com:8443` or `*.example.com`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_names_and_nothing_beside() {
        let covers = |pattern: &str, url: &str| {
            let pattern: HostPattern = pattern.parse().unwrap();
            pattern.covers(&Url::parse(url).unwrap())
        };
        for (pattern, url) in [
            ("example.com", "https://example.com/a"),
            ("example.com", "http://example.com:80/"),
            ("Example.COM", "https://EXAMPLE.com/"),
            ("example.com:8443", "https://example.com:8443/"),
            ("example.com:443", "https://example.com/"),
            ("*.example.com", "https://a.example.com/"),
            ("*.example.com", "https://a.b.example.com/"),
            ("*.example.com:81", "http://a.example.com:81/"),
            ("bücher.example", "https://xn--bcher-kva.example/"),
            ("127.0.0.1", "http://0x7f.1/"),
            ("127.0.0.1", "http://2130706433/"),
            ("127.0.0.1", "http://127.1/"),
            ("[::1]:8080", "http://[0:0::1]:8080/"),
        ] {
            assert!(covers(pattern, url), "{pattern} {url}");
        }
        for (pattern, url) in [
            ("example.com", "https://example.com:8443/"),
            ("example.com", "http://example.com:443/"),
            ("example.com", "https://a.example.com/"),
            ("example.com", "https://example.com.evil.example/"),
            ("example.com", "https://example.com./"),
            ("example.com:443", "http://example.com/"),
            ("*.example.com", "https://example.com/"),
            ("*.example.com", "https://.example.com/"),
            ("*.example.com", "https://aexample.com/"),
            ("*.example.com", "https://a.example.com:8443/"),
            ("localhost", "http://127.0.0.1/"),
            ("localhost", "http://localhost./"),
            ("127.0.0.1", "http://localhost/"),
            ("127.0.0.1", "http://[::ffff:127.0.0.1]/"),
            ("example.com", "data:example.com"),
        ] {
            assert!(!covers(pattern, url), "{pattern} {url}");
        }
    }
}
