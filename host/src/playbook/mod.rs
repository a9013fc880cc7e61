//! Playbooks: YAML text to a checked model.
//!
//! [`parse`] either gives a playbook that can run, or everything that is wrong
//! with it: file, line, column, step, field, and what to write instead.

mod check;
mod diagnostic;
mod model;
mod names;
mod next;
mod read;
mod report;
mod text;
mod tool;
mod tree;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use model::{Action, ActionKind, Branch, Next, Playbook, Step, Var};

/// Parses and checks a playbook. `file` is the name for messages; `plugins` are
/// the names of the tools that exist beside `python`, `postgres` and `workbook`.
///
/// # Errors
/// Everything that is wrong with the text, in the order of its lines.
pub fn parse<S: AsRef<str>>(
    file: &str,
    text: &str,
    plugins: &[S],
) -> Result<Playbook, Diagnostics> {
    let plugins: Vec<&str> = plugins.iter().map(AsRef::as_ref).collect();
    let mut report = report::Report::new(file);
    let source = text::Source::new(text);
    let playbook = match tree::parse(text, &source) {
        Ok(tree) => read::playbook(&tree, &source, &plugins, &mut report),
        Err(failure) => {
            report
                .add(failure.position, failure.message)
                .hint(failure.hint);
            None
        }
    };
    report.finish(playbook)
}

#[cfg(test)]
mod tests;
