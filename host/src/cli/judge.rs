//! Cases: what shall come of them, and whether it did.

use std::time::Duration;

use serde_json::{Map, Value};
use similar::TextDiff;

use super::failure::Failure;
use super::files::File;
use super::terminal;
use crate::sandbox::{ErrorCategory, StepError};
use crate::yaml::{self, Diagnostics, Entry, Kind, Node, Position, Report, Source, find};

/// What shall come of a case.
#[derive(Debug, PartialEq)]
pub enum Expected {
    /// Any result.
    Success,
    /// Exactly this one.
    Result(Value),
    /// An error of this category, with this in its message.
    Error {
        category: Option<String>,
        message: Option<String>,
    },
}

/// Those that a case can bring about.
const CATEGORIES: [ErrorCategory; 6] = [
    ErrorCategory::InvalidInput,
    ErrorCategory::Denied,
    ErrorCategory::Failed,
    ErrorCategory::Timeout,
    ErrorCategory::Limit,
    ErrorCategory::Trap,
];

impl Expected {
    /// Reads an error that is expected.
    pub fn error(report: &mut Report, node: &Node, field: &str) -> Self {
        let entries = report.mapping(node, field).unwrap_or_default();
        report.unknown_fields(entries, &["category", "message"], &format!("{field}."));
        let category = text(report, entries, "category", field);
        let names = CATEGORIES.map(ErrorCategory::as_str);
        if let (Some(name), Some(entry)) = (&category, find(entries, "category"))
            && !names.contains(&name.as_str())
        {
            let message = format!("there is no category `{name}`");
            report
                .add(entry.value.position, message)
                .field(format!("{field}.category"))
                .suggest(name, names);
        }
        Self::Error {
            category,
            message: text(report, entries, "message", field),
        }
    }
}

/// What every case has, and where it stands.
pub struct Head<'n> {
    pub name: String,
    pub position: Position,
    /// All of its fields.
    pub entries: &'n [Entry],
    /// What messages call it: `cases[2]`.
    pub field: String,
}

/// Reads a file of cases with these fields. `example` is a name for one that has none;
/// `case` reads what is a case's own.
///
/// # Errors
/// Everything that is wrong with them.
pub fn read<T>(
    file: &File,
    fields: &[&str],
    example: &str,
    mut case: impl FnMut(&mut Report, Head<'_>) -> T,
) -> Result<Vec<T>, Diagnostics> {
    let mut report = Report::new(&file.name);
    let source = Source::new(&file.text);
    let tree = yaml::read(&file.text, &source, &mut report);
    let cases = tree.map(|tree| {
        let nodes = nodes(&mut report, &tree);
        let heads = nodes.iter().enumerate();
        heads
            .filter_map(|(index, node)| {
                let head = head(
                    &mut report,
                    node,
                    format!("cases[{index}]"),
                    fields,
                    example,
                )?;
                Some(case(&mut report, head))
            })
            .collect()
    });
    report.finish(cases)
}

fn nodes<'n>(report: &mut Report, tree: &'n Node) -> &'n [Node] {
    let Some(entries) = report.mapping(tree, "") else {
        return &[];
    };
    report.unknown_fields(entries, &["cases"], "");
    let Some(list) = find(entries, "cases") else {
        report
            .add(tree.position, "there is no `cases`")
            .hint("begin with `cases:` and a list below it");
        return &[];
    };
    let list = report.list(&list.value, "cases").unwrap_or_default();
    if list.is_empty() {
        report.add(tree.position, "there is no case").field("cases");
    }
    list
}

fn head<'n>(
    report: &mut Report,
    node: &'n Node,
    field: String,
    fields: &[&str],
    example: &str,
) -> Option<Head<'n>> {
    let entries = report.mapping(node, &field)?;
    report.unknown_fields(entries, fields, &format!("{field}."));
    let name = text(report, entries, "name", &field);
    if name.is_none() && find(entries, "name").is_none() {
        report
            .add(node.position, "a case needs a `name`")
            .field(format!("{field}.name"))
            .hint(example);
    }
    Some(Head {
        name: name.unwrap_or_default(),
        position: node.position,
        entries,
        field,
    })
}

/// What is written of a case's outcome: `result`, `error`, or nothing.
pub fn expected(report: &mut Report, entries: &[Entry], field: &str) -> Expected {
    match (find(entries, "result"), find(entries, "error")) {
        (None, None) => Expected::Success,
        (Some(result), None) => Expected::Result(result.value.to_json()),
        (None, Some(error)) => Expected::error(report, &error.value, &format!("{field}.error")),
        (Some(_), Some(error)) => {
            report
                .add(
                    error.position,
                    "a case has a `result` or an `error`, not both",
                )
                .field(format!("{field}.error"));
            Expected::Success
        }
    }
}

