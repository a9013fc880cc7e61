//! How a step's action is run: for each item of a list, again after a failure, for so
//! long, and what must hold after it.

use std::time::Duration;

use super::model::{Assert, Condition, Join, Loop, Retry};
use super::read::{RESERVED, Reader, is_identifier};
use crate::limits::Unit;
use crate::template::ValueTemplate;
use crate::yaml::{Entry, Kind, Node, find, find_text};

const LOOP: [&str; 5] = ["collection", "element", "mode", "concurrency", "on_failure"];
const RETRY: [&str; 7] = [
    "attempts",
    "delay",
    "backoff",
    "max_delay",
    "jitter",
    "retry_when",
    "stop_when",
];
const MAX_ATTEMPTS: u64 = 100;
/// Items at once, unless the playbook says how many.
const CONCURRENCY: usize = 10;
const MAX_CONCURRENCY: u64 = 1000;
const DELAY: Duration = Duration::from_secs(1);
const MAX_DELAY: Duration = Duration::from_secs(30);
/// A wait or timeout can't be longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// `loop`; what is wrong is reported.
pub(super) fn each(reader: &mut Reader<'_>, fields: &[Entry]) -> Option<Loop> {
    let entry = find(fields, "loop")?;
    let entries = reader.report.mapping(&entry.value, "loop")?;
    reader.report.unknown_fields(entries, &LOOP, "loop.");
    let element = reader.required_text(entries, "element", "loop.element", entry.position);
    let element = element.filter(|name| is_element(reader, entries, name));
    let Some(collection) = find(entries, "collection") else {
        reader
            .report
            .missing(entry.position, "collection", "loop.collection")
            .hint("name the list: `collection: \"{{ workload.items }}\"`");
        return None;
    };
    let line = reader.source.first_line(collection.value.position);
    let collection = list(reader, &collection.value);
    let parallel = one_of(
        reader,
        entries,
        "mode",
        "loop.mode",
        &["sequential", "parallel"],
    );
    let parallel = parallel == Some(1);
    let concurrency = match find(entries, "concurrency") {
        None => CONCURRENCY,
        Some(given) => {
            if !parallel {
                reader
                    .report
                    .add(given.position, "`concurrency` is for `mode: parallel`")
                    .field("loop.concurrency")
                    .hint("write `mode: parallel`, or take it away");
            }
            count(reader, &given.value, "loop.concurrency", MAX_CONCURRENCY) as usize
        }
    };
    let on_failure = one_of(
        reader,
        entries,
        "on_failure",
        "loop.on_failure",
        &["stop", "continue"],
    );
    Some(Loop {
        collection: collection?,
        line,
        element: element?,
        concurrency: if parallel { concurrency } else { 1 },
        continues: on_failure == Some(1),
    })
}

/// What a loop calls an item, whatever else is wrong with it.
pub(super) fn element(fields: &[Entry]) -> Option<&str> {
    find_text(find(fields, "loop")?.value.entries(), "element")
}

/// Whether items can have this name; why not is reported.
fn is_element(reader: &mut Reader<'_>, entries: &[Entry], name: &str) -> bool {
    let fault = if !is_identifier(name) {
        "can't be the name of the item"
    } else if RESERVED.contains(&name) {
        "is a word that templates use"
    } else if reader.steps.iter().any(|step| step == name) {
        "is the name of a step"
    } else {
        return true;
    };
    let at = find(entries, "element").map(|element| element.value.position);
    reader
        .report
        .add(at.expect("it was read"), format!("`{name}` {fault}"))
        .field("loop.element")
        .hint("write a name of letters, digits and `_`, such as `item`");
    false
}

fn list(reader: &mut Reader<'_>, node: &Node) -> Option<ValueTemplate> {
    let field = "loop.collection";
    let may_be_one = match &node.kind {
        Kind::List(_) => true,
        Kind::Text(text) => text.contains("{{"),
        _ => false,
    };
    if !may_be_one {
        reader
            .report
            .add(
                node.position,
                format!("a loop needs a list, this is {}", node.what()),
            )
            .field(field)
            .hint("write a list, or one expression that gives one: `\"{{ workload.items }}\"`");
        return None;
    }
    reader.value(node, field, &[])
}

/// `retry`, whose conditions also see `item`, the names of the step's loop; what is
/// wrong is reported.
pub(super) fn retry(reader: &mut Reader<'_>, fields: &[Entry], item: &[&str]) -> Option<Retry> {
    let entry = find(fields, "retry")?;
    let mut retry = Retry {
        attempts: 3,
        delay: DELAY,
        backoff: 2.0,
        max_delay: MAX_DELAY,
        jitter: true,
        retry_when: None,
        stop_when: None,
    };
    let entries = match &entry.value.kind {
        Kind::Bool(false) | Kind::Null => return None,
        Kind::Bool(true) => return Some(retry),
        Kind::Number(_) => {
            retry.attempts = count(reader, &entry.value, "retry", MAX_ATTEMPTS) as u32;
            return Some(retry);
        }
        Kind::Map(entries) => entries,
        _ => {
            reader
                .report
                .wrong_kind(&entry.value, "retry", "a number of attempts, or a mapping");
            return None;
        }
    };
    reader.report.unknown_fields(entries, &RETRY, "retry.");
    if let Some(given) = find(entries, "attempts") {
        retry.attempts = count(reader, &given.value, "retry.attempts", MAX_ATTEMPTS) as u32;
    }
    if let Some(given) = find(entries, "delay") {
        retry.delay = duration(reader, &given.value, "retry.delay").unwrap_or(DELAY);
    }
    retry.max_delay = match find(entries, "max_delay") {
        Some(given) => duration(reader, &given.value, "retry.max_delay").unwrap_or(MAX_DELAY),
        None => MAX_DELAY.max(retry.delay),
    };
    if let Some(given) = find(entries, "backoff") {
        match given.value.to_json().as_f64() {
            Some(factor) if (1.0..=100.0).contains(&factor) => retry.backoff = factor,
            _ => {
                reader
                    .report
                    .add(given.value.position, "this must be a number from 1 to 100")
                    .field("retry.backoff")
                    .hint("each wait is so many times as long as the one before it");
            }
        }
    }
    if let Some(given) = find(entries, "jitter") {
        match given.value.kind {
            Kind::Bool(jitter) => retry.jitter = jitter,
            _ => reader
                .report
                .wrong_kind(&given.value, "retry.jitter", "`true` or `false`"),
        }
    }
    let locals = [&["result", "error", "attempt"], item].concat();
    let mut condition = |key: &str| {
        let given = find(entries, key)?;
        condition(reader, &given.value, &format!("retry.{key}"), &locals)
    };
    retry.retry_when = condition("retry_when");
    retry.stop_when = condition("stop_when");
    Some(retry)
}

