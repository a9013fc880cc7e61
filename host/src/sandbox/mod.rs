//! Runs one tool step in a fresh component instance.
//!
//! [`StepRunner`] is the only door: whether the instance lives in this process
//! or in another one is a choice of runner, which the engine does not see.

mod compile;
mod components;
mod in_process;
mod job;
mod limits;
mod linker;
mod local;
mod lockdown;
mod prepared;
mod runtime;
mod step;
mod worker;

pub use compile::{COMPILE, compiler};
pub use components::Loaded;
pub use limits::Limits;
pub use local::InProcess;
pub use lockdown::{Confinement, Lockdown, Mechanism};
pub use step::{ErrorCategory, StepError, StepOutcome, StepRequest, StepRunner, Usage};
pub use worker::{Tool, WORKER, WorkerSettings, Workers, worker};
