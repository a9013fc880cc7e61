//! Holds an instance to the limits of what it is made of.

use wasmtime::{ResourceLimiter, Result};

use super::{ErrorCategory, StepError};
use crate::limits::{Limit, Limits};

/// Tables and memories of one component: the pool has room for as many.
pub(super) const TABLES: u32 = 8;
pub(super) const MEMORIES: u32 = 1;

/// Watches an instance's growth, and remembers what it was refused.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: Limits,
    /// Linear memory at its largest, in bytes.
    pub(super) peak_memory: u64,
    /// Set when growth was refused or the instance was stopped: the trap that
    /// follows says nothing of it.
    exceeded: Option<Limit>,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            peak_memory: 0,
            exceeded: None,
        }
    }

    /// Remembers that the instance is over a limit.
    pub(super) fn exceed(&mut self, limit: Limit) {
        self.exceeded = Some(limit);
    }

    /// The limit that the instance was last over, as the step's error.
    pub(super) fn error(&self) -> Option<StepError> {
        self.exceeded.map(|limit| exceeded(self.limits, limit))
    }

    fn check(&mut self, limit: Limit, desired: usize) -> bool {
        let fits = desired as u64 <= self.limits.get(limit);
        if !fits {
            self.exceed(limit);
        }
        fits
    }
}

/// The error of a step that is over a limit.
pub(super) fn exceeded(limits: Limits, limit: Limit) -> StepError {
    let category = match limit {
        Limit::Time => ErrorCategory::Timeout,
        _ => ErrorCategory::Limit,
    };
    StepError::new(category, limits.exceeded(limit))
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let fits = self.check(Limit::Memory, desired);
        if fits {
            self.peak_memory = self.peak_memory.max(desired as u64);
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(self.check(Limit::TableElements, desired))
    }

    fn instances(&self) -> usize {
        usize::try_from(self.limits.instances).unwrap_or(usize::MAX)
    }

    fn tables(&self) -> usize {
        TABLES as usize
    }

    fn memories(&self) -> usize {
        MEMORIES as usize
    }
}
