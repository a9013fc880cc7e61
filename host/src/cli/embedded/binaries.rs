//! Finds PostgreSQL's server programs on the machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::cli::failure::Failure;

/// A directory with `initdb`, `pg_ctl` and `postgres` of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    directory: PathBuf,
    /// PostgreSQL's major version.
    pub major: u32,
}

impl Binaries {
    /// The path of a program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// The newest version, or version `wanted`, whose cluster is there already.
///
/// # Errors
/// None is installed, or not the wanted one.
pub fn find(wanted: Option<u32>) -> anyhow::Result<Binaries> {
    let found: Vec<Binaries> = candidates()
        .into_iter()
        .filter(|directory| {
            ["initdb", "pg_ctl", "postgres"]
                .iter()
                .all(|program| directory.join(program).is_file())
        })
        .filter_map(|directory| {
            let major = version(&directory).ok()?;
            Some(Binaries { directory, major })
        })
        .collect();
    let majors: Vec<String> = found
        .iter()
        .map(|binaries| binaries.major.to_string())
        .collect();
    let suitable = found
        .into_iter()
        .filter(|binaries| wanted.is_none_or(|wanted| binaries.major == wanted))
        .max_by_key(|binaries| binaries.major);
    match (suitable, wanted) {
        (Some(binaries), _) => Ok(binaries),
        (None, Some(wanted)) => Err(Failure::new(format!(
            "the embedded database was made by PostgreSQL {wanted}, and this machine has {}",
            if majors.is_empty() { "none".to_string() } else { majors.join(", ") }
        ))
        .hint(format!(
            "install PostgreSQL {wanted}, or move the data directory away to begin with an empty one"
        ))
        .into()),
        (None, None) => Err(Failure::new("PostgreSQL's server programs are not on this machine")
            .hint("install them (Debian: apt-get install postgresql), or give --database-url")
            .into()),
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut directories = Vec::new();
    // Debian keeps the server programs of each version out of PATH.
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        directories.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        directories.push(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim(),
        ));
    }
    if let Some(path) = std::env::var_os("PATH") {
        directories.extend(std::env::split_paths(&path));
    }
    directories
}

fn version(directory: &Path) -> anyhow::Result<u32> {
    let output = Command::new(directory.join("postgres"))
        .arg("--version")
        .output()
        .context("cannot run postgres")?;
    let text = String::from_utf8_lossy(&output.stdout);
    major(&text).with_context(|| format!("not a PostgreSQL version: {text:?}"))
}

/// The major version in `postgres (PostgreSQL) 15.14 (Debian …)` or `17beta1`.
fn major(text: &str) -> Option<u32> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    let end = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(
            major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("something else 9\n"), None);
    }

    #[test]
    fn a_version_that_is_not_here_is_named() {
        let message = find(Some(7)).unwrap_err().to_string();
        assert!(message.contains("made by PostgreSQL 7"), "{message}");
    }
}
