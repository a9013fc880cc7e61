//! Logins that `docker login` and its kin left in a file.

use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::secrets::Secret;

/// The name and the password for a registry, if the file has them. Those that a
/// helper program keeps are not asked for.
pub fn login(registry: &str) -> Option<(String, Secret)> {
    let text = std::fs::read_to_string(file()?).ok()?;
    find(&text, registry)
}

fn file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    let directory = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")))?;
    Some(directory.join("config.json"))
}

fn find(text: &str, registry: &str) -> Option<(String, Secret)> {
    let config: Value = serde_json::from_str(text).ok()?;
    let auths = config["auths"].as_object()?;
    let host = |name: &str| {
        let name = name.trim_start_matches("https://");
        name.split('/').next().unwrap_or_default().to_owned()
    };
    let (_, entry) = auths.iter().find(|(name, _)| host(name) == registry)?;
    let auth = BASE64_STANDARD.decode(entry["auth"].as_str()?).ok()?;
    let auth = String::from_utf8(auth).ok()?;
    let (user, password) = auth.split_once(':')?;
    Some((user.into(), Secret::new(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_found_by_its_registry() {
        let file = r#"{"auths": {
            "registry.example": {"auth": "bmFtZTpwYXNz"},
            "https://old.example/v1/": {"auth": "bmFtZTpwYXNz"},
            "helped.example": {}
        }}"#;
        for registry in ["registry.example", "old.example"] {
            let (user, password) = find(file, registry).unwrap();
            assert_eq!((&*user, password.expose()), ("name", "pass"));
        }
        for registry in ["helped.example", "registry.example:5000", ""] {
            assert!(find(file, registry).is_none(), "{registry}");
        }
        assert!(find("", "registry.example").is_none());
    }
}
