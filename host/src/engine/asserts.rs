//! What must hold after a step.

use super::step::{located, template_error};
use crate::playbook::{Playbook, Step};
use crate::sandbox::{ErrorCategory, StepError};
use crate::template::Scope;

/// Checks all of a step's assertions.
///
/// # Errors
/// The first one that does not hold, or can't be evaluated.
pub(super) fn check(playbook: &Playbook, step: &Step, scope: &Scope) -> Result<(), StepError> {
    for (index, assert) in step.asserts.iter().enumerate() {
        let line = assert.condition.line;
        let field = format!("assert[{index}]");
        let fault = |e| template_error(playbook, step, line, &field, e);
        if assert.condition.template.is_true(scope).map_err(fault)? {
            continue;
        }
        let why = match &assert.message {
            None => format!(
                "`{}` does not hold",
                assert.condition.template.source().trim()
            ),
            Some(message) => match message.render(scope).map_err(fault)? {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            },
        };
        return Err(StepError {
            kind: "assertion".into(),
            ..StepError::new(
                ErrorCategory::Failed,
                located(playbook, step, line, Some(&field), why),
            )
        });
    }
    Ok(())
}
