//! From a step of the playbook to what is to be run for it.

use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::context::Context;
use crate::grants::{Caller, Grant};
use crate::limits::{Limits, Setting};
use crate::playbook::{Action, ActionKind, Playbook, Sink, Step};
use crate::sandbox::{ErrorCategory, StepError, StepRequest};
use crate::template::{Scope, TemplateError};
use crate::tool::schema::Schema;
use crate::tool::{Reference, Tool, Toolset, signature};

/// A step's action with everything in it rendered.
pub(super) struct Rendered {
    /// The arguments, an object.
    pub args: Value,
    pub what: What,
}

pub(super) enum What {
    /// A tool, with its configuration and the credential that it may open.
    Tool {
        config: Value,
        credential: Option<String>,
    },
    /// Another playbook.
    Playbook { path: String, version: Option<i32> },
}

/// An action that can be run.
pub(super) struct Prepared {
    /// The arguments, an object.
    pub args: Value,
    pub call: Call,
    /// Version and digest of a tool that was pushed.
    pub component: Option<Value>,
}

pub(super) enum Call {
    Tool(Box<StepRequest>),
    Playbook {
        path: String,
        version: Option<i32>,
        payload: Map<String, Value>,
    },
}

/// Renders what the step's action needs.
///
/// # Errors
/// A template fails: an error that names the file, line, step and field.
pub(super) fn render(
    playbook: &Playbook,
    step: &Step,
    action: &Action,
    scope: &Scope,
) -> Result<Rendered, StepError> {
    let mut args = Map::new();
    for (name, template) in &action.args {
        let value = template
            .render(scope)
            .map_err(|e| template_error(playbook, step, step.line, &format!("args.{name}"), e))?;
        args.insert(name.clone(), value);
    }
    let what = match &action.kind {
        ActionKind::Python { code, line } => What::Tool {
            config: json!({"code": code, "file": playbook.file, "line": line}),
            credential: None,
        },
        ActionKind::Postgres {
            credential,
            line,
            sql,
            ..
        } => {
            let statements = sql
                .render(scope)
                .map_err(|e| template_error(playbook, step, *line, "query", e))?;
            What::Tool {
                config: json!({"credential": credential, "statements": statements}),
                credential: Some(credential.clone()),
            }
        }
        ActionKind::Plugin { config, credential } => {
            let mut config = config
                .render(scope)
                .map_err(|e| template_error(playbook, step, step.line, "config", e))?;
            if let Some((alias, _)) = credential {
                config["auth"] = json!(alias);
            }
            What::Tool {
                config,
                credential: credential.as_ref().map(|(alias, _)| alias.clone()),
            }
        }
        ActionKind::Playbook { path, version, .. } => {
            let rendered = path
                .render(scope)
                .map_err(|e| template_error(playbook, step, step.line, "path", e))?;
            let Value::String(path) = rendered else {
                let what = format!("this must be a text, it is {rendered}");
                let message = located(playbook, step, step.line, Some("path"), what);
                return Err(StepError::new(ErrorCategory::InvalidInput, message));
            };
            What::Playbook {
                path,
                version: *version,
            }
        }
    };
    Ok(Rendered {
        args: Value::Object(args),
        what,
    })
}

/// Renders what the step's action needs, and checks that its tenant may have the tool.
///
/// # Errors
/// If it may not, a template fails, or the tool's schemas don't allow what was
/// rendered: an error that names the file, line, step and field.
pub(super) fn prepare(
    context: &Context,
    step: &Step,
    action: &Action,
    scope: &Scope,
) -> Result<Prepared, StepError> {
    let place = Place {
        context,
        step,
        reference: &action.reference,
        line: action.position.line,
        limits: &action.limits,
    };
    // What may not be run is not rendered.
    let may = match action.kind {
        ActionKind::Playbook { .. } => None,
        _ => Some(place.tool()?),
    };
    let Rendered { args, what } = render(&context.plan.playbook, step, action, scope)?;
    match (what, may) {
        (What::Tool { config, credential }, Some(may)) => {
            if matches!(action.kind, ActionKind::Plugin { .. }) {
                place.check(may.tool.config(), "", &config)?;
                place.check(may.tool.args(), "args", &args)?;
            }
            let component = may
                .tool
                .pushed
                .then(|| json!({"version": may.tool.version, "digest": may.tool.digest}));
            Ok(Prepared {
                args: args.clone(),
                call: Call::Tool(Box::new(place.request(may, config, args, credential))),
                component,
            })
        }
        (What::Playbook { path, version }, _) => Ok(Prepared {
            call: Call::Playbook {
                path,
                version,
                payload: args.as_object().cloned().unwrap_or_default(),
            },
            args,
            component: None,
        }),
        (What::Tool { .. }, None) => unreachable!("only playbooks are called without a tool"),
    }
}

