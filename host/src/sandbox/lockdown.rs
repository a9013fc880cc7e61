//! What the kernel takes from a process before it meets foreign code.
//!
//! In three parts: [`Lockdown::enter`] before the process opens anything;
//! [`Lockdown::confine`] while it has one thread, since Landlock holds for the
//! calling thread and those it starts; [`Lockdown::seal`] when all threads are
//! there, since no further one can be started then.

use std::collections::BTreeMap;
use std::fmt;

use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus, Scope};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::unistd::{Gid, Uid, geteuid, setgroups, setresgid, setresuid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use serde::{Deserialize, Serialize};

/// The account that owns nothing, by its customary number.
const NOBODY: u32 = 65534;

/// What came of locking a process down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Every mechanism that was tried.
    pub mechanisms: Vec<Mechanism>,
}

/// One mechanism of the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mechanism {
    /// Its usual name: `seccomp`, `Landlock`.
    pub name: String,
    /// Why it does not hold, if it does not.
    pub missing: Option<String>,
}

impl Confinement {
    /// The mechanisms that do not hold.
    pub fn missing(&self) -> impl Iterator<Item = &Mechanism> {
        self.mechanisms.iter().filter(|m| m.missing.is_some())
    }

    fn add<E: fmt::Display>(&mut self, name: &str, done: Result<(), E>) {
        self.mechanisms.push(Mechanism {
            name: name.into(),
            missing: done.err().map(|e| e.to_string()),
        });
    }
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missing: Vec<String> = self
            .missing()
            .map(|m| format!("{} ({})", m.name, m.missing.as_deref().unwrap_or_default()))
            .collect();
        let held: Vec<&str> = self
            .mechanisms
            .iter()
            .filter(|m| m.missing.is_none())
            .map(|m| m.name.as_str())
            .collect();
        write!(f, "confined by {}", held.join(", "))?;
        if !missing.is_empty() {
            write!(f, "; WITHOUT {}", missing.join(", "))?;
        }
        Ok(())
    }
}

/// A process on its way into confinement.
pub struct Lockdown(Confinement);

impl Lockdown {
    /// First part: files that whoever started the server left open are closed. Only
    /// stdin, stdout and stderr stay.
    pub fn enter() -> Self {
        let mut held = Confinement::default();
        held.add("no inherited files", close_inherited());
        Self(held)
    }

    /// Second part. From here on the process opens no file, reaches no network and
    /// signals nobody; `limits` are its last. If it was root, it is nobody.
    ///
    /// What the kernel lacks is reported, not refused: whether that will do is for
    /// the operator to say.
    pub fn confine(&mut self, limits: &[(Resource, u64)]) {
        let Self(held) = self;
        if geteuid().is_root() {
            held.add("an account without rights", become_nobody());
        }
        held.add("no_new_privs", prctl::set_no_new_privs());
        held.add("no tracing", prctl::set_dumpable(false));
        held.add("rlimits", lower(limits));
        held.add("Landlock", landlock());
    }

    /// Last part, for every thread: no system call but those that memory,
    /// waiting and the open files need. No further thread or process can start, and
    /// no further memory can hold code.
    pub fn seal(self) -> Confinement {
        let Self(mut held) = self;
        held.add("seccomp", seccomp());
        held
    }
}

fn close_inherited() -> std::io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // The directory that was just read is among them, and is closed.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

fn become_nobody() -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

fn lower(limits: &[(Resource, u64)]) -> nix::Result<()> {
    let always = [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_MEMLOCK, 0),
        (Resource::RLIMIT_MSGQUEUE, 0),
    ];
    for &(resource, limit) in always.iter().chain(limits) {
        setrlimit(resource, limit, limit)?;
    }
    Ok(())
}

/// No path is named, so none can be opened; no port either.
fn landlock() -> Result<(), String> {
    let restrict = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V6))?
            .handle_access(AccessNet::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .restrict_self()
    };
    let status = restrict().map_err(|e: landlock::RulesetError| e.to_string())?;
    match status.ruleset {
        // An older kernel knows fewer rights; opening files is the oldest of them.
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err("this kernel has none (Linux 5.13 or later)".into()),
    }
}

fn seccomp() -> Result<(), String> {
    let program = filter().map_err(|e| e.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|e| e.to_string())
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let without_code = |prot: u8| {
        SeccompRule::new(vec![SeccompCondition::new(
            prot,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::MaskedEq(libc::PROT_EXEC as u64),
            0,
        )?])
    };
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_mmap, vec![without_code(2)?]);
    rules.insert(libc::SYS_mprotect, vec![without_code(2)?]);
    SeccompFilter::new(
        rules,
        // Refused, not killed: what a library tries in vain must not end the steps.
        SeccompAction::Errno(libc::EPERM as u32),
        SeccompAction::Allow,
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()
}

/// System calls that a sealed process may make, whatever their arguments.
const CALLS: &[i64] = &[
    // Open files.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_close,
    // Waiting.
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_ctl,
    libc::SYS_ppoll,
    libc::SYS_futex,
    libc::SYS_sched_yield,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_restart_syscall,
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Clocks and randomness.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    // Signals of the process's own, which traps are.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_gettid,
    libc::SYS_getpid,
    // Its end.
    libc::SYS_exit,
    libc::SYS_exit_group,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_time,
];
