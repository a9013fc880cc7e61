//! `tool: playbook`: a step that runs another playbook.

use super::model::ActionKind;
use super::read::{Reader, path_fault};
use crate::yaml::{Entry, Kind, Position, find};

/// Reads the fields of a call; what is wrong is reported.
pub(super) fn call(
    reader: &mut Reader<'_>,
    fields: &[Entry],
    prefix: &str,
    tool: Position,
    locals: &[&str],
) -> Option<ActionKind> {
    let field = format!("{prefix}path");
    let Some(path) = find(fields, "path") else {
        reader
            .report
            .missing(tool, "path", field)
            .hint("name the playbook: `path: examples/hello`");
        return None;
    };
    let Kind::Text(text) = &path.value.kind else {
        reader.report.wrong_kind(&path.value, &field, "a text");
        return None;
    };
    let template = reader.template(path.value.position, text, &field, locals)?;
    if !template.is_dynamic()
        && let Some(fault) = path_fault(text)
    {
        reader
            .report
            .add(path.value.position, format!("the path `{text}` {fault}"))
            .field(field)
            .hint("write the path under which the playbook is registered");
        return None;
    }
    if *text == reader.path {
        reader
            .report
            .add(path.value.position, "the playbook calls itself")
            .field(field)
            .hint("repeat steps with `next` or `loop`; a playbook can't be its own part");
        return None;
    }
    let version = match find(fields, "version").map(|version| &version.value) {
        None => None,
        Some(node) => match node.to_json().as_i64().and_then(|v| i32::try_from(v).ok()) {
            Some(version) if version > 0 => Some(version),
            _ => {
                let field = format!("{prefix}version");
                reader
                    .report
                    .add(node.position, "a version is a whole number from 1")
                    .field(field)
                    .hint("take it away for the latest one");
                return None;
            }
        },
    };
    Some(ActionKind::Playbook {
        path: template,
        position: path.value.position,
        version,
    })
}
