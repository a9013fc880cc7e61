//! A cluster for one process: quick, unsafe against power failure, and gone
//! when the process is, even if it was killed.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use uuid::Uuid;

use super::cluster::{self, Cluster};
use super::roles::Passwords;
use super::{Running, Started, account, binaries};

/// Runs `$@` (PostgreSQL) until the pipe on stdin is closed, which the kernel
/// does when the process at its other end ends, then removes `$0`. A server
/// that did not start leaves `$0` for another try.
const KEEPER: &str = r#"
exec 3<&0
"$@" 3<&- &
server=$!
{ cat <&3 >/dev/null; while kill -QUIT $server 2>/dev/null; do sleep 0.1; done; } &
wait $server && rm -rf "$0"
"#;

/// The running cluster.
#[derive(Debug)]
pub struct Temporary {
    keeper: Child,
    directory: PathBuf,
}

/// Makes and starts a cluster.
pub fn start() -> anyhow::Result<Started> {
    let binaries = binaries::find(None)?;
    let account = account::find()?;
    let directory = std::env::temp_dir()
        .canonicalize()?
        .join(format!("noetl-{}", Uuid::new_v4().simple()));
    std::fs::create_dir(&directory)
        .with_context(|| format!("cannot make {}", directory.display()))?;
    account::give(&directory, account.as_ref(), 0o700)?;
    let cluster = Cluster {
        binaries,
        account,
        data: directory.join("data"),
        log: directory.join("log"),
    };
    let passwords = Passwords::random();
    match make(&cluster, &passwords, &directory) {
        Ok((keeper, port)) => Ok(Started {
            running: Running::Temporary(Temporary { keeper, directory }),
            port,
            passwords,
            reused: false,
            lock: None,
        }),
        Err(error) => {
            std::fs::remove_dir_all(&directory).ok();
            Err(error)
        }
    }
}

fn make(
    cluster: &Cluster,
    passwords: &Passwords,
    directory: &PathBuf,
) -> anyhow::Result<(Child, u16)> {
    account::check_reach(directory, cluster.account.as_ref())?;
    cluster.init(&passwords.postgres, false)?;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let port = cluster::free_port(None)?;
        match run(cluster, directory, port) {
            Ok(keeper) => return Ok((keeper, port)),
            Err(error) if attempts < 5 && error.to_string().contains("Address already in use") => {}
            Err(error) => return Err(error),
        }
    }
}

fn run(cluster: &Cluster, directory: &PathBuf, port: u16) -> anyhow::Result<Child> {
    let mut log = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&cluster.log)
        .context("cannot write PostgreSQL's log")?;
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", KEEPER])
        .arg(directory)
        .arg(cluster.binaries.program("postgres"))
        .arg("-D")
        .arg(&cluster.data)
        .args(["-p", &port.to_string()]);
    for setting in cluster::SETTINGS.into_iter().chain([
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
    ]) {
        command.args(["-c", setting]);
    }
    let mut command = cluster.prepare(command);
    // A Ctrl-C at the terminal is for noetl, which then ends this in order.
    command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?);
    let mut keeper = command.spawn().context("cannot run /bin/sh")?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !cluster.is_ready(port) {
        let ended = keeper.try_wait()?.is_some();
        if ended || Instant::now() > deadline {
            drop(keeper.stdin.take());
            keeper.wait().ok();
            let mut text = String::new();
            log.rewind()?;
            log.read_to_string(&mut text)?;
            bail!("PostgreSQL does not start:\n{}", cluster::tail(&text));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(keeper)
}

impl Temporary {
    /// Ends the server and waits until its files are gone.
    pub fn end(&mut self) {
        if let Some(pipe) = self.keeper.stdin.take() {
            drop(pipe);
            self.keeper.wait().ok();
            std::fs::remove_dir_all(&self.directory).ok();
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        self.end();
    }
}
