//! Playbooks: YAML text to a checked model.
//!
//! [`parse`] either gives a playbook that can run, or everything that is wrong
//! with it: file, line, column, step, field, and what to write instead.

mod call;
mod check;
mod control;
mod granted;
mod json_schema;
mod model;
mod names;
mod next;
mod read;
mod schema;
mod sink;
mod tool;

pub use crate::yaml::{Diagnostic, Diagnostics};
pub use json_schema::schema;
pub use model::{
    Action, ActionKind, Assert, Branch, Condition, Join, Loop, Next, OnRestart, Output, Playbook,
    Retry, Sink, Step, Var,
};

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
    let tree = yaml::read(text, &source, &mut report);
    let playbook = tree.and_then(|tree| read::playbook(&tree, &source, tools, &mut report));
    report.finish(playbook.map(|playbook| Playbook {
        file: file.to_owned(),
        ..playbook
    }))
}

#[cfg(test)]
mod tests;