/// The request that writes the rows of a step's result, and the line of its table.
///
/// # Errors
/// If the tenant may not have it, a template fails, or there are no rows in what it
/// gives.
pub(super) fn prepare_sink(
    context: &Context,
    step: &Step,
    sink: &Sink,
    scope: &Scope,
    data: &Value,
) -> Result<StepRequest, StepError> {
    let place = Place {
        context,
        step,
        reference: &sink.tool,
        line: sink.line,
        limits: &[],
    };
    let may = place.tool()?;
    let rows = match &sink.rows {
        None => data.clone(),
        Some(template) => template
            .render(scope)
            .map_err(|e| template_error(&context.plan.playbook, step, sink.line, "sink.rows", e))?,
    };
    let rows = match rows {
        Value::Array(rows) => rows,
        row @ Value::Object(_) => vec![row],
        other => {
            let message = format!(
                "field `sink.rows`: rows are objects in a list, this is {}",
                kind_of(&other)
            );
            return Err(StepError::new(
                ErrorCategory::InvalidInput,
                place.message(sink.line, &message),
            ));
        }
    };
    if let Some((at, other)) = rows.iter().enumerate().find(|(_, row)| !row.is_object()) {
        let message = format!(
            "field `sink.rows`: a row is an object, item {} is {}",
            at + 1,
            kind_of(other)
        );
        return Err(StepError::new(
            ErrorCategory::InvalidInput,
            place.message(sink.line, &message),
        ));
    }
    let config = json!({
        "credential": sink.credential,
        "copy": {"table": sink.table, "key": sink.key},
    });
    // They may be many: `json!` would copy them.
    let args = Value::Object(Map::from_iter([("rows".to_owned(), Value::Array(rows))]));
    Ok(place.request(may, config, args, Some(sink.credential.clone())))
}

/// What a JSON value is, in words.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A tool that the tenant may have.
struct May {
    grant: Arc<Grant>,
    limits: Limits,
    tool: Arc<Tool>,
}

/// The place of an action, for errors.
struct Place<'a> {
    context: &'a Context,
    step: &'a Step,
    reference: &'a Reference,
    /// The line of the tool's name.
    line: usize,
    limits: &'a [Setting],
}

impl Place<'_> {
    fn tool(&self) -> Result<May, StepError> {
        let context = self.context;
        let grant = context.engine.grants.of(&context.tenant);
        let limits = self.allowed(&grant)?;
        let tool = self.find(&context.engine.tools.of(&context.tenant), &grant)?;
        Ok(May {
            grant,
            limits,
            tool,
        })
    }

    fn request(
        &self,
        may: May,
        config: Value,
        args: Value,
        credential: Option<String>,
    ) -> StepRequest {
        let May {
            grant,
            limits,
            tool,
        } = may;
        StepRequest {
            tool: tool.key().to_owned(),
            tenant: self.context.tenant.clone(),
            execution_id: self.context.id,
            playbook: self.context.plan.playbook.path.clone(),
            step: self.step.name.clone(),
            config,
            args,
            grant,
            capabilities: tool.capabilities(),
            // What the step does not name, its tool can't open.
            credentials: tool
                .manifest
                .is_some()
                .then(|| credential.into_iter().collect()),
            limits,
        }
    }

    /// The step's limits, if its tenant may have its tool and so much.
    fn allowed(&self, grant: &Grant) -> Result<Limits, StepError> {
        let name = &self.reference.name;
        if !grant.allows_tool(name) {
            let tenant = &self.context.tenant;
            let message = format!(
                "the tool `{name}` is not granted to the tenant `{tenant}`; the operator can add it to `tenants.{tenant}.tools` in the grants file"
            );
            return Err(self.denied("tool", name.as_str(), self.line, &message));
        }
        grant.limits.narrow(self.limits).map_err(|wide| {
            let set = self.limits.iter().find(|s| s.limit == wide.limit);
            let line = set.map_or(self.step.line, |setting| setting.position.line);
            self.denied("limit", wide.limit.name(), line, &wide.to_string())
        })
    }

    /// The component that the step is to run.
    fn find(&self, tools: &Toolset, grant: &Grant) -> Result<Arc<Tool>, StepError> {
        let line = self.line;
        let tool = tools.find(self.reference).map_err(|missing| {
            let message = self.message(line, &format!("field `tool`: {missing}"));
            StepError::new(ErrorCategory::InvalidInput, message)
        })?;
        if tool.pushed && !grant.tool_keys.is_empty() {
            let signature = tool.signature.as_deref().unwrap_or_default();
            signature::verify(&grant.tool_keys, &tool.digest, signature).map_err(|_| {
                let tenant = &self.context.tenant;
                let message = format!(
                    "the component {} is not signed with a key in `tenants.{tenant}.tool_keys` of the grants file, which the tenant's tools have to be; sign it with `noetl tool push --sign`",
                    self.reference
                );
                self.denied("tool", self.reference.name.as_str(), line, &message)
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
        let tool = &self.reference.name;
        let message = format!("{} (by the schema of the tool `{tool}`)", faults.join("; "));
        let message = self.message(self.step.line, &message);
        Err(StepError::new(ErrorCategory::InvalidInput, message))
    }

    fn denied(&self, capability: &str, name: &str, line: usize, message: &str) -> StepError {
        let caller = Caller {
            tenant: self.context.tenant.clone(),
            playbook: self.context.plan.playbook.path.clone(),
            step: self.step.name.clone(),
            execution_id: Some(self.context.id),
        };
        caller.denied(capability, name);
        StepError::new(ErrorCategory::Denied, self.message(line, message))
    }

    fn message(&self, line: usize, message: &str) -> String {
        let playbook = &self.context.plan.playbook;
        located(playbook, self.step, line, None, message)
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

/// A message with the place that it is about.
pub(super) fn located(
    playbook: &Playbook,
    step: &Step,
    line: usize,
    field: Option<&str>,
    what: impl Display,
) -> String {
    let (file, name) = (&playbook.file, &step.name);
    match field {
        Some(field) => format!("{file}:{line}: step `{name}`, field `{field}`: {what}"),
        None => format!("{file}:{line}: step `{name}`: {what}"),
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
            located(playbook, step, line, Some(field), error),
        )
    }
}
