//! What a tenant may use: tools, credentials, hosts and limits. What is not
//! granted is denied.

mod file;
mod model;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use crate::yaml::Diagnostics;
pub use model::{Allowed, BUILT_IN_TOOLS, Caller, Grant, HostPattern};

type Tenants = BTreeMap<String, Arc<Grant>>;

/// The grants of all tenants. They can change while the server runs.
#[derive(Debug)]
pub struct Grants {
    file: Option<PathBuf>,
    tenants: RwLock<Tenants>,
}

/// Why there are no grants.
#[derive(Debug, thiserror::Error)]
pub enum GrantsError {
    /// The file can't be read.
    #[error("can't read the grants file {}: {error}", file.display())]
    Unreadable {
        /// Its name.
        file: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// It has mistakes.
    #[error("the grants file has mistakes:\n{0}")]
    Invalid(Diagnostics),
}

impl Grants {
    /// Without a file, one tenant has what is built in.
    #[must_use]
    pub fn built_in(tenant: &str) -> Self {
        let grant = Arc::new(Grant::built_in());
        Self {
            file: None,
            tenants: RwLock::new([(tenant.to_owned(), grant)].into()),
        }
    }

    /// The grants in a file.
    ///
    /// # Errors
    /// The file can't be read, or has mistakes.
    pub fn read(file: &Path) -> Result<Self, GrantsError> {
        Ok(Self {
            tenants: RwLock::new(read(file)?),
            file: Some(file.to_owned()),
        })
    }

    /// Reads the file again, if there is one.
    ///
    /// # Errors
    /// The file can't be read, or has mistakes; then nothing has changed.
    pub fn reload(&self) -> Result<(), GrantsError> {
        if let Some(file) = &self.file {
            let tenants = read(file)?;
            *self.tenants.write().expect("no panic while held") = tenants;
        }
        Ok(())
    }

    /// The file that they are from.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What a tenant was granted: nothing, if it is not named.
    #[must_use]
    pub fn of(&self, tenant: &str) -> Arc<Grant> {
        let tenants = self.tenants.read().expect("no panic while held");
        match tenants.get(tenant) {
            Some(grant) => Arc::clone(grant),
            None => Arc::new(Grant::nothing()),
        }
    }

    /// The tenants that are named.
    #[must_use]
    pub fn tenants(&self) -> Vec<String> {
        let tenants = self.tenants.read().expect("no panic while held");
        tenants.keys().cloned().collect()
    }
}

fn read(file: &Path) -> Result<Tenants, GrantsError> {
    let text = std::fs::read_to_string(file).map_err(|error| GrantsError::Unreadable {
        file: file.to_owned(),
        error,
    })?;
    file::parse(&file.display().to_string(), &text).map_err(GrantsError::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_file_keeps_the_grants_that_were_good() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("grants.yaml");
        std::fs::write(&file, "tenants: {a: {tools: [python]}}").expect("written");
        let grants = Grants::read(&file).expect("it is right");
        std::fs::write(&file, "tenants: {a: {tools: [}}").expect("written");
        assert!(grants.reload().is_err());
        assert!(grants.of("a").tools.allows("python"));
        std::fs::write(&file, "tenants: {b: {tools: [python]}}").expect("written");
        grants.reload().expect("it is right");
        assert!(!grants.of("a").tools.allows("python"));
        assert!(grants.of("b").tools.allows("python"));
        std::fs::remove_file(&file).expect("removed");
        let error = grants.reload().unwrap_err().to_string();
        assert!(
            error.contains("grants.yaml") && error.contains("can't read"),
            "{error}"
        );
        assert!(grants.of("b").tools.allows("python"));
    }
}
