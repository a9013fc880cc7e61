//! YAML files of people: a tree that knows where everything stands, and reports
//! of what is wrong with a file.

mod diagnostic;
mod format;
mod report;
mod snippet;
mod text;
mod tree;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use format::{FormatError, format};
pub use tree::Position;

pub(crate) use report::{Added, MAX_FAULTS, Report};
pub(crate) use text::{Source, Style};
pub(crate) use tree::{Entry, Kind, Node, entries_to_json, find, find_text};

/// Reads a text as YAML; what is wrong goes into the report.
pub(crate) fn read(text: &str, source: &Source<'_>, report: &mut Report) -> Option<Node> {
    match tree::parse(text, source) {
        Ok(tree) => Some(tree),
        Err(failure) => {
            report
                .add(failure.position, failure.message)
                .hint(failure.hint);
            None
        }
    }
}
