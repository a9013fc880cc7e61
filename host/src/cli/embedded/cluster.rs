//! One PostgreSQL cluster on disk: making, starting, stopping it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::account::{self, Account};
use super::binaries::Binaries;

/// Settings of every cluster. No Unix socket: its directory would be one more
/// thing that other accounts could reach. JIT costs more than the small
/// statements of a workflow take.
pub const SETTINGS: [&str; 4] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=150",
    "jit=off",
];

/// How long PostgreSQL may take to start (it may have to recover) or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster and what runs it.
#[derive(Debug, Clone)]
pub struct Cluster {
    pub binaries: Binaries,
    pub account: Option<Account>,
    /// PostgreSQL's data directory.
    pub data: PathBuf,
    /// Where the server writes its messages.
    pub log: PathBuf,
}

/// What `postmaster.pid` says.
#[derive(Debug, PartialEq, Eq)]
struct Postmaster {
    pid: u32,
    port: u16,
    ready: bool,
}

impl Cluster {
    /// A command that runs one of PostgreSQL's programs as the account, with
    /// an environment that can't change what it does.
    pub fn command(&self, program: &str) -> Command {
        self.prepare(Command::new(self.binaries.program(program)))
    }

    /// The same for another program.
    pub fn prepare(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/");
        account::run_as(&mut command, self.account.as_ref());
        command
    }

