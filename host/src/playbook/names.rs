//! Whether the names that templates read exist.

use std::collections::{HashMap, HashSet};

use super::read::is_identifier;
use super::unsupported::{self, Place};
use crate::template::{Reference, nearest};
use crate::yaml::{Position, Report, Source};

/// A template of the playbook.
pub(super) struct Use {
    pub step: Option<String>,
    pub field: String,
    pub position: Position,
    pub content: String,
    /// The names that are there beside those that every template sees.
    pub locals: Vec<String>,
    pub references: Vec<Reference>,
}

pub(super) fn check(
    uses: &[Use],
    workload: Option<&[&str]>,
    variables: &HashSet<&str>,
    steps: &[String],
    elements: &HashMap<String, String>,
    source: &Source<'_>,
    report: &mut Report,
) {
    for used in uses {
        report.about(used.step.as_deref());
        for reference in &used.references {
            if report.is_full() {
                return;
            }
            let locals = &used.locals;
            let step = used.step.as_ref();
            let step = step.filter(|_| !used.field.starts_with("loop."));
            let element = step.and_then(|step| elements.get(step));
            let told = item(reference, locals, element)
                .or_else(|| fault(reference, locals, workload, variables, steps))
                .or_else(|| below(reference, used, steps));
            if let Some((message, hint)) = told {
                let at = source.locate(used.position, &used.content, reference.offset);
                report.add(at, message).field(&used.field).hint(hint);
            }
        }
    }
    report.about(None);
}

/// Whether an item of the step's loop is meant where the step is over.
fn item(
    reference: &Reference,
    locals: &[String],
    element: Option<&String>,
) -> Option<(String, String)> {
    let root = &reference.root;
    let is_item = root == "loop" || Some(root) == element;
    (element.is_some() && is_item && !locals.contains(root)).then(|| {
        (
            format!("`{root}` is only there for each item, and this is about the whole loop"),
            "what the items gave is the list `result.data`, in their order".to_owned(),
        )
    })
}

fn fault(
    reference: &Reference,
    locals: &[String],
    workload: Option<&[&str]>,
    variables: &HashSet<&str>,
    steps: &[String],
) -> Option<(String, String)> {
    let root = reference.root.as_str();
    let attribute = reference.attribute.as_deref();
    match root {
        "execution_id" => None,
        _ if locals.iter().any(|local| local == root) => None,
        "error" => Some((
            "`error` is only there once a step may have failed: in and after `on_error`, in `finally` and in `retry`".to_owned(),
            "add `on_error` to the step whose error is meant, or name that step: `{{ that_step.error.message }}`".to_owned(),
        )),
        "attempt" => Some((
            "`attempt` is only there in the conditions of `retry`".to_owned(),
            "count in a variable instead".to_owned(),
        )),
        "loop" => Some((
            "`loop` is only there in a step with a `loop`, and inside of `{% for %}`".to_owned(),
            "add `loop:` with `collection` and `element` to the step".to_owned(),
        )),
        "result" => Some((
            "`result` is only there after a tool: in `vars`, `next`, `assert` and `sink` of a step that has one".to_owned(),
            "save what you need in `vars` of the step that made it, or name that step: \
             `{{ that_step.data }}`"
                .to_owned(),
        )),
        "vars" => {
            let name = attribute.filter(|name| !variables.contains(name))?;
            Some((
                format!("no step declares the variable `{name}`"),
                match nearest(name, variables.iter().copied()) {
                    Some(near) => format!("did you mean `vars.{near}`?"),
                    None => format!("add `{name}:` to `vars` of the step that knows it"),
                },
            ))
        }
        "workload" => {
            let workload = workload?; // If it can't be read, that is the mistake.
            let name = attribute.filter(|name| !workload.contains(name))?;
            Some((
                format!("the workload has no `{name}`"),
                match nearest(name, workload.iter().copied()) {
                    Some(near) => format!("did you mean `workload.{near}`?"),
                    None => format!("add `{name}:` with its default to `workload`"),
                },
            ))
        }
        _ if steps.iter().any(|step| step == root) => None,
        _ => Some((
            format!("`{root}` is not known here"),
            elsewhere(root, locals, workload, variables, steps),
        )),
    }
}

/// What `result` has, and in part every step.
const RESULT: [&str; 4] = ["status", "data", "errors", "sink"];
const ERROR: [&str; 7] = [
    "category", "kind", "message", "code", "details", "step", "tool",
];
/// What a mapping of Python can be asked.
const METHODS: [&str; 4] = ["get", "items", "keys", "values"];

/// Whether what is read of a result is there: a name that never is would only be
/// undefined, and a condition on it false for ever.
fn below(reference: &Reference, used: &Use, steps: &[String]) -> Option<(String, String)> {
    let root = reference.root.as_str();
    let attribute = reference.attribute.as_deref()?;
    let is_index = attribute.bytes().all(|byte| byte.is_ascii_digit());
    if METHODS.contains(&attribute) || !(is_index || is_identifier(attribute)) {
        return None;
    }
    let is_local = used.locals.iter().any(|local| local == root);
    let is_step = !is_local && steps.iter().any(|step| step == root);
    if is_step && attribute == "status" && used.step.as_deref() == Some(root) {
        let in_next = used.field.starts_with("next");
        return in_next.then(|| {
            (
                format!("`{root}` has not failed where its `next` is taken"),
                "write what follows a failure in `on_error` of the step".to_owned(),
            )
        });
    }
    if is_local && root == "error" {
        return (!ERROR.contains(&attribute)).then(|| {
            (
                format!("`error` has no `{attribute}`"),
                format!(
                    "it has {}; an answer's status is its `code`",
                    ERROR.join(", ")
                ),
            )
        });
    }
    let is_known = RESULT.contains(&attribute) || (is_step && attribute == "error");
    if is_known || !(is_step || (is_local && root == "result")) {
        return None;
    }
    Some((
        format!("`{root}` has no `{attribute}`"),
        match is_index {
            true => {
                format!("what the tool gave is `{root}.data`: write `{root}.data[{attribute}]`")
            }
            // As NoETL names what the tool gave.
            false if attribute == "result" => format!("what the tool gave is `{root}.data`"),
            false => {
                format!("what the tool gave is `{root}.data`: write `{root}.data.{attribute}`")
            }
        },
    ))
}

fn elsewhere(
    root: &str,
    locals: &[String],
    workload: Option<&[&str]>,
    variables: &HashSet<&str>,
    steps: &[String],
) -> String {
    if variables.contains(root) {
        return format!("did you mean `vars.{root}`?");
    }
    if workload.is_some_and(|workload| workload.contains(&root)) {
        return format!("did you mean `workload.{root}`?");
    }
    let names = ["workload", "vars", "result", "execution_id", "error"];
    let names = names.into_iter().chain(locals.iter().map(String::as_str));
    let near = nearest(root, names.chain(steps.iter().map(String::as_str)));
    match (near, unsupported::find(Place::Name, root)) {
        (_, Some(row)) if row.why.is_empty() => row.instead.to_owned(),
        (_, Some(row)) => format!("{}; {}", row.why, row.instead),
        (Some(near), None) => format!("did you mean `{near}`?"),
        (None, None) => {
            "there are `workload`, `vars`, `result`, `execution_id` and the steps' names; \
                 a text needs quotes"
                .to_owned()
        }
    }
}
