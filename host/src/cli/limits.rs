//! The service's limits as flags of `noetl serve`.

use std::time::Duration;

use clap::Args;

use super::terminal::note;
use crate::app::ServiceLimits;

/// What an operator may want to change; docs/service-limits.md has all of them.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitOptions {
    /// Connections at once [default: 1024]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    connections: Option<u32>,
    /// How long a request's head may take to arrive, and a connection may idle [default: 30]
    #[arg(long, value_name = "SECONDS", value_parser = at_least_one())]
    head_time: Option<u32>,
    /// How long a request's body may take to arrive [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = at_least_one())]
    body_time: Option<u32>,
    /// How long an answer may wait for a client that does not read [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = at_least_one())]
    answer_time: Option<u32>,
    /// Executions at once [default: 512]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    executions: Option<u32>,
    /// Executions of one tenant at once [default: 256]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    tenant_executions: Option<u32>,
    /// How long an execution may take as a whole [default: 600]
    #[arg(long, value_name = "SECONDS", value_parser = at_least_one())]
    execution_time: Option<u32>,
    /// What an execution's workload, variables and results may take in memory [default: 67108864]
    #[arg(long, value_name = "BYTES", value_parser = at_least_one())]
    execution_bytes: Option<u32>,
    /// Steps that run at once, 512 at most [default: 512]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=512))]
    steps: Option<u32>,
    /// Steps of one tenant that run at once [default: 64]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    tenant_steps: Option<u32>,
    /// Steps that wait for their turn [default: 40000]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    queued_steps: Option<u32>,
    /// Steps of one tenant that wait for their turn [default: 10000]
    #[arg(long, value_name = "COUNT", value_parser = at_least_one())]
    tenant_queued_steps: Option<u32>,
}

fn at_least_one() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

impl LimitOptions {
    /// The defaults, with what was given over them.
    pub fn limits(&self) -> ServiceLimits {
        let mut limits = ServiceLimits::default();
        let http = &mut limits.http;
        count(&mut http.connections, self.connections);
        time(&mut http.head_time, self.head_time);
        time(&mut http.body_time, self.body_time);
        time(&mut http.answer_time, self.answer_time);
        count(&mut limits.counts.executions, self.executions);
        count(&mut limits.counts.tenant_executions, self.tenant_executions);
        time(&mut limits.execution.time, self.execution_time);
        count(&mut limits.execution.bytes, self.execution_bytes);
        let steps = &mut limits.steps;
        count(&mut steps.steps, self.steps);
        count(&mut steps.tenant_steps, self.tenant_steps);
        count(&mut steps.queued_steps, self.queued_steps);
        count(&mut steps.tenant_queued_steps, self.tenant_queued_steps);
        limits
    }
}

fn count(limit: &mut usize, given: Option<u32>) {
    if let Some(given) = given {
        *limit = given as usize;
    }
}

fn time(limit: &mut Duration, given: Option<u32>) {
    if let Some(given) = given {
        *limit = Duration::from_secs(given.into());
    }
}

/// File descriptors for everything that is no client's connection.
const OTHER_FILES: u64 = 256;

/// Makes room for as many open files as the limits need, as far as this process
/// may. With fewer, there are fewer connections, and no others suffer.
pub fn make_room_for_files(limits: &mut ServiceLimits) -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = limits.http.connections as u64 + OTHER_FILES;
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
