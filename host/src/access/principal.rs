use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Role;
use crate::store::DEFAULT_TENANT;

/// Who calls.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Principal {
    /// The tenant that it belongs to: it sees nothing of any other.
    pub tenant: String,
    /// What it may do there.
    pub role: Role,
    /// Its name: `key:NAME`, the `sub` of a token, `local`.
    pub subject: String,
    /// The playbooks that it may see and run, as paths or, with a `/` at the end, as
    /// what paths begin with; all of them if there is no list.
    #[schema(value_type = Option<Vec<String>>)]
    pub paths: Option<Arc<[String]>>,
    /// How it showed who it is.
    #[serde(rename = "auth")]
    pub method: Method,
    /// Until when that holds.
    pub expires_at: Option<DateTime<Utc>>,
}

/// How a caller showed who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Not at all: the server is open to this machine.
    Open,
    /// By an API key.
    ApiKey,
    /// By a token of the identity provider.
    Oidc,
    /// By being this very process.
    Local,
}

impl Principal {
    /// Whoever reaches a server that asks nobody.
    #[must_use]
    pub fn open() -> Self {
        Self {
            tenant: DEFAULT_TENANT.into(),
            role: Role::Admin,
            subject: "local".into(),
            paths: None,
            method: Method::Open,
            expires_at: None,
        }
    }

    /// The program itself, for its operator.
    #[must_use]
    pub fn local() -> Self {
        Self {
            method: Method::Local,
            ..Self::open()
        }
    }

    /// Whether it may see and use the playbook of this path.
    #[must_use]
    pub fn may_use(&self, path: &str) -> bool {
        self.paths.as_deref().is_none_or(|paths| {
            paths
                .iter()
                .any(|p| path == p || p.ends_with('/') && path.starts_with(p.as_str()))
        })
    }

    /// Its list of paths, for the store.
    #[must_use]
    pub fn paths(&self) -> Option<&[String]> {
        self.paths.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_paths_holds_for_them_and_below_slashes() {
        let principal = Principal {
            paths: Some(["a/b".to_owned(), "c/".to_owned()].into()),
            ..Principal::open()
        };
        let may: Vec<bool> = ["a/b", "a/bc", "a/b/c", "c/", "c/d/e", "c", "cd"]
            .iter()
            .map(|path| principal.may_use(path))
            .collect();
        assert_eq!(may, [true, false, false, true, true, false, false]);
        assert!(Principal::open().may_use("anything"));
    }
}
