//! The master key, which stored credentials are encrypted with: from the
//! environment, from a file that was named, or from a file that is made once.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use nix::libc;

use super::failure::Failure;
use super::{data_directory, environment};
use crate::secrets::{KeyRing, MasterKey, Secret};

/// How to make a key.
const MAKE: &str = "`head -c 32 /dev/urandom | base64` makes one";
/// The name of the file that is made.
const DEFAULT_NAME: &str = "master.key";
/// Bytes of a key file, at most.
const MAX_BYTES: u64 = 16 << 10;

/// Where the master key comes from.
#[derive(Debug, Clone, Args)]
pub struct MasterKeyOption {
    /// The key that credentials are encrypted with: 32 bytes in base64, older keys on further lines [default: the variable NOETL_MASTER_KEY, or else a file in the data directory, made if it is missing]
    #[arg(long, env = "NOETL_MASTER_KEY_FILE", value_name = "FILE")]
    master_key_file: Option<PathBuf>,
}

/// The master keys and where they came from.
#[derive(Debug)]
pub struct MasterKeys {
    /// The keys, the newest first.
    pub keys: KeyRing,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Environment,
    File(PathBuf),
}

impl MasterKeyOption {
    /// Where the keys are, without making one.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn examine(&self) -> Result<String, String> {
        let examine = || {
            if self.master_key_file.is_none() && environment::master_key().is_none() {
                let file = data_directory::default()?.join(DEFAULT_NAME);
                if !file.try_exists()? {
                    return Ok(format!(
                        "none yet; the server makes {} at its first start",
                        file.display()
                    ));
                }
            }
            let keys = self.load(&|_| ())?;
            anyhow::Ok(format!("{}, in {}", keys.keys.newest().id(), keys.place()))
        };
        examine().map_err(|error| format!("{error:#}"))
    }

    /// Reads the keys, or makes one if none is named. `say` is told where it is.
    ///
    /// # Errors
    /// They can't be read, are no keys, or others could have read them.
    pub fn load(&self, say: &dyn Fn(&str)) -> anyhow::Result<MasterKeys> {
        let (keys, source) = match (environment::master_key(), &self.master_key_file) {
            (Some(_), Some(file)) => {
                return Err(Failure::usage(format!(
                    "two master keys are given: {} and the file {}",
                    environment::MASTER_KEY,
                    file.display()
                ))
                .hint("give one of them; it may hold several keys, the newest first")
                .into());
            }
            (Some(text), None) => (parse(text, environment::MASTER_KEY)?, Source::Environment),
            (None, Some(file)) => (read(file)?, Source::File(file.clone())),
            (None, None) => {
                let file = default_file()?;
                say(&format!(
                    "credentials are encrypted with the key in {}: back it up, without it they are lost",
                    file.display()
                ));
                (read(&file)?, Source::File(file))
            }
        };
        Ok(MasterKeys { keys, source })
    }
}

impl MasterKeys {
    /// Makes a new key and keeps it where the others are, before them.
    ///
    /// # Errors
    /// That place can't be written.
    pub fn add_new(self) -> anyhow::Result<MasterKeys> {
        let first = self.keys.newest().id();
        let by_hand = |what: String, place: &str| {
            Failure::new(what).hint(format!(
                "put the new key before the old one {place}; {MAKE}"
            ))
        };
        let Source::File(file) = &self.source else {
            let what = format!("all credentials are encrypted with the key {first} already");
            return Err(by_hand(what, "in NOETL_MASTER_KEY, with a space between them").into());
        };
        let mut keys = vec![MasterKey::random()];
        keys.extend_from_slice(self.keys.keys());
        let file = file.canonicalize()?;
        write(&file, &keys, true).map_err(|error| {
            let what = format!("cannot add a key to {}: {error:#}", file.display());
            by_hand(what, "in that file, on a line of its own")
        })?;
        Ok(MasterKeys {
            keys: KeyRing::new(keys).expect("there are two at least"),
            source: self.source,
        })
    }

    /// Where they are, for people.
    pub fn place(&self) -> String {
        match &self.source {
            Source::Environment => environment::MASTER_KEY.into(),
            Source::File(file) => file.display().to_string(),
        }
    }
}

/// The file in the data directory, which is made if it is missing.
fn default_file() -> anyhow::Result<PathBuf> {
    let directory = data_directory::default()?;
    let made = || {
        data_directory::make(&directory)?;
        let file = directory.join(DEFAULT_NAME);
        if !file.try_exists()? {
            write(&file, &[MasterKey::random()], false)?;
        }
        anyhow::Ok(file)
    };
    made().map_err(|error| {
        Failure::new(format!("cannot make a master key: {error:#}"))
            .hint(format!("give one with NOETL_MASTER_KEY; {MAKE}"))
            .into()
    })
}

