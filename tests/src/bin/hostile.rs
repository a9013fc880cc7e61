//! Native code in a worker's place: as if a guest had broken out of WebAssembly.
//! It tries what a worker must not be able to do, and writes how each ended to
//! its stdin, the socket to the server. With `--free`, it does so unconfined.
//!
//! Arguments after that: the server's process, its port, a file descriptor that
//! the server has open, an address in the server's memory.

use std::fs;
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};

use nix::sys::resource::Resource;
use nix::sys::signal::kill;
use nix::unistd::{ForkResult, Pid, fork};
use noetl::sandbox::Lockdown;
use serde_json::{Map, Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let free = arguments.iter().any(|a| a == "--free");
    let mut numbers = arguments.iter().filter_map(|a| a.parse::<u64>().ok());
    let mut number = || numbers.next().expect("four numbers");
    let (server, port, fd, address) = (number() as i32, number() as u16, number() as i32, number());

    let confinement = (!free).then(|| {
        let mut lockdown = Lockdown::enter();
        lockdown.confine(&[(Resource::RLIMIT_FSIZE, 0), (Resource::RLIMIT_NOFILE, 32)]);
        lockdown.seal()
    });
    let report = json!({
        "missing": confinement.map(|c| c.missing().map(|m| m.name.clone()).collect::<Vec<_>>()),
        "environment": std::env::vars().map(|(name, _)| name).collect::<Vec<_>>(),
        "got": attempts(server, port, fd, address),
    });
    let report = report.to_string();
    let written = nix::unistd::write(std::io::stdin(), report.as_bytes());
    assert_eq!(written, Ok(report.len()), "the socket takes the report");
}

/// What was tried: `null` if it was refused.
fn attempts(server: i32, port: u16, fd: i32, address: u64) -> Value {
    let mut got = Map::new();
    let mut attempt = |name: &str, what: Option<String>| {
        got.insert(name.into(), json!(what));
    };
    let text = |done: std::io::Result<Vec<u8>>| done.ok().map(|b| format!("{} bytes", b.len()));
    let done = |result: bool| result.then(|| "done".to_owned());

    attempt("read a file", text(fs::read("/etc/passwd")));
    attempt("read the program", text(fs::read("/proc/self/exe")));
    attempt("list a directory", done(fs::read_dir("/").is_ok()));
    attempt(
        "write a file",
        done(fs::write("/tmp/noetl-hostile", "x").is_ok()),
    );
    attempt(
        "make a directory",
        done(fs::create_dir("/tmp/noetl-hostile-dir").is_ok()),
    );
    attempt(
        "read the server's environment",
        text(fs::read(format!("/proc/{server}/environ"))),
    );
    attempt(
        "read the server's command line",
        text(fs::read(format!("/proc/{server}/cmdline"))),
    );
    attempt(
        "open the server's memory",
        done(fs::File::open(format!("/proc/{server}/mem")).is_ok()),
    );
    attempt("read an inherited file", inherited(fd));
    attempt("read the server's memory", memory(server, address));
    attempt(
        "trace the server",
        done(
            nix::sys::ptrace::seize(Pid::from_raw(server), nix::sys::ptrace::Options::empty())
                .is_ok(),
        ),
    );
    attempt(
        "signal the server",
        done(kill(Pid::from_raw(server), None).is_ok()),
    );
    attempt(
        "signal everybody",
        done(kill(Pid::from_raw(-1), None).is_ok()),
    );
    attempt(
        "connect to the server",
        done(TcpStream::connect(("127.0.0.1", port)).is_ok()),
    );
    attempt(
        "open a socket for datagrams",
        done(UdpSocket::bind("127.0.0.1:0").is_ok()),
    );
    attempt(
        "listen on a Unix socket",
        done(UnixListener::bind("/tmp/noetl-hostile.sock").is_ok()),
    );
    attempt("make a pair of sockets", done(UnixStream::pair().is_ok()));
    attempt(
        "start a thread",
        done(std::thread::Builder::new().spawn(|| ()).is_ok()),
    );
    attempt(
        "run a program",
        done(std::process::Command::new("/bin/true").status().is_ok()),
    );
    attempt("fork", forked());
    attempt("become root", done(nix::unistd::setuid(0.into()).is_ok()));
    attempt(
        "new namespaces",
        done(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER).is_ok()),
    );
    attempt("memory that is code", done(code()));
    attempt(
        "a file in memory",
        done(nix::sys::memfd::memfd_create("x", nix::sys::memfd::MFdFlags::empty()).is_ok()),
    );
    attempt(
        "raise a limit",
        done(nix::sys::resource::setrlimit(Resource::RLIMIT_NOFILE, 1000, 1000).is_ok()),
    );
    attempt(
        "allow tracing again",
        done(nix::sys::prctl::set_dumpable(true).is_ok()),
    );
    for (name, number) in [
        ("io_uring", libc::SYS_io_uring_setup),
        ("bpf", libc::SYS_bpf),
        ("performance counters", libc::SYS_perf_event_open),
        ("userfaultfd", libc::SYS_userfaultfd),
        ("keys", libc::SYS_keyctl),
        ("a process's handle", libc::SYS_pidfd_open),
        ("mount", libc::SYS_mount),
        ("notifications", libc::SYS_inotify_init1),
    ] {
        // SAFETY: with arguments of zero none of these calls touches memory of ours.
        let result = unsafe { libc::syscall(number, 0_u64, 0_u64, 0_u64, 0_u64, 0_u64) };
        let refused = result == -1 && nix::errno::Errno::last() == nix::errno::Errno::EPERM;
        attempt(name, done(!refused));
    }
    let _ = fs::remove_file("/tmp/noetl-hostile");
    let _ = fs::remove_dir("/tmp/noetl-hostile-dir");
    let _ = fs::remove_file("/tmp/noetl-hostile.sock");
    Value::Object(got)
}

fn inherited(fd: i32) -> Option<String> {
    let mut bytes = [0; 64];
    // SAFETY: the buffer is ours, and as long as is said.
    let read = unsafe { libc::pread(fd, bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    let read = usize::try_from(read).ok()?;
    Some(String::from_utf8_lossy(&bytes[..read]).into_owned())
}

fn memory(server: i32, address: u64) -> Option<String> {
    let mut bytes = [0; 16];
    let remote = nix::sys::uio::RemoteIoVec {
        base: usize::try_from(address).ok()?,
        len: bytes.len(),
    };
    let mut local = [std::io::IoSliceMut::new(&mut bytes)];
    nix::sys::uio::process_vm_readv(Pid::from_raw(server), &mut local, &[remote]).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn forked() -> Option<String> {
    // SAFETY: the child does nothing but end.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => std::process::exit(0),
        Ok(ForkResult::Parent { child }) => {
            let _ = nix::sys::wait::waitpid(child, None);
            Some("a child".into())
        }
        Err(_) => None,
    }
}

fn code() -> bool {
    use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
    let length = std::num::NonZeroUsize::new(4096).expect("not zero");
    let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE | ProtFlags::PROT_EXEC;
    // SAFETY: a new mapping, which nothing else uses.
    unsafe { mmap_anonymous(None, length, prot, MapFlags::MAP_PRIVATE) }.is_ok()
}