    /// Makes the cluster: UTF-8, passwords everywhere, `password` for the
    /// superuser. A run that breaks off leaves nothing that looks complete.
    pub fn init(&self, password: &str, safe: bool) -> anyhow::Result<()> {
        let unfinished = self.data.with_extension("unfinished");
        let password_file = self.data.with_extension("password");
        if unfinished.exists() {
            std::fs::remove_dir_all(&unfinished)
                .with_context(|| format!("cannot remove {}", unfinished.display()))?;
        }
        std::fs::write(&password_file, "")
            .with_context(|| format!("cannot write {}", password_file.display()))?;
        account::give(&password_file, self.account.as_ref(), 0o600)?;
        std::fs::write(&password_file, password)?;
        let mut command = self.command("initdb");
        command
            .arg("--pgdata")
            .arg(&unfinished)
            .arg("--pwfile")
            .arg(&password_file)
            .args(["--username=postgres", "--auth=scram-sha-256"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8"]);
        if !safe {
            command.arg("--no-sync");
        }
        let output = command.output().context("cannot run initdb");
        std::fs::remove_file(&password_file).ok();
        succeeded("initdb", &output?)?;
        std::fs::rename(&unfinished, &self.data)
            .with_context(|| format!("cannot make {}", self.data.display()))
    }

    /// The port on which the cluster is running and ready, if it is. Waits for
    /// one that is just starting.
    pub fn running_port(&self) -> anyhow::Result<Option<u16>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.postmaster() {
                Some(postmaster) if self.is_mine(postmaster.pid) => {
                    if postmaster.ready {
                        return Ok(Some(postmaster.port));
                    }
                }
                _ => return Ok(None),
            }
            if Instant::now() > deadline {
                bail!(
                    "PostgreSQL in {} is starting or stopping and does not get on with it; see {}",
                    self.data.display(),
                    self.log.display()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Removes what a killed server left. Its process id may belong to
    /// somebody else by now, and then PostgreSQL would refuse to start.
    pub fn clear_stale(&self) -> anyhow::Result<()> {
        // The children of a killed postmaster notice within moments; until
        // they are gone, the files are theirs.
        let deadline = Instant::now() + PATIENCE;
        while self.has_processes() {
            if Instant::now() > deadline {
                bail!(
                    "processes of a PostgreSQL that was killed still use {}; end them and try again",
                    self.data.display()
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        match std::fs::remove_file(self.pid_file()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.pid_file().display()))
            }
            _ => Ok(()),
        }
    }

    /// Starts the server on `port` in the background and waits until it is
    /// ready.
    pub fn start(&self, port: u16) -> anyhow::Result<()> {
        let mut options = format!("-p {port}");
        for setting in SETTINGS {
            options.push_str(&format!(" -c {setting}"));
        }
        // Not appended to: the messages of this start are what matters.
        std::fs::write(&self.log, "")
            .with_context(|| format!("cannot write {}", self.log.display()))?;
        account::give(&self.log, self.account.as_ref(), 0o600)?;
        let output = self
            .command("pg_ctl")
            .args(["start", "-w", "-s", "-t", &PATIENCE.as_secs().to_string()])
            .arg("-D")
            .arg(&self.data)
            .arg("-l")
            .arg(&self.log)
            .args(["-o", &options])
            .output()
            .context("cannot run pg_ctl")?;
        if output.status.success() {
            return Ok(());
        }
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        bail!(
            "PostgreSQL in {} does not start:\n{}",
            self.data.display(),
            tail(&log)
        )
    }

    /// Stops the server (PostgreSQL's fast mode): open transactions are rolled
    /// back, data is safe. One that was killed is no error, and whoever has
    /// its process id now is left alone.
    pub fn stop(&self) -> anyhow::Result<()> {
        let Some(Postmaster { pid, .. }) = self.postmaster() else {
            return Ok(());
        };
        let deadline = Instant::now() + PATIENCE;
        let mut asked = false;
        while self.is_mine(pid) {
            if !asked {
                // It may end by itself between the look and the signal.
                kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGINT).ok();
                asked = true;
            }
            if Instant::now() > deadline {
                bail!(
                    "PostgreSQL (process {pid}) in {} does not stop",
                    self.data.display()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Whether the server in the data directory is ready on `port`.
    pub fn is_ready(&self, port: u16) -> bool {
        self.postmaster()
            .is_some_and(|postmaster| postmaster.ready && postmaster.port == port)
    }

    fn pid_file(&self) -> PathBuf {
        self.data.join("postmaster.pid")
    }

    fn postmaster(&self) -> Option<Postmaster> {
        parse_pid_file(&std::fs::read_to_string(self.pid_file()).ok()?)
    }

    /// Whether the process is this cluster's: PostgreSQL's processes all work
    /// in their data directory.
    fn is_mine(&self, pid: u32) -> bool {
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == self.data)
    }

    fn has_processes(&self) -> bool {
        let Ok(processes) = std::fs::read_dir("/proc") else {
            return false;
        };
        processes
            .flatten()
            .filter_map(|process| process.file_name().to_str()?.parse().ok())
            .any(|pid| self.is_mine(pid))
    }
}

/// A port on 127.0.0.1 that is free now: `preferred` if it is.
pub fn free_port(preferred: Option<u16>) -> anyhow::Result<u16> {
    if let Some(port) = preferred
        && std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
    {
        return Ok(port);
    }
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))
        .context("there is no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

/// The major version that made the cluster in `data`, if there is one.
pub fn made_by(data: &Path) -> Option<u32> {
    std::fs::read_to_string(data.join("PG_VERSION"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// The last lines of PostgreSQL's log, which tell why it stopped.
pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

fn succeeded(what: &str, output: &Output) -> anyhow::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    bail!(
        "{what} failed ({}):\n{}",
        output.status,
        tail(&String::from_utf8_lossy(&output.stderr))
    )
}

/// Lines of `postmaster.pid`: pid, data directory, start time, port, socket
/// directory, address, shared memory, status.
fn parse_pid_file(text: &str) -> Option<Postmaster> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    Some(Postmaster {
        pid: lines.first()?.parse().ok()?,
        port: lines.get(3).and_then(|port| port.parse().ok()).unwrap_or(0),
        ready: lines.get(7).is_some_and(|status| *status == "ready"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_pid_file() {
        let text = "4711\n/data\n1700000000\n5433\n\n127.0.0.1\n  123 0\nready   \n";
        let expected = Postmaster {
            pid: 4711,
            port: 5433,
            ready: true,
        };
        assert_eq!(parse_pid_file(text), Some(expected));
    }

    #[test]
    fn a_pid_file_that_is_still_being_written_is_not_ready() {
        let starting = parse_pid_file("4711\n/data\n").unwrap();
        assert!(!starting.ready);
        assert_eq!(parse_pid_file(""), None);
        assert_eq!(parse_pid_file("garbage\n"), None);
    }
}
