//! Tells what this program wrote into its cache from what came there otherwise.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tempfile::NamedTempFile;
use uuid::Uuid;

const KEY_FILE: &str = "seal.key";
const KEY_BYTES: usize = 32;

/// Seals files with a key that only this user can read.
pub(super) struct Sealer {
    key: [u8; KEY_BYTES],
}

impl Sealer {
    /// Reads the key of the cache in `dir`, or makes one.
    ///
    /// # Errors
    /// If the key can't be read or made, or others can.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(KEY_FILE);
        let context = || format!("can't use {}; remove it to start anew", path.display());
        if !path.try_exists().with_context(context)? {
            let mut part = NamedTempFile::new_in(dir).with_context(context)?;
            part.write_all(Uuid::new_v4().as_bytes())?;
            part.write_all(Uuid::new_v4().as_bytes())?;
            part.as_file().sync_all()?;
            // Another process may have been faster: then its key is the one.
            let _ = part.persist_noclobber(&path);
        }
        let mut key = [0; KEY_BYTES];
        let mut file = own_file(&path, 0o077).with_context(context)?;
        file.read_exact(&mut key).with_context(context)?;
        Ok(Self { key })
    }

    /// Writes the seal of a file beside it.
    ///
    /// # Errors
    /// If it can't be written.
    pub(super) fn seal(&self, path: &Path, content: &mut File) -> anyhow::Result<()> {
        let seal = self.mac(path, content)?.finalize().into_bytes();
        let dir = path.parent().context("a file lies in a directory")?;
        let mut part = NamedTempFile::new_in(dir)?;
        part.write_all(&seal)?;
        part.persist(seal_of(path))?;
        Ok(())
    }

    /// Whether a file's seal holds.
    ///
    /// # Errors
    /// Why it does not.
    pub(super) fn check(&self, path: &Path) -> anyhow::Result<()> {
        let mut seal = Vec::new();
        own_file(&seal_of(path), 0o022)
            .context("it has no seal")?
            .take(1000)
            .read_to_end(&mut seal)?;
        let mut content = own_file(path, 0o022)?;
        self.mac(path, &mut content)?
            .verify_slice(&seal)
            .map_err(|_| anyhow::anyhow!("its seal does not hold"))
    }

    /// The name is sealed too: it says which component's code this is.
    fn mac(&self, path: &Path, content: &mut File) -> anyhow::Result<Hmac<Sha256>> {
        let name = path.file_name().context("a file has a name")?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)?;
        mac.update(name.as_encoded_bytes());
        mac.update(b"\0");
        content.rewind()?;
        let mut piece = vec![0; 1 << 20];
        loop {
            match content.read(&mut piece)? {
                0 => return Ok(mac),
                read => mac.update(&piece[..read]),
            }
        }
    }
}

fn seal_of(path: &Path) -> PathBuf {
    path.with_extension("seal")
}

/// Opens a file that belongs to this user, is no link, and that others can't use
/// in the ways of `mode`.
fn own_file(path: &Path, mode: u32) -> anyhow::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        bail!("it is no file");
    }
    if meta.uid() != nix::unistd::geteuid().as_raw() || meta.permissions().mode() & mode != 0 {
        bail!("it is not this user's alone");
    }
    Ok(file)
}

/// Removes a file whose seal does not hold, and the seal.
pub(super) fn remove(path: &Path) {
    for path in [path, &seal_of(path)] {
        let _ = fs::remove_file(path);
    }
}