/// A text that may be left out.
pub fn text(report: &mut Report, entries: &[Entry], key: &str, field: &str) -> Option<String> {
    let entry = find(entries, key)?;
    match &entry.value.kind {
        Kind::Text(text) => Some(text.clone()),
        _ => {
            report.wrong_kind(&entry.value, &format!("{field}.{key}"), "a text");
            None
        }
    }
}

/// What is not as expected.
pub fn faults(expected: &Expected, result: &Result<Value, StepError>) -> Vec<String> {
    match (expected, result) {
        (Expected::Success, Ok(_)) => Vec::new(),
        (Expected::Result(expected), Ok(data)) if expected == data => Vec::new(),
        (Expected::Result(expected), Ok(data)) => vec![difference(expected, data)],
        (Expected::Success | Expected::Result(_), Err(error)) => {
            vec![format!("it failed: {}", told(error))]
        }
        (Expected::Error { .. }, Ok(data)) => {
            vec![format!("it should have failed; its result is {data}")]
        }
        (Expected::Error { category, message }, Err(error)) => {
            let is_category = category
                .as_ref()
                .is_none_or(|category| category == error.category.as_str());
            let has_message = message
                .as_ref()
                .is_none_or(|message| error.message.contains(message));
            match is_category && has_message {
                true => Vec::new(),
                false => vec![format!("it failed otherwise: {}", told(error))],
            }
        }
    }
}

/// A case that was played, as a line.
pub fn line(case: &str, faults: &[String], time: Duration) -> String {
    let verdict = match faults.is_empty() {
        true => "ok",
        false => "FAILED",
    };
    terminal::timed(&format!("{case} ... {verdict}"), time)
}

/// How many cases came out how, as the last line.
pub fn counts(played: usize, failed: usize, left_out: usize) -> String {
    let passed = played - failed;
    format!("\n{passed} passed; {failed} failed; {left_out} left out")
}

/// The error of a filter that leaves out all cases.
pub fn none_chosen(total: usize, filter: Option<&str>) -> Failure {
    let filter = filter.unwrap_or_default();
    Failure::new(format!(
        "none of the {total} cases has '{filter}' in its name"
    ))
}

fn told(error: &StepError) -> String {
    let StepError {
        category,
        kind,
        message,
        code,
        details,
    } = error;
    let mut text = format!("{}: {message}", category.as_str());
    if kind != category.as_str() {
        text.push_str(&format!("\n  kind: {kind}"));
    }
    if let Some(code) = code {
        text.push_str(&format!("\n  code: {code}"));
    }
    if let Some(details) = details {
        text.push_str(&format!("\n  details: {details}"));
    }
    text
}

/// Line by line, `-` what was expected and `+` what came.
fn difference(expected: &Value, data: &Value) -> String {
    let [expected, data] = [expected, data].map(|value| format!("{:#}", sorted(value)));
    let diff = TextDiff::from_lines(&expected, &data);
    let mut text = String::from("the result is another one (- expected, + real):");
    for change in diff.iter_all_changes() {
        text.push_str(&format!("\n{} {}", change.tag(), change.value().trim_end()));
    }
    text
}

/// The order of fields does not matter.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            let fields = fields.into_iter().map(|(k, v)| (k.clone(), sorted(v)));
            Value::Object(Map::from_iter(fields))
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_difference_is_told_by_lines() {
        let expected = Expected::Result(json!({"b": 1, "a": [1, 2]}));
        assert!(faults(&expected, &Ok(json!({"a": [1, 2], "b": 1}))).is_empty());
        let found = faults(&expected, &Ok(json!({"a": [1, 3], "b": 1})));
        assert_eq!(
            found[0].lines().skip(1).collect::<Vec<_>>(),
            [
                "  {",
                "    \"a\": [",
                "      1,",
                "-     2",
                "+     3",
                "    ],",
                "    \"b\": 1",
                "  }"
            ]
        );
    }

    #[test]
    fn an_error_is_held_against_category_and_message() {
        let expected = |category: &str, message: &str| Expected::Error {
            category: Some(category.into()),
            message: Some(message.into()),
        };
        let error = StepError::new(ErrorCategory::Denied, "not this host");
        let result = Err(error);
        assert!(faults(&expected("denied", "host"), &result).is_empty());
        assert_eq!(faults(&expected("failed", "host"), &result).len(), 1);
        assert_eq!(faults(&expected("denied", "port"), &result).len(), 1);
        assert_eq!(faults(&expected("denied", "host"), &Ok(json!(1))).len(), 1);
        assert_eq!(faults(&Expected::Success, &result).len(), 1);
    }
}
