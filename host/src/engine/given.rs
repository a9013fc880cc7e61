//! What a step gave.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sandbox::{ErrorCategory, StepError, StepOutcome, Usage};

/// What a step gave: `result` without its `status`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Given {
    /// `result.data`; `result` in events, which are older than the rest.
    #[serde(rename = "result", default)]
    pub data: Value,
    /// `result.errors`, of a loop that goes on when an item has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<Value>>,
    /// `result.sink`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<Value>,
}

impl Given {
    /// `result`, as templates see it.
    pub fn result(&self) -> Value {
        let mut result = json!({"status": "success", "data": self.data});
        if let Some(errors) = &self.errors {
            result["errors"] = json!(errors);
        }
        if let Some(sink) = &self.sink {
            result["sink"] = sink.clone();
        }
        result
    }
}

/// Why a step failed, as templates see it: `error`.
pub(super) fn error_value(step: &str, tool: Option<&str>, error: &StepError) -> Value {
    let mut value = json!(error);
    value["step"] = json!(step);
    value["tool"] = json!(tool);
    value
}

/// An attempt that did not even reach the sandbox.
pub(super) fn without(error: StepError) -> StepOutcome {
    StepOutcome {
        result: Err(error),
        log: Vec::new(),
        usage: Usage::default(),
    }
}

/// Adds what one more attempt or item used.
pub(super) fn add(usage: &mut Usage, more: Usage) {
    usage.duration += more.duration;
    usage.queued += more.queued;
    usage.cpu += more.cpu;
    usage.memory_bytes = usage.memory_bytes.max(more.memory_bytes);
    usage.host_calls += more.host_calls;
}

/// Whether another attempt can't go better: the step asked for what it can't have.
pub(super) fn is_final(category: ErrorCategory) -> bool {
    use ErrorCategory as C;
    matches!(
        category,
        C::InvalidInput | C::Denied | C::Limit | C::Cancelled
    )
}
