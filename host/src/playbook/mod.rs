//! Playbooks: YAML text to a checked model.
//!
//! [`parse`] either gives a playbook that can run, or everything that is wrong
//! with it: file, line, column, step, field, and what to write instead.

mod aliases;
mod call;
mod check;
mod control;
mod explain;
mod granted;
mod json_schema;
mod model;
mod names;
mod next;
mod reach;
mod read;
mod schema;
mod sink;
mod tool;
mod unsupported;

pub use crate::yaml::{Diagnostic, Diagnostics};
pub use aliases::Note;
pub use json_schema::schema;
pub use model::{
    Action, ActionKind, Assert, Branch, Condition, Join, Loop, Next, OnRestart, Output, Playbook,
    Retry, Sink, Step, Var,
};
pub use reach::{reaches, sources};

use crate::tool::Toolset;
use crate::yaml;

/// Parses and checks a playbook. `file` is the name for messages; `tools` are those
/// that it can name.
///
/// # Errors
/// Everything that is wrong with the text, in the order of its lines.
pub fn parse(file: &str, text: &str, tools: &Toolset) -> Result<Playbook, Diagnostics> {
    let mut report = yaml::Report::new(file);
    let source = yaml::Source::new(text);
    let Some(mut tree) = yaml::read(text, &source, &mut report) else {
        return report.finish(None);
    };
    let mut found = aliases::rewrite(&mut tree, file, tools, &source);
    let notes = std::mem::take(&mut found.notes);
    let playbook = read::playbook(&tree, &source, tools, &mut report);
    found.judge(report.finish(playbook.map(|playbook| Playbook {
        file: file.to_owned(),
        notes,
        ..playbook
    })))
}

#[cfg(test)]
mod tests;
