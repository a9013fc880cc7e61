//! `docs/compatibility.md`, made of what was seen.

use std::fmt::Write;

use super::case::{Case, Expect, Group};
use super::run::Seen;

const HEAD: &str = "\
# Compatibility with NoETL

What becomes here of what NoETL's documentation and fixtures say. Each row is a case in
[`tests/compatibility`](../tests/compatibility), which a test runs on a real server; this page is
written by that test from what it saw (`NOETL_BLESS=1` writes it anew).

- **works**: it means here what it means there.
- **differs**: it is taken, and means something else.
- **refused**: the playbook is not registered, or the request not done; the message says what to
  write instead.

The sources are files of NoETL's repository, as they were on 2025-12-09 (`85729e1d`, version 1.8.0)
or on 2026-01-09 (`7258b9f9`, the pages).
";

const GROUPS: [(Group, &str); 6] = [
    (Group::Flow, "Flow"),
    (Group::Tools, "Tools"),
    (Group::Templates, "Templates"),
    (Group::Results, "Playbooks and results"),
    (Group::Http, "HTTP API"),
    (Group::Cli, "Command line"),
];

/// The document.
pub fn document(all: &[(String, Case, Seen)]) -> String {
    let mut text = HEAD.to_owned();
    let count = |of: &dyn Fn(&Case) -> bool| all.iter().filter(|(_, case, _)| of(case)).count();
    text.push_str("\n| | works | differs | refused |\n|---|---|---|---|\n");
    let mut row = |title: &str, group: Option<Group>| {
        let counts = [Expect::Works, Expect::Differs, Expect::Refused].map(|expect| {
            count(&|case| case.expect == expect && group.is_none_or(|group| case.group == group))
        });
        let [works, differs, refused] = counts;
        writeln!(text, "| {title} | {works} | {differs} | {refused} |").expect("a text takes all");
    };
    for (group, title) in GROUPS {
        row(title, Some(group));
    }
    row("All", None);
    for (group, title) in GROUPS {
        writeln!(
            text,
            "\n## {title}\n\n| Construct | Here | | Source |\n|---|---|---|---|"
        )
        .expect("a text takes all");
        let of_group = all.iter().filter(|(_, case, _)| case.group == group);
        for (name, case, seen) in of_group {
            let construct = cell(&case.construct);
            let source = source(&case.source);
            let (here, about) = match case.expect {
                Expect::Works => ("works", String::new()),
                Expect::Differs => ("differs", case.why.clone().unwrap_or_default()),
                Expect::Refused => {
                    let instead = case.instead.clone();
                    ("refused", instead.unwrap_or_else(|| seen.told.clone()))
                }
            };
            let about = cell(&about);
            writeln!(
                text,
                "| [{construct}](../tests/compatibility/{name}.yaml) | {here} | {about} | {source} |"
            )
            .expect("a text takes all");
        }
    }
    text
}

/// `path, date` as the file's name with the date.
fn source(source: &str) -> String {
    let (path, date) = source.rsplit_once(", ").expect("a path and a date");
    let file = path.rsplit('/').next().unwrap_or(path);
    let commit = match date {
        "2025-12-09" => "85729e1d",
        "2026-01-09" => "7258b9f9",
        other => panic!("{other}: of this date no commit is known"),
    };
    format!("[{file}](https://github.com/noetl/noetl/blob/{commit}/{path}), {date}")
}

/// What a cell of a table can hold.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('\n', " ")
        .replace('<', "&lt;")
}
