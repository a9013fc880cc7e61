//! Cases of a playbook, as its author writes them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::cli::failure::Failure;
use crate::cli::files::{self, CASES, File};
use crate::cli::judge::{self, Expected, Head, expected, text};
use crate::playbook::Playbook;
use crate::sandbox::{ErrorCategory, StepError};
use crate::yaml::{self, Diagnostics, Entry, Kind, Node, Report, find as field_of};

/// The cases in a file.
#[derive(Debug)]
pub struct Cases {
    pub file: String,
    pub cases: Vec<Case>,
}

/// One execution of the playbook, and what shall come of it.
#[derive(Debug)]
pub struct Case {
    pub name: String,
    /// The line that it begins in.
    pub line: usize,
    pub payload: Map<String, Value>,
    /// What steps give in place of their tool.
    pub stubs: HashMap<String, Stub>,
    /// The tool steps that run, in the order in which they end.
    pub path: Option<Vec<String>>,
    pub expected: Expected,
}

/// What a step gives in place of its tool.
#[derive(Debug, Clone)]
pub enum Stub {
    /// The same whenever it runs.
    Always(Result<Value, StepError>),
    /// One after the other.
    InTurn(Vec<Result<Value, StepError>>),
}

/// The files of cases that are meant by these paths.
///
/// # Errors
/// There is none.
pub fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = found.len();
            for file in files::read_all(std::slice::from_ref(path))? {
                found.extend(beside(&file.path).filter(|cases| cases.is_file()));
            }
            if found.len() == before {
                let message = format!("no playbook in {} has cases", path.display());
                return Err(Failure::new(message)
                    .hint(format!("write those of hello.yaml into hello{CASES}"))
                    .into());
            }
            continue;
        }
        let cases = match files::is_cases(path) {
            true => Some(path.clone()),
            false => beside(path),
        };
        match cases.filter(|cases| cases.is_file()) {
            Some(cases) => found.push(cases),
            None => {
                let beside = beside(path).unwrap_or_else(|| path.clone());
                return Err(Failure::new(format!("{} is not there", beside.display()))
                    .hint(format!("write the cases of {} into it", path.display()))
                    .into());
            }
        }
    }
    Ok(found)
}

fn beside(playbook: &Path) -> Option<PathBuf> {
    let stem = playbook.file_stem()?.to_str()?;
    Some(playbook.with_file_name(format!("{stem}{CASES}")))
}

/// The playbook that a file of cases is about.
///
/// # Errors
/// It is not there.
pub fn playbook_of(cases: &Path) -> anyhow::Result<PathBuf> {
    let name = cases.file_name().and_then(|name| name.to_str());
    let stem = name
        .and_then(|name| name.strip_suffix(CASES))
        .unwrap_or_default();
    let names = ["yaml", "yml"].map(|end| cases.with_file_name(format!("{stem}.{end}")));
    names
        .iter()
        .find(|playbook| playbook.is_file())
        .cloned()
        .ok_or_else(|| {
            Failure::new(format!("{} is not there", names[0].display()))
                .hint(format!("{} has the cases of it", cases.display()))
                .into()
        })
}

/// Reads the cases of a playbook.
///
/// # Errors
/// Everything that is wrong with them.
pub fn parse(file: &File, playbook: &Playbook) -> Result<Cases, Diagnostics> {
    let example = "say what happens in it: `name: an unknown user is created`";
    let cases = judge::read(file, &FIELDS, example, |report, head| {
        case(report, head, playbook)
    })?;
    Ok(Cases {
        file: file.name.clone(),
        cases,
    })
}

const FIELDS: [&str; 6] = ["name", "payload", "stubs", "path", "result", "error"];

fn case(report: &mut Report, head: Head<'_>, playbook: &Playbook) -> Case {
    let Head {
        name,
        position,
        entries,
        field,
    } = head;
    let payload = mapping(report, entries, "payload", &field);
    let mut stubs = HashMap::new();
    for entry in mapping(report, entries, "stubs", &field) {
        let field = format!("{field}.stubs.{}", entry.key);
        is_step(report, playbook, &entry.key, entry.position, &field);
        if let Some(stub) = stub(report, &entry.value, &field) {
            stubs.insert(entry.key.clone(), stub);
        }
    }
    Case {
        name,
        line: position.line,
        payload: yaml::entries_to_json(payload),
        stubs,
        path: path(report, entries, &field, playbook),
        expected: expected(report, entries, &field),
    }
}