/// `assert`; what is wrong is reported.
pub(super) fn asserts(reader: &mut Reader<'_>, fields: &[Entry], locals: &[&str]) -> Vec<Assert> {
    let Some(entry) = find(fields, "assert") else {
        return Vec::new();
    };
    let items = match &entry.value.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(&entry.value),
    };
    let mut asserts = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let field = format!("assert[{index}]");
        let Kind::Map(entries) = &item.kind else {
            let condition = condition(reader, item, &field, locals);
            asserts.extend(condition.map(|condition| Assert {
                condition,
                message: None,
            }));
            continue;
        };
        let prefix = format!("{field}.");
        reader
            .report
            .unknown_fields(entries, &["that", "message"], &prefix);
        let Some(that) = find(entries, "that") else {
            reader
                .report
                .missing(item.position, "that", format!("{prefix}that"))
                .hint("write `that: \"{{ … }}\"`, the condition");
            continue;
        };
        let message = find(entries, "message").and_then(|message| {
            let field = format!("{prefix}message");
            match &message.value.kind {
                Kind::Text(text) => reader.template(message.value.position, text, &field, locals),
                _ => {
                    reader.report.wrong_kind(&message.value, &field, "a text");
                    None
                }
            }
        });
        let condition = condition(reader, &that.value, &format!("{prefix}that"), locals);
        asserts.extend(condition.map(|condition| Assert { condition, message }));
    }
    asserts
}

/// `timeout`; what is wrong is reported.
pub(super) fn timeout(reader: &mut Reader<'_>, fields: &[Entry]) -> Option<Duration> {
    let entry = find(fields, "timeout")?;
    duration(reader, &entry.value, "timeout")
}

/// `join`; what is wrong is reported.
pub(super) fn join(reader: &mut Reader<'_>, fields: &[Entry]) -> Join {
    match one_of(reader, fields, "join", "join", &["all", "any"]) {
        Some(0) => Join::All,
        Some(_) => Join::Any,
        None => Join::Open,
    }
}

/// A text that is one condition, with braces.
pub(super) fn condition(
    reader: &mut Reader<'_>,
    node: &Node,
    field: &str,
    locals: &[&str],
) -> Option<Condition> {
    let Kind::Text(content) = &node.kind else {
        reader
            .report
            .wrong_kind(node, field, "a text with an expression");
        return None;
    };
    let template = reader.template(node.position, content, field, locals)?;
    if !template.is_dynamic() {
        let key = field.rsplit('.').next().unwrap_or(field);
        let key = key.split('[').next().unwrap_or(key);
        reader
            .report
            .add(
                node.position,
                "a condition without braces is always the same",
            )
            .field(field)
            .hint(format!("write `{key}: \"{{{{ {} }}}}\"`", content.trim()));
        return None;
    }
    Some(Condition {
        template,
        line: reader.source.first_line(node.position),
    })
}

fn duration(reader: &mut Reader<'_>, node: &Node, field: &str) -> Option<Duration> {
    let value = node.to_json();
    let read = match value.as_f64() {
        Some(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string()),
        None => Unit::Milliseconds.read(&value).map(Duration::from_millis),
    };
    let fault = match read {
        Ok(time) if time.is_zero() => "this must be more than no time".to_owned(),
        Ok(time) if time > LONGEST => "this is longer than a day".to_owned(),
        Ok(time) => return Some(time),
        Err(fault) => fault,
    };
    reader
        .report
        .add(node.position, fault)
        .field(field)
        .hint("write a time such as `30s`, `250ms` or `5m`, or a number of seconds");
    None
}

/// A whole number from 1 to `most`; 1, if it is none.
fn count(reader: &mut Reader<'_>, node: &Node, field: &str, most: u64) -> u64 {
    match node.to_json().as_u64() {
        Some(count) if (1..=most).contains(&count) => count,
        _ => {
            reader
                .report
                .add(
                    node.position,
                    format!("this must be a whole number from 1 to {most}"),
                )
                .field(field);
            1
        }
    }
}

/// Which of these words it is.
pub(super) fn one_of(
    reader: &mut Reader<'_>,
    entries: &[Entry],
    key: &str,
    field: &str,
    words: &[&str],
) -> Option<usize> {
    let entry = find(entries, key)?;
    let text = match &entry.value.kind {
        Kind::Text(text) => text.as_str(),
        _ => "",
    };
    let at = words.iter().position(|word| *word == text);
    if at.is_none() {
        reader
            .report
            .add(
                entry.value.position,
                format!("this must be `{}`", words.join("` or `")),
            )
            .field(field)
            .suggest(text, words.iter().copied());
    }
    at
}
