//! A step on its way into the sandbox and out again: JSON is text here, as the
//! guest sees it, and nothing that comes out is believed before it is checked.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::limiter::exceeded;
use super::{ErrorCategory, Limit, Limits, StepError, StepOutcome, StepRequest, Usage};
use crate::capabilities::log::Written;
use crate::visible::cut;

/// A step, as it goes in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    pub tool: String,
    pub tenant: String,
    pub execution_id: Uuid,
    pub step: String,
    pub config: String,
    pub args: String,
    pub limits: Limits,
}

impl From<&StepRequest> for Job {
    fn from(request: &StepRequest) -> Self {
        Self {
            tool: request.tool.clone(),
            tenant: request.tenant.clone(),
            execution_id: request.execution_id,
            step: request.step.clone(),
            config: request.config.to_string(),
            args: request.args.to_string(),
            limits: request.limits,
        }
    }
}

/// What became of it, as it comes out.
#[derive(Debug)]
pub(super) struct Done {
    /// The result's JSON text.
    pub result: Result<String, StepError>,
    pub log: Written,
    pub usage: Usage,
}

impl Done {
    /// Holds what came out against the step's limits.
    pub fn admit(self, limits: Limits) -> StepOutcome {
        StepOutcome {
            result: self
                .result
                .map_err(|error| bounded(error, limits))
                .and_then(|text| parse(&text, limits)),
            log: self
                .log
                .admit(usize::try_from(limits.log).unwrap_or(usize::MAX)),
            usage: self.usage,
        }
    }
}

fn parse(text: &str, limits: Limits) -> Result<serde_json::Value, StepError> {
    if text.len() as u64 > limits.output {
        return Err(exceeded(limits, Limit::Output));
    }
    serde_json::from_str(text).map_err(|e| {
        StepError::new(
            ErrorCategory::Trap,
            format!("the tool returned text that is not JSON: {e}"),
        )
    })
}

/// The error with no more text than a result may have.
fn bounded(mut error: StepError, limits: Limits) -> StepError {
    let most = usize::try_from(limits.output).unwrap_or(usize::MAX);
    for text in [&mut error.kind, &mut error.message] {
        cut(text, most);
    }
    if let Some(code) = &mut error.code {
        cut(code, 100);
    }
    error.details = error
        .details
        .filter(|details| details.to_string().len() <= most);
    error
}
