//! Runs one tool step in a fresh component instance.
//!
//! [`StepRunner`] is the only door: whether the instance lives in this process
//! or in another one is a choice of runner, which the engine does not see.

mod compile;
mod components;
mod cpu;
mod in_process;
mod instances;
mod job;
mod limiter;
mod linker;
mod lockdown;
mod prepared;
mod queue;
mod runtime;
mod seal;
mod step;
mod worker;

pub use crate::limits::{Limit, Limits};
pub use compile::{COMPILE, compiler};
pub use components::Loaded;
pub use in_process::InProcess;
pub use lockdown::{Confinement, Lockdown, Mechanism};
pub use queue::{QueueLimits, Queued};
pub use step::{ErrorCategory, StepError, StepOutcome, StepRequest, StepRunner, Usage};
pub use worker::{Tool, WORKER, WorkerSettings, Workers, worker, worker_command};
