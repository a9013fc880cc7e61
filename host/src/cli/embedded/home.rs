//! The cluster that is kept from one start to the next.
//!
//! Its directory holds `postgres/` (PostgreSQL's account owns it: the data and
//! the log), `postgres.json` (port and passwords, for noetl's account alone)
//! and two lock files. Starting and stopping hold `start.lock`; whoever uses
//! the cluster holds `use.lock` together with the other users, so that the
//! last one to leave can tell that it is the last. The kernel drops the locks
//! of a process that is killed.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::cluster::{self, Cluster};
use super::roles::Passwords;
use super::{Running, Started, account, binaries};
use crate::cli::data_directory;
use crate::cli::failure::Failure;

#[derive(Serialize, Deserialize)]
struct Memory {
    port: Option<u16>,
    passwords: Passwords,
}

/// One process's use of the cluster.
#[derive(Debug)]
pub struct Use {
    cluster: Cluster,
    start_lock: PathBuf,
    /// Held while the cluster is used.
    use_lock: Option<File>,
}

/// Starts the cluster in `directory`, or joins the one that is running there.
pub fn start(directory: &Path) -> anyhow::Result<Started> {
    data_directory::make(directory)?;
    // PostgreSQL reports its working directory with links resolved.
    let directory = &directory.canonicalize()?;
    let start_lock = directory.join("start.lock");
    let lock = open_lock(&start_lock)?;
    lock.lock()
        .with_context(|| format!("cannot lock {}", start_lock.display()))?;
    let use_lock = open_lock(&directory.join("use.lock"))?;
    use_lock.lock_shared()?;

    let account = account::find()?;
    let place = directory.join("postgres");
    if !place.exists() {
        std::fs::create_dir(&place).with_context(|| format!("cannot make {}", place.display()))?;
        account::give(&place, account.as_ref(), 0o700)?;
    }
    account::check_reach(&place, account.as_ref())?;
    let data = place.join("data");
    let made_by = cluster::made_by(&data);
    let cluster = Cluster {
        binaries: binaries::find(made_by)?,
        account,
        log: place.join("postgres.log"),
        data: data.clone(),
    };

    let memory_file = directory.join("postgres.json");
    let mut memory = match read(&memory_file)? {
        Some(memory) => memory,
        None if made_by.is_some() => {
            return Err(Failure::new(format!(
                "{} is gone, and with it the passwords of the database in {}",
                memory_file.display(),
                data.display()
            ))
            .hint(format!(
                "put it back, or move {} away to begin with an empty database",
                place.display()
            ))
            .into());
        }
        None => {
            let memory = Memory {
                port: None,
                passwords: Passwords::random(),
            };
            write(&memory_file, &memory)?;
            memory
        }
    };
    if made_by.is_none() {
        cluster.init(&memory.passwords.postgres, true)?;
    }
    let running = cluster.running_port()?;
    let port = match running {
        Some(port) => port,
        None => start_on_some_port(&cluster, memory.port)?,
    };
    if memory.port != Some(port) {
        memory.port = Some(port);
        write(&memory_file, &memory)?;
    }
    Ok(Started {
        running: Running::Kept(Use {
            cluster,
            start_lock,
            use_lock: Some(use_lock),
        }),
        port,
        passwords: memory.passwords,
        reused: running.is_some(),
        lock: Some(lock),
    })
}

impl Use {
    /// Leaves the cluster, and stops it if nobody else uses it.
    pub fn end(&mut self) -> anyhow::Result<bool> {
        let Some(use_lock) = self.use_lock.take() else {
            return Ok(false);
        };
        let lock = open_lock(&self.start_lock)?;
        lock.lock()?;
        use_lock.unlock()?;
        match use_lock.try_lock() {
            Ok(()) => {
                self.cluster.stop()?;
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error).context("cannot lock the data directory"),
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!("the embedded PostgreSQL keeps running: {error:#}");
        }
    }
}

fn start_on_some_port(cluster: &Cluster, remembered: Option<u16>) -> anyhow::Result<u16> {
    cluster.clear_stale()?;
    let mut attempts = 0;
    loop {
        let port = cluster::free_port(remembered.filter(|_| attempts == 0))?;
        attempts += 1;
        match cluster.start(port) {
            Ok(()) => return Ok(port),
            // Somebody took the port between the look and the start.
            Err(error) if attempts < 5 && error.to_string().contains("Address already in use") => {}
            Err(error) => return Err(error),
        }
    }
}

fn open_lock(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| {
            Failure::new(format!("cannot open {}: {error}", path.display()))
                .hint("set NOETL_DATA_DIR to a directory of your own")
                .into()
        })
}

fn read(path: &Path) -> anyhow::Result<Option<Memory>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .with_context(|| format!("{} is damaged", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Replaces the file as a whole, readable by this account alone.
fn write(path: &Path, memory: &Memory) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    let context = || format!("cannot write {}", path.display());
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&new)
        .with_context(context)?;
    file.write_all(&serde_json::to_vec_pretty(memory)?)
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&new, path))
        .with_context(context)
}
