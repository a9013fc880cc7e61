//! Where noetl keeps what is its own: the embedded database, the master key.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::failure::Failure;

/// `NOETL_DATA_DIR`, or where the system keeps such things: `/var/lib/noetl` for
/// root, else `$XDG_DATA_HOME/noetl` or `~/.local/share/noetl`.
///
/// # Errors
/// None of these variables is set.
pub fn default() -> anyhow::Result<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    if let Some(directory) = set("NOETL_DATA_DIR") {
        return Ok(directory);
    }
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/noetl"));
    }
    if let Some(data) = set("XDG_DATA_HOME") {
        return Ok(data.join("noetl"));
    }
    let home = set("HOME").context("there is no HOME to keep data in; set NOETL_DATA_DIR")?;
    Ok(home.join(".local/share/noetl"))
}

/// Makes the directory if it is not there. PostgreSQL's account must be able to
/// enter it even if root's umask would keep it out.
///
/// # Errors
/// The file system refuses.
pub fn make(directory: &Path) -> anyhow::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)))
        .map_err(|error| {
            Failure::new(format!(
                "cannot make the data directory {}: {error}",
                directory.display()
            ))
            .hint("set NOETL_DATA_DIR to another one")
            .into()
        })
}