fn mapping<'n>(report: &mut Report, entries: &'n [Entry], key: &str, field: &str) -> &'n [Entry] {
    let entry = field_of(entries, key);
    let mapping = entry.and_then(|entry| report.mapping(&entry.value, &format!("{field}.{key}")));
    mapping.unwrap_or_default()
}

fn is_step(
    report: &mut Report,
    playbook: &Playbook,
    name: &str,
    position: yaml::Position,
    field: &str,
) {
    let known = playbook.step_index(name);
    let fault = match known.map(|index| playbook.steps[index].action.is_some()) {
        Some(true) => return,
        Some(false) => format!("the step `{name}` runs no tool"),
        None => format!("the playbook has no step `{name}`"),
    };
    let tools = playbook.steps.iter().filter(|step| step.action.is_some());
    report
        .add(position, fault)
        .field(field)
        .suggest(name, tools.map(|step| step.name.as_str()));
}

fn path(
    report: &mut Report,
    entries: &[Entry],
    field: &str,
    playbook: &Playbook,
) -> Option<Vec<String>> {
    let entry = field_of(entries, "path")?;
    let field = format!("{field}.path");
    let items = report.list(&entry.value, &field)?;
    let mut path = Vec::new();
    for item in items {
        match &item.kind {
            Kind::Text(name) => {
                is_step(report, playbook, name, item.position, &field);
                path.push(name.clone());
            }
            _ => report.wrong_kind(item, &field, "a step's name"),
        }
    }
    Some(path)
}

fn stub(report: &mut Report, node: &Node, field: &str) -> Option<Stub> {
    let Kind::List(items) = &node.kind else {
        return Some(Stub::Always(answer(report, node, field)?));
    };
    let answers = items.iter().enumerate();
    let answers: Vec<_> = answers
        .map(|(index, item)| answer(report, item, &format!("{field}[{index}]")))
        .collect();
    answers.into_iter().collect::<Option<_>>().map(Stub::InTurn)
}

/// `data: …` or `error: {…}`.
fn answer(report: &mut Report, node: &Node, field: &str) -> Option<Result<Value, StepError>> {
    let entries = report.mapping(node, field)?;
    report.unknown_fields(entries, &["data", "error"], &format!("{field}."));
    match (field_of(entries, "data"), field_of(entries, "error")) {
        (Some(data), None) => Some(Ok(data.value.to_json())),
        (None, Some(error)) => error_of(report, &error.value, &format!("{field}.error")).map(Err),
        _ => {
            report
                .add(node.position, "a stub has `data` or `error`")
                .field(field)
                .hint("write `data:` and below it what the tool gives");
            None
        }
    }
}

fn error_of(report: &mut Report, node: &Node, field: &str) -> Option<StepError> {
    let entries = report.mapping(node, field)?;
    let known = ["category", "kind", "message", "code", "details"];
    report.unknown_fields(entries, &known, &format!("{field}."));
    let category = match field_of(entries, "category") {
        None => ErrorCategory::Failed,
        Some(entry) => match serde_json::from_value(entry.value.to_json()) {
            Ok(category) => category,
            Err(_) => {
                report
                    .add(entry.value.position, "there is no such category")
                    .field(format!("{field}.category"))
                    .hint("write `failed`, `timeout`, `limit`, `denied` or `invalid_input`");
                return None;
            }
        },
    };
    let message = text(report, entries, "message", field);
    let mut error = StepError::new(category, message.unwrap_or_else(|| "it failed".into()));
    if let Some(kind) = text(report, entries, "kind", field) {
        error.kind = kind;
    }
    error.code = text(report, entries, "code", field);
    let details = field_of(entries, "details");
    error.details = details.map(|details| Box::new(details.value.to_json()));
    Some(error)
}
