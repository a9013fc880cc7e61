//! Runs one tool step in a fresh component instance.
//!
//! [`StepRunner`] is the only door: whether the instance lives in this process
//! or in another one is a choice of runner, which the engine does not see.

mod components;
mod in_process;
mod limits;
mod linker;
mod prepared;
mod runtime;
mod step;

pub use components::{ComponentCache, Loaded};
pub use in_process::InProcess;
pub use limits::Limits;
pub use step::{ErrorCategory, StepError, StepOutcome, StepRequest, StepRunner, Usage};
