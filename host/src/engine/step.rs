//! From a step of the playbook to a request to the sandbox.

use serde_json::{Map, Value, json};

use super::Execution;
use crate::playbook::{Action, ActionKind, Playbook, Step};
use crate::sandbox::{ErrorCategory, Limits, StepError, StepRequest};
use crate::template::{Scope, TemplateError};

/// Renders what the step's tool needs.
///
/// # Errors
/// If a template fails: an error that names the file, line, step and field.
pub(super) fn request(
    execution: &Execution,
    step: &Step,
    action: &Action,
    scope: &Scope,
) -> Result<StepRequest, StepError> {
    let playbook = &execution.plan.playbook;
    let mut args = Map::new();
    for (name, template) in &action.args {
        let value = template
            .render(scope)
            .map_err(|e| template_error(playbook, step, step.line, &format!("args.{name}"), e))?;
        args.insert(name.clone(), value);
    }
    let config = match &action.kind {
        ActionKind::Python { code, line } => {
            json!({"code": code, "file": playbook.file, "line": line})
        }
        ActionKind::Postgres {
            credential,
            line,
            sql,
        } => {
            let statements = sql
                .render(scope)
                .map_err(|e| template_error(playbook, step, *line, "query", e))?;
            json!({"credential": credential, "statements": statements})
        }
        ActionKind::Plugin { config } => config
            .render(scope)
            .map_err(|e| template_error(playbook, step, step.line, "config", e))?,
    };
    Ok(StepRequest {
        tool: action.tool.clone(),
        tenant: execution.tenant.clone(),
        execution_id: execution.id,
        step: step.name.clone(),
        config,
        args: Value::Object(args),
        limits: Limits::default(),
    })
}

/// A template's error as the step's, with its place in the playbook.
pub(super) fn template_error(
    playbook: &Playbook,
    step: &Step,
    line: usize,
    field: &str,
    error: TemplateError,
) -> StepError {
    StepError {
        kind: "template".into(),
        ..StepError::new(
            ErrorCategory::InvalidInput,
            format!(
                "{}:{line}: step `{}`, field `{field}`: {error}",
                playbook.file, step.name
            ),
        )
    }
}
