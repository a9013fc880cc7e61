//! The system account that runs PostgreSQL, which refuses to run as root.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use nix::unistd::{User, geteuid};

use crate::cli::failure::Failure;

/// An account to change to. Only root has one: anybody else runs PostgreSQL as
/// themselves.
#[derive(Debug, Clone)]
pub struct Account {
    name: String,
    uid: u32,
    gid: u32,
}

/// The account for PostgreSQL, or none where this process isn't root.
///
/// # Errors
/// This process is root and the machine has neither `postgres` nor `nobody`.
pub fn find() -> anyhow::Result<Option<Account>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name).context("cannot read the system's accounts")? {
            return Ok(Some(Account {
                name: user.name,
                uid: user.uid.as_raw(),
                gid: user.gid.as_raw(),
            }));
        }
    }
    Err(Failure::new(
        "PostgreSQL refuses to run as root, and there is no account 'postgres' or 'nobody' to run it as",
    )
    .hint("make one, or give --database-url")
    .into())
}

/// Makes `command` run as the account, with none of root's groups.
pub fn run_as(command: &mut Command, account: Option<&Account>) {
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
}

/// Gives `path` to the account and lets nobody else in.
///
/// # Errors
/// The file system refuses.
pub fn give(path: &Path, account: Option<&Account>, mode: u32) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let context = || format!("cannot set owner and mode of {}", path.display());
    if let Some(account) = account {
        std::os::unix::fs::chown(path, Some(account.uid), Some(account.gid))
            .with_context(context)?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).with_context(context)
}

/// Checks that the account can write in `directory`, parents included.
///
/// # Errors
/// It can't; the message names the account and says what to do.
pub fn check_reach(directory: &Path, account: Option<&Account>) -> anyhow::Result<()> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "test -w \"$1\" && test -x \"$1\"", "sh"])
        .arg(directory)
        .current_dir("/");
    run_as(&mut command, account);
    if command.status().context("cannot run /bin/sh")?.success() {
        return Ok(());
    }
    let who = account.map_or("this account", |account| account.name.as_str());
    Err(Failure::new(format!(
        "PostgreSQL runs as {who}, which cannot write in {}",
        directory.display()
    ))
    .hint("set NOETL_DATA_DIR to a directory whose parents everybody may enter, or give --database-url")
    .into())
}
