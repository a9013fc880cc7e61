//! Where a step leads.

use super::control::condition;
use super::model::{Branch, Next};
use super::read::Reader;
use crate::yaml::{Entry, Kind, Node, find};

const HOW: &str = "write `- when: \"{{ … }}\"` with `then:`, and last `- step: …` or `- else:`";

/// Reads `next` or `on_error`, which is `key`; what is wrong is reported, and the rest
/// returned.
pub(super) fn next(
    reader: &mut Reader<'_>,
    key: &'static str,
    step: &str,
    fields: &[Entry],
    locals: &[&str],
) -> Next {
    let before = reader.report.count();
    let next = read(reader, key, step, fields, locals);
    if reader.report.count() > before {
        reader.broken_flow = true;
    }
    next
}

fn read(
    reader: &mut Reader<'_>,
    key: &'static str,
    step: &str,
    fields: &[Entry],
    locals: &[&str],
) -> Next {
    let Some(entry) = find(fields, key) else {
        return Next::None;
    };
    if matches!(&entry.value.kind, Kind::Null) {
        return Next::None;
    }
    if step == "end" && key == "next" {
        reader
            .report
            .add(entry.position, "the step `end` leads nowhere")
            .field("next")
            .hint("take `next` away, or give the step another name");
    }
    let items = match &entry.value.kind {
        Kind::List(items) => items,
        Kind::Text(name) => {
            reader
                .report
                .add(entry.value.position, format!("`{key}` must be a list"))
                .field(key)
                .hint(format!("write `- step: {name}` on a line of its own"));
            return Next::None;
        }
        _ => {
            reader
                .report
                .add(
                    entry.value.position,
                    format!("`{key}` must be a list, it is {}", entry.value.what()),
                )
                .field(key)
                .hint("begin each entry with `- `");
            return Next::None;
        }
    };
    let has = |key: &str| {
        items
            .iter()
            .any(|item| matches!(&item.kind, Kind::Map(entry) if find(entry, key).is_some()))
    };
    match has("when") {
        true => branches(reader, key, items, locals),
        false => all(reader, key, items),
    }
}

fn all(reader: &mut Reader<'_>, key: &str, items: &[Node]) -> Next {
    let mut steps = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let field = format!("{key}[{index}]");
        let Some(entry) = reader.report.mapping(item, &field) else {
            continue;
        };
        if let Some(stray) = find(entry, "then").or_else(|| find(entry, "else")) {
            reader
                .report
                .add(stray.position, format!("`{}` without a `when`", stray.key))
                .field(&field)
                .hint(HOW);
            continue;
        }
        target(reader, item, entry, &field, &mut steps);
    }
    match steps.is_empty() {
        true => Next::None,
        false => Next::All(steps),
    }
}

fn branches(reader: &mut Reader<'_>, key: &str, items: &[Node], locals: &[&str]) -> Next {
    let mut branches = Vec::new();
    let mut default: Option<Vec<usize>> = None;
    for (index, item) in items.iter().enumerate() {
        let field = format!("{key}[{index}]");
        let Some(entry) = reader.report.mapping(item, &field) else {
            continue;
        };
        let is_branch = find(entry, "when").is_some();
        if default.is_some() {
            let (message, hint) = match is_branch {
                true => (
                    "an entry after the default is never tried",
                    "put the entry without `when` last",
                ),
                false => (
                    "there are two defaults",
                    "write one `- else:` with all of its steps below it",
                ),
            };
            reader
                .report
                .add(item.position, message)
                .field(&field)
                .hint(hint);
            continue;
        }
        if is_branch {
            branches.extend(branch(reader, item, entry, &field, locals));
        } else if let Some(otherwise) = find(entry, "else") {
            unknown(reader, entry, &["else"], &field);
            default = Some(steps(reader, &otherwise.value, &format!("{field}.else")));
        } else if let Some(then) = find(entry, "then") {
            reader
                .report
                .add(then.position, "`then` without a `when`")
                .field(&field)
                .hint(HOW);
        } else {
            let mut steps = Vec::new();
            target(reader, item, entry, &field, &mut steps);
            default = Some(steps);
        }
    }
    Next::Branches {
        branches,
        default: default.unwrap_or_default(),
    }
}

fn branch(
    reader: &mut Reader<'_>,
    item: &Node,
    entry: &[Entry],
    field: &str,
    locals: &[&str],
) -> Option<Branch> {
    if let Some(otherwise) = find(entry, "else") {
        reader
            .report
            .add(otherwise.position, "`else` belongs in an entry of its own")
            .field(field)
            .hint("write `- else:` as the last entry of `next`");
    }
    if let Some(step) = find(entry, "step") {
        reader
            .report
            .add(step.position, "a `when` leads on with `then`")
            .field(field)
            .hint("write `then:` and below it `- step: …`");
        return None;
    }
    unknown(reader, entry, &["when", "then", "else"], field);
    let when = find(entry, "when")?;
    let condition = condition(reader, &when.value, &format!("{field}.when"), locals);
    let then = match find(entry, "then") {
        Some(then) => steps(reader, &then.value, &format!("{field}.then")),
        None => {
            reader
                .report
                .missing(item.position, "then", field)
                .hint("write `then:` and below it `- step: …`");
            return None;
        }
    };
    Some(Branch {
        condition: condition?,
        then,
    })
}

/// The list of `- step:` under `then` or `else`.
fn steps(reader: &mut Reader<'_>, node: &Node, field: &str) -> Vec<usize> {
    let mut steps = Vec::new();
    let Some(items) = reader.report.list(node, field) else {
        return steps;
    };
    if items.is_empty() {
        reader
            .report
            .add(node.position, "there is no step in it")
            .field(field)
            .hint("write `- step: …`");
    }
    for (index, item) in items.iter().enumerate() {
        let field = format!("{field}[{index}]");
        if let Some(entry) = reader.report.mapping(item, &field) {
            target(reader, item, entry, &field, &mut steps);
        }
    }
    steps
}

/// One `- step: name`.
fn target(
    reader: &mut Reader<'_>,
    item: &Node,
    entry: &[Entry],
    field: &str,
    steps: &mut Vec<usize>,
) {
    let before = reader.report.count();
    unknown(reader, entry, &["step"], field);
    if find(entry, "step").is_none() && reader.report.count() > before {
        return; // The unknown field is the misspelt one.
    }
    let field = format!("{field}.step");
    let Some(name) = reader.required_text(entry, "step", &field, item.position) else {
        return;
    };
    let position = find(entry, "step").map_or(item.position, |step| step.value.position);
    match reader.steps.iter().position(|known| *known == name) {
        Some(index) if steps.contains(&index) => {
            reader
                .report
                .add(position, format!("the step `{name}` is there twice"))
                .field(field)
                .hint("take one of them away");
        }
        Some(index) if index >= reader.workflow_steps => {
            reader
                .report
                .add(
                    position,
                    format!("`{name}` is a step of `finally`, no step leads there"),
                )
                .field(field)
                .hint("it runs by itself when the workflow has ended");
        }
        Some(index) => steps.push(index),
        None => {
            let known = reader.steps.clone();
            reader
                .report
                .add(position, format!("there is no step `{name}`"))
                .field(field)
                .suggest(&name, known.iter().map(String::as_str));
        }
    }
}

fn unknown(reader: &mut Reader<'_>, entry: &[Entry], known: &[&str], field: &str) {
    reader
        .report
        .unknown_fields(entry, known, &format!("{field}."));
}
