//! Playbooks: YAML text to a checked model.
//!
//! [`parse`] either gives a playbook that can run, or everything that is wrong
//! with it: file, line, column, step, field, and what to write instead.

mod check;
mod granted;
mod model;
mod names;
mod next;
mod read;
mod tool;

pub use crate::yaml::{Diagnostic, Diagnostics};
pub use model::{Action, ActionKind, Branch, Next, OnRestart, Playbook, Step, Var};

use crate::grants::BUILT_IN_TOOLS;
use crate::yaml;

/// Parses and checks a playbook. `file` is the name for messages; `plugins` are
/// the names of the tools that exist beside `workbook` and those that every server has.
///
/// # Errors
/// Everything that is wrong with the text, in the order of its lines.
pub fn parse<S: AsRef<str>>(
    file: &str,
    text: &str,
    plugins: &[S],
) -> Result<Playbook, Diagnostics> {
    let plugins: Vec<&str> = plugins
        .iter()
        .map(AsRef::as_ref)
        .filter(|name| !BUILT_IN_TOOLS.contains(name))
        .collect();
    let mut report = yaml::Report::new(file);
    let source = yaml::Source::new(text);
    let tree = yaml::read(text, &source, &mut report);
    let playbook = tree.and_then(|tree| read::playbook(&tree, &source, &plugins, &mut report));
    report.finish(playbook.map(|playbook| Playbook {
        file: file.to_owned(),
        ..playbook
    }))
}

#[cfg(test)]
mod tests;