/// Reads a key file, unless other accounts can.
fn read(file: &Path) -> anyhow::Result<KeyRing> {
    let shown = file.display();
    // Not waiting for a writer, should it be a pipe.
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(file)
        .map_err(|error| {
            Failure::new(format!("cannot read the master key in {shown}: {error}")).hint(
                "if it is lost, see docs/operations.md, \"Credentials\"; with a new one, \
                 stored credentials can't be read",
            )
        })?;
    let metadata = opened.metadata()?;
    if !metadata.is_file() {
        return Err(
            Failure::new(format!("the master key's {shown} is not a file"))
                .hint("give the key itself with NOETL_MASTER_KEY")
                .into(),
        );
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::new(format!(
            "other accounts can read or change the master key in {shown} (mode {mode:04o})"
        ))
        .hint(format!(
            "chmod 600 {shown}; if somebody may have read it, change the key with 'noetl credential rotate-key'"
        ))
        .into());
    }
    let (owner, own) = (metadata.uid(), nix::unistd::geteuid().as_raw());
    if owner != own {
        return Err(Failure::new(format!(
            "the master key in {shown} belongs to account {owner}, and noetl runs as {own}"
        ))
        .hint(format!("chown {own} {shown}"))
        .into());
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    opened
        .take(MAX_BYTES)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read the master key in {shown}"))?;
    parse(&Secret::new(text.as_str()), &shown.to_string())
}

/// Keys with space or line ends between them.
fn parse(text: &Secret, place: &str) -> anyhow::Result<KeyRing> {
    let keys: Option<Vec<MasterKey>> = text
        .expose()
        .split_ascii_whitespace()
        .map(MasterKey::parse)
        .collect();
    keys.and_then(KeyRing::new).ok_or_else(|| {
        Failure::new(format!(
            "what is in {place} is not a master key: 32 bytes in base64"
        ))
        .hint(MAKE)
        .into()
    })
}

/// Writes a key file as a whole, for this account alone. What another process has
/// put there meanwhile stays, unless it is to be replaced.
fn write(file: &Path, keys: &[MasterKey], replace: bool) -> anyhow::Result<()> {
    let directory = file.parent().context("the file is in no directory")?;
    let mut new = tempfile::Builder::new()
        .prefix(".master.key.")
        .tempfile_in(directory)
        .with_context(|| format!("cannot write in {}", directory.display()))?;
    for key in keys {
        writeln!(new, "{}", key.to_text().expose())?;
    }
    new.as_file().sync_all()?;
    let written = match replace {
        true => new.persist(file).map(drop),
        false => new.persist_noclobber(file).map(drop),
    };
    match written {
        Err(error) if !replace && error.error.kind() == std::io::ErrorKind::AlreadyExists => {}
        written => written.with_context(|| format!("cannot write {}", file.display()))?,
    }
    File::open(directory)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    fn failure(result: anyhow::Result<KeyRing>) -> String {
        format!("{:#}", result.unwrap_err())
    }

    #[test]
    fn a_made_key_is_for_its_owner_alone_and_is_not_replaced() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("master.key");
        let (one, two) = (MasterKey::random(), MasterKey::random());
        write(&file, std::slice::from_ref(&one), false).unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        write(&file, std::slice::from_ref(&two), false).unwrap();
        assert_eq!(read(&file).unwrap().ids(), [one.id()]);
        write(&file, &[two.clone(), one.clone()], true).unwrap();
        assert_eq!(read(&file).unwrap().ids(), [two.id(), one.id()]);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_could_have_read_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("key");
        write(&file, &[MasterKey::random()], false).unwrap();
        for mode in [0o644, 0o640, 0o604, 0o620] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let error = failure(read(&file));
            assert!(error.contains(&format!("(mode {mode:04o})")), "{error}");
        }
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
        read(&file).unwrap();
        // Only root can give a file away.
        if nix::unistd::geteuid().is_root() {
            chown(&file, Some(65534), None).unwrap();
            let error = failure(read(&file));
            assert!(error.contains("belongs to account 65534"), "{error}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("key");
        for text in [
            "",
            " \n",
            "canary",
            &format!("{} canary", "A".repeat(43) + "="),
        ] {
            std::fs::write(&file, text).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
            let error = failure(read(&file));
            assert!(error.contains("is not a master key"), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
        assert!(failure(read(&place.path().join("none"))).contains("cannot read the master key"));
        assert!(failure(read(place.path())).contains("is not a file"));
        let pipe = place.path().join("pipe");
        let made = std::process::Command::new("mkfifo")
            .args(["-m", "600"])
            .arg(&pipe)
            .status();
        assert!(made.unwrap().success());
        assert!(failure(read(&pipe)).contains("is not a file"));
    }
}
