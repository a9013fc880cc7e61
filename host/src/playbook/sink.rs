//! `sink`: where the rows of a result go.

use super::control::one_of;
use super::model::Sink;
use super::read::Reader;
use super::tool;
use crate::yaml::{Entry, Kind, Node, find};

const FIELDS: [&str; 6] = ["tool", "auth", "table", "rows", "mode", "key"];

/// Reads `sink`; what is wrong is reported.
pub(super) fn sink(reader: &mut Reader<'_>, fields: &[Entry]) -> Option<Sink> {
    let entry = find(fields, "sink")?;
    let entries = reader.report.mapping(&entry.value, "sink")?;
    reader.report.unknown_fields(entries, &FIELDS, "sink.");
    let tool = reader.required_text(entries, "tool", "sink.tool", entry.position)?;
    if tool != "postgres" {
        let at = find(entries, "tool").map_or(entry.position, |tool| tool.value.position);
        reader
            .report
            .add(at, format!("`{tool}` can't be a sink"))
            .field("sink.tool")
            .hint("write `tool: postgres`; for anything else add a step with that tool");
        return None;
    }
    let credential = tool::credential(reader, entries, "sink.", entry.position);
    let table = reader.required_text(entries, "table", "sink.table", entry.position);
    let table = table.and_then(|name| {
        let parts: Vec<String> = name.split('.').map(|part| part.trim().to_owned()).collect();
        if parts.len() <= 2 && parts.iter().all(|part| !part.is_empty()) {
            return Some(parts);
        }
        let at = find(entries, "table").map_or(entry.position, |table| table.value.position);
        reader
            .report
            .add(at, format!("`{name}` is not the name of a table"))
            .field("sink.table")
            .hint("write `table` or `schema.table`, without quotes");
        None
    });
    let rows = match find(entries, "rows") {
        None => None,
        Some(rows) => Some(reader.value(&rows.value, "sink.rows", &["result"])?),
    };
    let mode = one_of(reader, entries, "mode", "sink.mode", &["insert", "upsert"]);
    let key = match find(entries, "key") {
        None => Vec::new(),
        Some(key) => columns(reader, &key.value)?,
    };
    let (missing, hint) = match (mode, key.is_empty()) {
        (Some(1), true) => (
            "`mode: upsert` needs a `key`",
            "name the columns that tell which row to replace: `key: [id]`",
        ),
        (Some(1), false) | (_, true) => ("", ""),
        (_, false) => (
            "`key` is for `mode: upsert`",
            "write `mode: upsert`, or take it away",
        ),
    };
    if !missing.is_empty() {
        reader
            .report
            .add(entry.position, missing)
            .field("sink.key")
            .hint(hint);
        return None;
    }
    let (credential, position) = credential?;
    let tool = tool.parse().expect("it is `postgres`");
    Some(Sink {
        line: entry.position.line,
        tool,
        credential,
        position,
        table: table?,
        rows,
        key,
    })
}

fn columns(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<String>> {
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let columns = items.iter().map(|item| match &item.kind {
        Kind::Text(name) if !name.is_empty() => Some(name.clone()),
        _ => {
            reader
                .report
                .wrong_kind(item, "sink.key", "a column's name");
            None
        }
    });
    let columns: Vec<_> = columns.collect();
    columns.into_iter().collect()
}
