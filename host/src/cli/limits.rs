//! The service's limits as flags of `noetl serve`.

use std::sync::LazyLock;
use std::time::Duration;

use clap::Args;

use super::terminal::note;
use crate::app::ServiceLimits;

/// What an operator may want to change; docs/service-limits.md has all of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitOptions {
    /// Connections at once
    #[arg(long, env = "NOETL_CONNECTIONS", value_name = "COUNT", value_parser = at_least_one(), default_value_t = DEFAULTS.connections)]
    connections: u32,
    /// How long a request's head may take to arrive, and a connection may idle
    #[arg(long, env = "NOETL_HEAD_TIME", value_name = "SECONDS", value_parser = at_least_one(), default_value_t = DEFAULTS.head_time)]
    head_time: u32,
    /// How long a request's body may take to arrive
    #[arg(long, env = "NOETL_BODY_TIME", value_name = "SECONDS", value_parser = at_least_one(), default_value_t = DEFAULTS.body_time)]
    body_time: u32,
    /// How long an answer may wait for a client that does not read
    #[arg(long, env = "NOETL_ANSWER_TIME", value_name = "SECONDS", value_parser = at_least_one(), default_value_t = DEFAULTS.answer_time)]
    answer_time: u32,
    /// Executions at once
    #[arg(long, env = "NOETL_EXECUTIONS", value_name = "COUNT", value_parser = at_least_one(), default_value_t = DEFAULTS.executions)]
    executions: u32,
    /// Executions of one tenant at once
    #[arg(long, env = "NOETL_TENANT_EXECUTIONS", value_name = "COUNT", value_parser = at_least_one(), default_value_t = DEFAULTS.tenant_executions)]
    tenant_executions: u32,
    /// How long an execution may take as a whole
    #[arg(long, env = "NOETL_EXECUTION_TIME", value_name = "SECONDS", value_parser = at_least_one(), default_value_t = DEFAULTS.execution_time)]
    execution_time: u32,
    /// What an execution's workload, variables and results may take in memory
    #[arg(long, env = "NOETL_EXECUTION_BYTES", value_name = "BYTES", value_parser = at_least_one(), default_value_t = DEFAULTS.execution_bytes)]
    execution_bytes: u32,
    /// Steps that run at once, 512 at most
    #[arg(long, env = "NOETL_STEPS", value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=512), default_value_t = DEFAULTS.steps)]
    steps: u32,
    /// Steps of one tenant that run at once
    #[arg(long, env = "NOETL_TENANT_STEPS", value_name = "COUNT", value_parser = at_least_one(), default_value_t = DEFAULTS.tenant_steps)]
    tenant_steps: u32,
    /// Steps that wait for their turn
    #[arg(long, env = "NOETL_QUEUED_STEPS", value_name = "COUNT", value_parser = at_least_one(), default_value_t = DEFAULTS.queued_steps)]
    queued_steps: u32,
    /// Steps of one tenant that wait for their turn
    #[arg(long, env = "NOETL_TENANT_QUEUED_STEPS", value_name = "COUNT", value_parser = at_least_one(), default_value_t = DEFAULTS.tenant_queued_steps)]
    tenant_queued_steps: u32,
}

fn at_least_one() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

/// What stands where nothing is given.
static DEFAULTS: LazyLock<LimitOptions> =
    LazyLock::new(|| LimitOptions::of(&ServiceLimits::default()));

impl LimitOptions {
    fn of(limits: &ServiceLimits) -> Self {
        let count = |count: usize| u32::try_from(count).expect("a default fits");
        let seconds = |time: Duration| count(time.as_secs() as usize);
        Self {
            connections: count(limits.http.connections),
            head_time: seconds(limits.http.head_time),
            body_time: seconds(limits.http.body_time),
            answer_time: seconds(limits.http.answer_time),
            executions: count(limits.counts.executions),
            tenant_executions: count(limits.counts.tenant_executions),
            execution_time: seconds(limits.execution.time),
            execution_bytes: count(limits.execution.bytes),
            steps: count(limits.steps.steps),
            tenant_steps: count(limits.steps.tenant_steps),
            queued_steps: count(limits.steps.queued_steps),
            tenant_queued_steps: count(limits.steps.tenant_queued_steps),
        }
    }

    /// These limits, and the defaults of all others.
    pub fn limits(&self) -> ServiceLimits {
        let mut limits = ServiceLimits::default();
        let http = &mut limits.http;
        http.connections = count(self.connections);
        http.head_time = time(self.head_time);
        http.body_time = time(self.body_time);
        http.answer_time = time(self.answer_time);
        limits.counts.executions = count(self.executions);
        limits.counts.tenant_executions = count(self.tenant_executions);
        limits.execution.time = time(self.execution_time);
        limits.execution.bytes = count(self.execution_bytes);
        let steps = &mut limits.steps;
        steps.steps = count(self.steps);
        steps.tenant_steps = count(self.tenant_steps);
        steps.queued_steps = count(self.queued_steps);
        steps.tenant_queued_steps = count(self.tenant_queued_steps);
        limits
    }
}

fn count(given: u32) -> usize {
    given as usize
}

fn time(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

/// File descriptors for everything that is no client's connection.
const OTHER_FILES: u64 = 256;

/// Open files that these limits can need.
pub fn files_wanted(limits: &ServiceLimits) -> u64 {
    limits.http.connections as u64 + OTHER_FILES
}

/// Makes room for as many open files as the limits need, as far as this process
/// may. With fewer, there are fewer connections, and no others suffer.
pub fn make_room_for_files(limits: &mut ServiceLimits) -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = files_wanted(limits);
    let files = soft.max(wanted.min(hard));
    if files > soft {
        setrlimit(Resource::RLIMIT_NOFILE, files, hard)?;
    }
    if files < wanted {
        let connections = files.saturating_sub(OTHER_FILES).max(files / 2).max(1);
        note(&format!(
            "warning: this process may open {files} files: at most {connections} connections \
             at once instead of {}; raise `ulimit -n` to {wanted}",
            limits.http.connections
        ));
        limits.http.connections = usize::try_from(connections)?;
    }
    Ok(())
}
