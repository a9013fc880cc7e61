//! From a step of the playbook to a request to the sandbox.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Engine, Execution};
use crate::grants::{Caller, Grant};
use crate::limits::Limits;
use crate::playbook::{Action, ActionKind, Playbook, Step};
use crate::sandbox::{ErrorCategory, StepError, StepRequest};
use crate::template::{Scope, TemplateError};
use crate::tool::schema::Schema;
use crate::tool::{Tool, Toolset, signature};

/// A step that can be run.
pub(super) struct Prepared {
    pub request: StepRequest,
    pub tool: Arc<Tool>,
}

/// Checks that the step's tenant may have its tool, and renders what it needs.
///
/// # Errors
/// If it may not, a template fails, or the tool's schemas don't allow what was
/// rendered: an error that names the file, line, step and field.
pub(super) fn prepare(
    engine: &Engine,
    execution: &Execution,
    step: &Step,
    action: &Action,
    scope: &Scope,
) -> Result<Prepared, StepError> {
    let playbook = &execution.plan.playbook;
    let grant = engine.grants.of(&execution.tenant);
    let place = Place {
        execution,
        step,
        action,
    };
    let limits = place.allowed(&grant)?;
    let tools = engine.tools.of(&execution.tenant);
    let tool = place.find(&tools, &grant)?;
    let mut args = Map::new();
    for (name, template) in &action.args {
        let value = template
            .render(scope)
            .map_err(|e| template_error(playbook, step, step.line, &format!("args.{name}"), e))?;
        args.insert(name.clone(), value);
    }
    let args = Value::Object(args);
    let mut credential = None;
    let config = match &action.kind {
        ActionKind::Python { code, line } => {
            json!({"code": code, "file": playbook.file, "line": line})
        }
        ActionKind::Postgres {
            credential: alias,
            line,
            sql,
            ..
        } => {
            let statements = sql
                .render(scope)
                .map_err(|e| template_error(playbook, step, *line, "query", e))?;
            credential = Some(alias);
            json!({"credential": alias, "statements": statements})
        }
        ActionKind::Plugin {
            config,
            credential: named,
        } => {
            let mut config = config
                .render(scope)
                .map_err(|e| template_error(playbook, step, step.line, "config", e))?;
            if let Some((alias, _)) = named {
                config["auth"] = json!(alias);
                credential = Some(alias);
            }
            place.check(tool.config(), "", &config)?;
            place.check(tool.args(), "args", &args)?;
            config
        }
    };
    let request = StepRequest {
        tool: tool.key().to_owned(),
        tenant: execution.tenant.clone(),
        execution_id: execution.id,
        playbook: playbook.path.clone(),
        step: step.name.clone(),
        config,
        args,
        grant,
        capabilities: tool.capabilities(),
        // What the step does not name, its tool can't open.
        credentials: tool
            .manifest
            .is_some()
            .then(|| credential.cloned().into_iter().collect()),
        limits,
    };
    Ok(Prepared { request, tool })
}

/// The place of an action, for errors.
struct Place<'a> {
    execution: &'a Execution,
    step: &'a Step,
    action: &'a Action,
}

impl Place<'_> {
    /// The step's limits, if its tenant may have its tool and so much.
    fn allowed(&self, grant: &Grant) -> Result<Limits, StepError> {
        let name = &self.action.reference.name;
        if !grant.allows_tool(name) {
            let tenant = &self.execution.tenant;
            let message = format!(
                "the tool `{name}` is not granted to the tenant `{tenant}`; the operator can add it to `tenants.{tenant}.tools` in the grants file"
            );
            return Err(self.denied("tool", name.as_str(), self.action.position.line, &message));
        }
        grant.limits.narrow(&self.action.limits).map_err(|wide| {
            let set = self.action.limits.iter().find(|s| s.limit == wide.limit);
            let line = set.map_or(self.step.line, |setting| setting.position.line);
            self.denied("limit", wide.limit.name(), line, &wide.to_string())
        })
    }

    /// The component that the step is to run.
    fn find(&self, tools: &Toolset, grant: &Grant) -> Result<Arc<Tool>, StepError> {
        let line = self.action.position.line;
        let tool = tools.find(&self.action.reference).map_err(|missing| {
            let message = self.message(line, &format!("field `tool`: {missing}"));
            StepError::new(ErrorCategory::InvalidInput, message)
        })?;
        if tool.pushed && !grant.tool_keys.is_empty() {
            let signature = tool.signature.as_deref().unwrap_or_default();
            signature::verify(&grant.tool_keys, &tool.digest, signature).map_err(|_| {
                let tenant = &self.execution.tenant;
                let message = format!(
                    "the component {} is not signed with a key in `tenants.{tenant}.tool_keys` of the grants file, which the tenant's tools have to be; sign it with `noetl tool push --sign`",
                    self.action.reference
                );
                self.denied("tool", &self.action.tool, line, &message)
            })?;
        }
        Ok(Arc::clone(tool))
    }

    /// Holds what was rendered against what the tool says that it needs.
    fn check(&self, schema: Option<&Schema>, field: &str, value: &Value) -> Result<(), StepError> {
        let Some(schema) = schema else {
            return Ok(());
        };
        let faults: Vec<_> = schema
            .faults(value)
            .into_iter()
            .map(|fault| format!("{}: {}", field_at(field, &fault.at), fault.message))
            .collect();
        if faults.is_empty() {
            return Ok(());
        }
        let tool = &self.action.tool;
        let message = format!("{} (by the schema of the tool `{tool}`)", faults.join("; "));
        let message = self.message(self.step.line, &message);
        Err(StepError::new(ErrorCategory::InvalidInput, message))
    }

    fn denied(&self, capability: &str, name: &str, line: usize, message: &str) -> StepError {
        let caller = Caller {
            tenant: self.execution.tenant.clone(),
            playbook: self.execution.plan.playbook.path.clone(),
            step: self.step.name.clone(),
            execution_id: Some(self.execution.id),
        };
        caller.denied(capability, name);
        StepError::new(ErrorCategory::Denied, self.message(line, message))
    }

    fn message(&self, line: usize, message: &str) -> String {
        let (file, step) = (&self.execution.plan.playbook.file, &self.step.name);
        format!("{file}:{line}: step `{step}`: {message}")
    }
}

/// A field of a step by a JSON pointer into it: ``field `args.city` ``.
fn field_at(field: &str, pointer: &str) -> String {
    let below = pointer.trim_start_matches('/').replace('/', ".");
    match (field, below.as_str()) {
        ("", "") => "the step".into(),
        ("", field) | (field, "") => format!("field `{field}`"),
        (field, below) => format!("field `{field}.{below}`"),
    }
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
