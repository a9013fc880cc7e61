//! What one execution may use as a whole.

use std::time::Duration;

use crate::sandbox::{ErrorCategory, StepError};

/// Limits of one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionLimits {
    /// From its start to its end, the waits of its steps included.
    pub time: Duration,
    /// What its templates see: the workload, variables and steps' results, in
    /// bytes of memory.
    pub bytes: usize,
}

impl Default for ExecutionLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(600),
            bytes: 64 << 20,
        }
    }
}

/// Steps that one execution can pass: a cycle that never ends does.
pub(super) const MAX_STEPS: usize = 10_000;

/// What the steps of `finally` may take together, whatever the execution has taken.
pub(super) const FINALLY_TIME: Duration = Duration::from_secs(60);

pub(super) fn too_many_steps() -> StepError {
    StepError::new(
        ErrorCategory::Limit,
        format!(
            "the execution has run {MAX_STEPS} steps, its limit; does a cycle in the workflow never end?"
        ),
    )
}

impl ExecutionLimits {
    /// An execution has taken all of `time`, which is the limit or the playbook's own.
    pub(super) fn out_of_time(&self, time: Duration) -> StepError {
        if time < self.time {
            let time = humantime::format_duration(time);
            let message =
                format!("the execution was stopped after the playbook's `timeout` of {time}");
            return StepError::new(ErrorCategory::Timeout, message);
        }
        StepError::new(
            ErrorCategory::Timeout,
            format!(
                "the execution was stopped after its limit execution-time = {} s; make it shorter, split it into several, or start the server with a higher --execution-time",
                self.time.as_secs()
            ),
        )
    }

    pub(super) fn out_of_time_in_finally() -> StepError {
        let time = humantime::format_duration(FINALLY_TIME);
        let message =
            format!("the steps of `finally` were stopped after {time}, all that they may take");
        StepError::new(ErrorCategory::Timeout, message)
    }

    /// Refuses more data than an execution may hold.
    pub(super) fn check_bytes(&self, bytes: usize) -> Result<(), StepError> {
        if bytes <= self.bytes {
            return Ok(());
        }
        Err(StepError::new(
            ErrorCategory::Limit,
            format!(
                "the execution holds {bytes} bytes of data (workload, variables, steps' results), more than its limit execution-bytes = {}; return less from its steps and keep large data in a database",
                self.bytes
            ),
        ))
    }
}
