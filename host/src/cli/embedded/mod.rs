//! A PostgreSQL of noetl's own, for development and tests: a cluster made from
//! the PostgreSQL programs that are already on the machine.
//!
//! The cluster listens on 127.0.0.1 only and every role has a random password.
//! Playbooks get the database `demo`; the server's store is the database
//! `noetl`, which the role of `demo` can't even connect to.

mod account;
mod binaries;
mod cluster;
mod home;
mod roles;
mod temporary;

use std::path::PathBuf;

use anyhow::Context;

use crate::secrets::Secret;

/// Where the cluster lives and how long.
#[derive(Debug, Clone)]
pub enum Options {
    /// Kept in this directory from one start to the next, and shared by the
    /// noetl processes that use the directory at the same time.
    Kept(PathBuf),
    /// In a directory of its own under the system's temporary directory, not
    /// safe against power failure, and removed when the value is dropped or
    /// the process ends, however it ends.
    Temporary,
}

impl Options {
    /// Kept in noetl's data directory.
    ///
    /// # Errors
    /// Nothing says where that is.
    pub fn kept() -> anyhow::Result<Options> {
        super::data_directory::default().map(Options::Kept)
    }
}

/// A running embedded PostgreSQL. Dropping it does what [`Embedded::stop`] does.
#[derive(Debug)]
pub struct Embedded {
    /// URL of the database `noetl`, as the role that owns it.
    pub store_url: Secret,
    /// URL of the database `demo`, as the role that owns it and nothing else.
    pub demo_url: Secret,
    /// URL of the database `postgres` as superuser: for tests, which make
    /// databases of their own. The server never needs it.
    pub admin_url: Secret,
    /// The TCP port on 127.0.0.1.
    pub port: u16,
    /// Whether the cluster was already running when it was asked for.
    pub reused: bool,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Kept(home::Use),
    Temporary(temporary::Temporary),
}

impl Embedded {
    /// Starts the cluster, making it first if it does not exist, and waits
    /// until it answers.
    ///
    /// # Errors
    /// PostgreSQL's programs are missing, the directory can't be used, or the
    /// cluster does not start; the message says which, and what to do.
    pub async fn start(options: Options) -> anyhow::Result<Embedded> {
        let started = tokio::task::spawn_blocking(move || match options {
            Options::Kept(directory) => home::start(&directory),
            Options::Temporary => temporary::start(),
        })
        .await
        .context("starting the embedded PostgreSQL was interrupted")??;
        let Started {
            running,
            port,
            passwords,
            reused,
            lock,
        } = started;
        roles::ensure(port, &passwords).await?;
        // Two processes that start at once must not make the roles at once.
        drop(lock);
        Ok(Embedded {
            store_url: roles::url(port, "noetl", &passwords.noetl, "noetl"),
            demo_url: roles::url(port, "demo", &passwords.demo, "demo"),
            admin_url: roles::url(port, "postgres", &passwords.postgres, "postgres"),
            port,
            reused,
            running,
        })
    }

    /// Stops the cluster (PostgreSQL's fast mode), unless another noetl
    /// process is still using it. Says whether it was stopped.
    ///
    /// # Errors
    /// PostgreSQL did not stop in a minute.
    pub async fn stop(mut self) -> anyhow::Result<bool> {
        tokio::task::spawn_blocking(move || match &mut self.running {
            Running::Kept(kept) => kept.end(),
            Running::Temporary(temporary) => {
                temporary.end();
                Ok(true)
            }
        })
        .await
        .context("stopping the embedded PostgreSQL was interrupted")?
    }
}

/// What both kinds of start hand over.
struct Started {
    running: Running,
    port: u16,
    passwords: roles::Passwords,
    reused: bool,
    /// Held until the cluster can be used.
    lock: Option<std::fs::File>,
}

#[cfg(test)]
mod tests;
