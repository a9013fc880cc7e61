//! docs/templates.md is run: its examples give what it says, and it lists what
//! there is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::vocabulary::{Kind, LOOP_ATTRIBUTES, REFUSED, find};
use super::{Scope, SqlTemplate, Template};

const PAGE: &str = include_str!("../../../docs/templates.md");

/// The cells of a table's rows below this heading, code without its marks.
fn rows(heading: &str) -> Vec<Vec<String>> {
    let start = format!("\n## {heading}\n");
    let (_, section) = PAGE.split_once(&start).expect("the heading");
    let section = section.split("\n## ").next().unwrap_or(section);
    section
        .lines()
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| {
            // A bar inside of a cell is written `\|`.
            let cells = line.replace("\\|", "\0");
            let cells = cells.split('|');
            cells.map(|cell| cell.trim().replace('\0', "|")).collect()
        })
        .collect()
}

/// What stands in `…` and nothing else.
fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

fn scope() -> Scope {
    let (_, rest) = PAGE.split_once("```json\n").expect("the data");
    let (data, _) = rest.split_once("```").expect("its end");
    Scope::new(serde_json::from_str(data).expect("JSON"))
}

fn run(example: &str) -> Result<Json, String> {
    let scope = scope();
    if !example.starts_with("SELECT ") {
        let rendered = Template::compile(example).and_then(|template| template.render(&scope));
        return rendered.map_err(|error| error.to_string());
    }
    let query = SqlTemplate::compile(example).map_err(|error| error.to_string())?;
    let statements = query.render(&scope).map_err(|error| error.to_string())?;
    Ok(Json::from(statements[0].text.as_str()))
}

#[test]
fn examples_give_what_the_page_says() {
    let headings = ["The language", "Filters", "Tests", "Functions", "Methods"];
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in headings.into_iter().flat_map(rows) {
        let [_, _, example, result] = row.as_slice() else {
            panic!("{row:?} has no four cells")
        };
        let (Some(example), Some(result)) = (code(example), code(result)) else {
            continue;
        };
        count += 1;
        let given = run(example).map(|json| json.to_string());
        if given.as_deref() != Ok(result) {
            wrong.push(format!("{example}\n  gives {given:?}\n  not   {result}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names = [Kind::Filter, Kind::Test, Kind::Function, Kind::Method];
    let names: usize = names.map(|kind| kind.names().len()).iter().sum();
    assert!(count > names + LOOP_ATTRIBUTES.len(), "{count} examples");
}

#[test]
fn the_page_lists_what_there_is() {
    for (heading, kind) in [
        ("The language", Kind::LoopMethod),
        ("Filters", Kind::Filter),
        ("Tests", Kind::Test),
        ("Functions", Kind::Function),
        ("Methods", Kind::Method),
    ] {
        let rows = rows(heading);
        let listed: Vec<&str> = rows
            .iter()
            .filter_map(|row| code(&row[0]))
            .filter(|name| name.ends_with(')'))
            .collect();
        let known: Vec<&str> = kind.names().values().map(|known| known.text).collect();
        assert_eq!(listed, known, "{heading}");
        // An example shows what it stands beside.
        for row in rows.iter().filter(|row| row[0].ends_with(")`")) {
            let name = row[0].trim_matches('`').split('(').next().unwrap_or("");
            assert!(row[2].contains(name), "{row:?}");
        }
    }
    let of_loop: Vec<String> = rows("The language")
        .iter()
        .filter_map(|row| code(&row[0])?.strip_prefix("loop."))
        .map(str::to_owned)
        .collect();
    assert_eq!(of_loop, LOOP_ATTRIBUTES);
}

#[test]
fn the_page_says_what_is_refused_as_the_error_does() {
    let mut listed = BTreeMap::new();
    for row in rows("What there is not").iter().skip(1) {
        for name in row[0].split(", ").filter_map(code) {
            listed.insert(name.to_owned(), row[1].clone());
        }
    }
    let known: BTreeSet<&str> = REFUSED.iter().map(|(name, _)| *name).collect();
    let names: BTreeSet<&str> = listed.keys().map(String::as_str).collect();
    assert_eq!(names, known);
    for (name, instead) in &listed {
        for (kind, source) in [
            (Kind::Function, format!("{{{{ {name}() }}}}")),
            (Kind::Filter, format!("{{{{ workload | {name} }}}}")),
            (Kind::Method, format!("{{{{ workload.{name}() }}}}")),
        ] {
            assert_eq!(&find(kind, name).unwrap_err().hint, instead);
            let error = Template::compile(&source).unwrap_err();
            assert_eq!(error.hint.as_ref(), Some(instead), "{source}");
        }
    }
}
