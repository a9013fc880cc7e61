//! What the machine and the configuration give.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::geteuid;

use super::super::limits::files_wanted;
use super::super::local::LocalOptions;
use super::Found;
use crate::app::ServiceLimits;

/// Where the configuration is from; a file with mistakes has been refused by now.
pub(super) fn configuration(file: Option<&Path>) -> String {
    match file {
        Some(file) => format!("{}, the environment and flags", file.display()),
        None => "the environment and flags, no file".into(),
    }
}

/// What lies there is run as machine code.
pub(super) fn cache(local: &LocalOptions) -> Found {
    let settings = local.workers().map_err(|error| format!("{error:#}"))?;
    let directory = settings.cache_dir;
    let shown = directory.display();
    let wrong = |error: std::io::Error| format!("{shown}: {error}");
    std::fs::create_dir_all(&directory).map_err(wrong)?;
    let metadata = directory.symlink_metadata().map_err(wrong)?;
    let mode = metadata.mode() & 0o777;
    if metadata.uid() != geteuid().as_raw() {
        return Err(format!(
            "{shown} belongs to account {}; chown it to {}",
            metadata.uid(),
            geteuid()
        ));
    }
    if mode & 0o022 != 0 {
        return Err(format!(
            "others can write to {shown} (mode {mode:04o}); chmod 700 {shown}"
        ));
    }
    tempfile::tempfile_in(&directory).map_err(wrong)?;
    Ok(format!("{shown} can be written by this account alone"))
}

/// Each connection is one.
pub(super) fn open_files() -> Found {
    let limit = getrlimit(Resource::RLIMIT_NOFILE);
    let (_, hard) = limit.map_err(|error| error.to_string())?;
    let wanted = files_wanted(&ServiceLimits::default());
    match hard >= wanted {
        true => Ok(format!("{hard} at most")),
        false => Err(format!(
            "{hard} at most, and as many connections as there may be need {wanted}; raise \
             `ulimit -n`, or LimitNOFILE of the service"
        )),
    }
}
