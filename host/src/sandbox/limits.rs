//! What a step may use, and how it is held to it.

use std::time::Duration;

use wasmtime::{ResourceLimiter, Result};

use super::{ErrorCategory, StepError};

/// Limits of one step. A playbook may narrow them, never widen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time from start to answer, host calls included.
    pub time: Duration,
    /// Linear memory, in bytes.
    pub memory_bytes: usize,
    /// Elements of a table.
    pub table_elements: usize,
    /// The result's JSON text, in bytes.
    pub output_bytes: usize,
    /// The log's messages, in bytes.
    pub log_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(30),
            memory_bytes: 256 << 20,
            table_elements: 100_000,
            output_bytes: 8 << 20,
            log_bytes: 1 << 20,
        }
    }
}

/// Core instances, tables and memories of one component: the tools need 1
/// memory and, with the adapters between them, a handful of the others.
const INSTANCES: usize = 32;

/// Watches an instance's growth, and remembers what it was refused.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: Limits,
    /// Linear memory at its largest, in bytes.
    pub(super) peak_memory: usize,
    /// Set when growth was refused: the trap that follows says nothing of it.
    pub(super) refused: Option<&'static str>,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            peak_memory: 0,
            refused: None,
        }
    }

    /// The refused growth as the step's error.
    pub(super) fn error(&self) -> Option<StepError> {
        let (name, value, raise) = match self.refused? {
            "memory" => (
                "memory_bytes",
                self.limits.memory_bytes,
                "keep less in memory at once",
            ),
            _ => (
                "table_elements",
                self.limits.table_elements,
                "use smaller tables",
            ),
        };
        Some(StepError::new(
            ErrorCategory::Limit,
            format!(
                "the step needed more than its limit {name} = {value}; {raise}, or ask for a higher {name}"
            ),
        ))
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        if desired > self.limits.memory_bytes {
            self.refused = Some("memory");
            return Ok(false);
        }
        self.peak_memory = self.peak_memory.max(desired);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let fits = desired <= self.limits.table_elements;
        if !fits {
            self.refused = Some("table");
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}
