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

pub(super) fn too_many_steps() -> StepError {
    StepError::new(
        ErrorCategory::Limit,
        format!(
            "the execution has run {MAX_STEPS} steps, its limit; does a cycle in the workflow never end?"
        ),
    )
}

impl ExecutionLimits {
    pub(super) fn out_of_time(&self) -> StepError {
        StepError::new(
            ErrorCategory::Timeout,
            format!(
                "the execution was stopped after its limit execution-time = {} s; make it shorter, split it into several, or start the server with a higher --execution-time",
                self.time.as_secs()
            ),
        )
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
