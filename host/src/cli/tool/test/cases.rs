//! Cases of a tool, as its author writes them.

use std::path::Path;

use serde_json::{Map, Value};

use super::http::Exchange;
use super::postgres::Statement;
use crate::cli::failure::Failure;
use crate::cli::files::{self, File};
use crate::cli::judge::{self, Expected, Head, expected};
use crate::cli::tool::project::Project;
use crate::limits::{self, Setting};
use crate::yaml::{Diagnostics, Entry, Node, Report, find};

/// One call of the tool, and what shall come of it.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    /// The file that it is written in, and the line.
    pub file: String,
    pub line: usize,
    pub config: Value,
    pub args: Value,
    pub limits: Vec<Setting>,
    /// The answers to its statements and requests, in order.
    pub statements: Vec<Statement>,
    pub exchanges: Vec<Exchange>,
    pub expected: Expected,
}

/// Reads the cases of a project, or of the file that was named.
///
/// # Errors
/// There are none, or what is wrong with them.
pub fn read(project: &Project, file: Option<&Path>) -> anyhow::Result<Vec<Case>> {
    let files = match file {
        Some(file) => vec![files::read(file)?],
        None => default(&project.directory)?,
    };
    let mut cases = Vec::new();
    for file in &files {
        cases.extend(parse(file)?);
    }
    Ok(cases)
}

fn default(directory: &Path) -> anyhow::Result<Vec<File>> {
    let one = directory.join("cases.yaml");
    let many = directory.join("tests");
    match (one.is_file(), many.is_dir()) {
        (true, _) => Ok(vec![files::read(&one)?]),
        (false, true) => files::read_all(&[many]),
        (false, false) => Err(Failure::new(format!("{} is not there", one.display()))
            .hint("write the tool's cases into it, or name their file with --cases")
            .into()),
    }
}

fn parse(file: &File) -> Result<Vec<Case>, Diagnostics> {
    let example = "say what the tool does in it: `name: finds Berlin`";
    let mut names = Vec::new();
    judge::read(file, &FIELDS, example, |report, head| {
        let position = head.position;
        let name_field = format!("{}.name", head.field);
        let case = case(report, head, &file.name);
        if names.contains(&case.name) {
            let message = format!("another case is called `{}` too", case.name);
            report.add(position, message).field(name_field);
        }
        names.push(case.name.clone());
        case
    })
}

const FIELDS: [&str; 8] = [
    "name", "config", "args", "http", "postgres", "limits", "result", "error",
];

fn case(report: &mut Report, head: Head<'_>, file: &str) -> Case {
    let Head {
        name,
        position,
        entries,
        field,
    } = head;
    let limits = match find(entries, "limits") {
        Some(entry) => limits::read(report, &entry.value, &format!("{field}.limits")),
        None => Vec::new(),
    };
    Case {
        name,
        file: file.into(),
        line: position.line,
        config: object(report, entries, "config", &field),
        args: object(report, entries, "args", &field),
        limits,
        statements: items(report, entries, "postgres", &field)
            .filter_map(|(node, field)| Statement::read(report, node, &field))
            .collect(),
        exchanges: items(report, entries, "http", &field)
            .filter_map(|(node, field)| Exchange::read(report, node, &field))
            .collect(),
        expected: expected(report, entries, &field),
    }
}

/// An object that may be left out.
fn object(report: &mut Report, entries: &[Entry], key: &str, field: &str) -> Value {
    let empty = Value::Object(Map::new());
    match find(entries, key) {
        None => empty,
        Some(entry) => match report.mapping(&entry.value, &format!("{field}.{key}")) {
            Some(_) => entry.value.to_json(),
            None => empty,
        },
    }
}

/// A list that may be left out, with the field of each item.
fn items<'n>(
    report: &mut Report,
    entries: &'n [Entry],
    key: &str,
    field: &str,
) -> impl Iterator<Item = (&'n Node, String)> + use<'n> {
    let field = format!("{field}.{key}");
    let list = find(entries, key).and_then(|entry| report.list(&entry.value, &field));
    let items = list.unwrap_or_default().iter().enumerate();
    items.map(move |(index, node)| (node, format!("{field}[{index}]")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Vec<Case>, String> {
        let file = File {
            path: "cases.yaml".into(),
            name: "cases.yaml".into(),
            text: text.into(),
        };
        parse(&file).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_case_is_read() {
        let cases = read(
            r#"
cases:
  - name: finds Berlin
    config: {unit: km}
    args: {city: Berlin}
    limits: {time: 2 s}
    http:
      - request: {method: GET, url: "https://api.example.com/?q=Berlin"}
        response: {status: 200, headers: {content-type: application/json}, body: {lat: 52.5}}
    postgres:
      - statement: SELECT 1
        rows: [{n: 1}]
    result: {lat: 52.5}
  - name: refuses nothing
    error: {category: invalid_input, message: city}
"#,
        )
        .unwrap();
        let [first, second] = &cases[..] else {
            panic!("{cases:?}");
        };
        assert_eq!((first.line, second.line), (3, 14));
        assert_eq!(first.args, json!({"city": "Berlin"}));
        assert_eq!(first.limits[0].value, 2000);
        assert_eq!((first.statements.len(), first.exchanges.len()), (1, 1));
        assert_eq!(first.expected, Expected::Result(json!({"lat": 52.5})));
        assert_eq!(second.config, json!({}));
        let Expected::Error { category, .. } = &second.expected else {
            panic!("{second:?}");
        };
        assert_eq!(category.as_deref(), Some("invalid_input"));
    }

    #[test]
    fn mistakes_say_where_they_are() {
        for (text, place, told) in [
            ("{}", "cases.yaml:1:", "there is no `cases`"),
            ("cases: []", "cases.yaml:1:", "there is no case"),
            (
                "cases:\n  - args: {}",
                ":2:5: cases[0].name: ",
                "needs a `name`",
            ),
            (
                "cases:\n  - name: a\n    arg: {}",
                ":3:5: cases[0].arg: ",
                "did you mean `args`?",
            ),
            (
                "cases:\n  - name: a\n    args: [1]",
                ":3:11: cases[0].args: ",
                "a mapping",
            ),
            (
                "cases:\n  - name: a\n  - name: a",
                ":3:5: cases[1].name: ",
                "called `a` too",
            ),
            (
                "cases:\n  - name: a\n    error: {category: input}",
                ":3:23: cases[0].error.category: ",
                "invalid_input",
            ),
            (
                "cases:\n  - name: a\n    result: 1\n    error: {}",
                ":4:5: cases[0].error: ",
                "not both",
            ),
            (
                "cases:\n  - name: a\n    http: [{request: {verb: GET}}]",
                ":3:23: cases[0].http[0].request.verb: ",
                "unknown field",
            ),
            (
                "cases:\n  - name: a\n    postgres: [{rows: [1]}]",
                ":3:24: cases[0].postgres[0].rows[0]: ",
                "a mapping",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(place), "{error}\n{place}");
            assert!(error.contains(told), "{error}\n{told}");
        }
    }
}
