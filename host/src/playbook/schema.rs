//! What a step gives to a tool against what the tool's schemas say, as far as it is
//! known before templates are rendered.

use serde_json::{Map, Value};

use super::read::Reader;
use crate::tool::schema::Schema;
use crate::yaml::{Entry, Kind, Node, Position};

/// Holds a mapping of the playbook against a schema. `position` is where it stands;
/// `prefix` comes before its fields' names in messages.
pub(super) fn check<'n>(
    reader: &mut Reader<'_>,
    tool: &str,
    schema: Option<&Schema>,
    entries: impl Iterator<Item = &'n Entry> + Clone,
    prefix: &str,
    position: Position,
) {
    let Some(schema) = schema else {
        return;
    };
    let mut open = Vec::new();
    let value = map(entries.clone(), "", &mut open);
    for fault in schema.faults_of_part(&value, &open) {
        let at = place(entries.clone(), &fault.at).unwrap_or(position);
        let below = fault.at.trim_start_matches('/').replace('/', ".");
        let field = format!("{prefix}{below}");
        let added = reader.report.add(at, fault.message);
        let added = match field.trim_end_matches('.') {
            "" => added,
            field => added.field(field),
        };
        added.hint(format!(
            "`noetl tool show {tool}` prints what the tool takes"
        ));
    }
}

fn map<'n>(entries: impl Iterator<Item = &'n Entry>, at: &str, open: &mut Vec<String>) -> Value {
    let values = entries.map(|entry| {
        let key = entry.key.replace('~', "~0").replace('/', "~1");
        let value = known(&entry.value, &format!("{at}/{key}"), open);
        (entry.key.clone(), value)
    });
    Value::Object(values.collect::<Map<_, _>>())
}

/// The value, with null in place of what templates give; their pointers are in `open`.
fn known(node: &Node, at: &str, open: &mut Vec<String>) -> Value {
    match &node.kind {
        Kind::Text(text) if ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) => {
            open.push(at.to_owned());
            Value::Null
        }
        Kind::List(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| known(item, &format!("{at}/{index}"), open))
                .collect()
        }
        Kind::Map(entries) => map(entries.iter(), at, open),
        _ => node.to_json(),
    }
}

/// Where the value that a JSON pointer names stands.
fn place<'n>(mut entries: impl Iterator<Item = &'n Entry>, pointer: &str) -> Option<Position> {
    let mut parts = pointer.split('/').skip(1);
    let unescaped = |part: &str| part.replace("~1", "/").replace("~0", "~");
    let first = unescaped(parts.next()?);
    let mut node = &entries.find(|entry| entry.key == first)?.value;
    for part in parts {
        node = match &node.kind {
            Kind::Map(entries) => {
                let key = unescaped(part);
                &entries.iter().find(|entry| entry.key == key)?.value
            }
            Kind::List(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => break,
        };
    }
    Some(node.position)
}
