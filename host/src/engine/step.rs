//! From a step of the playbook to a request to the sandbox.

use serde_json::{Map, Value, json};

use super::Execution;
use crate::grants::{Caller, Grant, Grants};
use crate::limits::Limits;
use crate::playbook::{Action, ActionKind, Playbook, Step};
use crate::sandbox::{ErrorCategory, StepError, StepRequest};
use crate::template::{Scope, TemplateError};

/// Checks that the step's tenant may have its tool, and renders what it needs.
///
/// # Errors
/// If it may not, or a template fails: an error that names the file, line, step
/// and field.
pub(super) fn request(
    grants: &Grants,
    execution: &Execution,
    step: &Step,
    action: &Action,
    scope: &Scope,
) -> Result<StepRequest, StepError> {
    let playbook = &execution.plan.playbook;
    let grant = grants.of(&execution.tenant);
    let limits = allowed(&grant, execution, step, action)?;
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
            ..
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
        playbook: playbook.path.clone(),
        step: step.name.clone(),
        config,
        args: Value::Object(args),
        grant,
        capabilities: None,
        credentials: None,
        limits,
    })
}

/// The step's limits, if its tenant may have its tool and so much.
fn allowed(
    grant: &Grant,
    execution: &Execution,
    step: &Step,
    action: &Action,
) -> Result<Limits, StepError> {
    let playbook = &execution.plan.playbook;
    let denied = |capability: &str, name: &str, line: usize, message: String| {
        let caller = Caller {
            tenant: execution.tenant.clone(),
            playbook: playbook.path.clone(),
            step: step.name.clone(),
            execution_id: Some(execution.id),
        };
        caller.denied(capability, name);
        let (file, step) = (&playbook.file, &step.name);
        StepError::new(
            ErrorCategory::Denied,
            format!("{file}:{line}: step `{step}`: {message}"),
        )
    };
    if !grant.tools.allows(&action.tool) {
        let (tool, tenant) = (&action.tool, &execution.tenant);
        let message = format!(
            "the tool `{tool}` is not granted to the tenant `{tenant}`; the operator can add it to `tenants.{tenant}.tools` in the grants file"
        );
        return Err(denied("tool", tool, action.position.line, message));
    }
    grant.limits.narrow(&action.limits).map_err(|wide| {
        let set = action.limits.iter().find(|s| s.limit == wide.limit);
        let line = set.map_or(step.line, |setting| setting.position.line);
        denied("limit", wide.limit.name(), line, wide.to_string())
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
