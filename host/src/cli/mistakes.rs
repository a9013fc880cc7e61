//! Files with mistakes, shown to people.

use super::failure::Failure;
use super::files::File;
use super::terminal;
use crate::playbook::Playbook;
use crate::tool::Toolset;
use crate::yaml::Diagnostics;

/// The playbook in a file.
///
/// # Errors
/// The file has mistakes.
pub fn parse(file: &File, tools: &Toolset) -> Result<Playbook, Failure> {
    crate::playbook::parse(&file.name, &file.text, tools)
        .map_err(|diagnostics| failure(file, &diagnostics))
}

/// The error of a file whose mistakes are drawn below its lines.
pub fn failure(file: &File, diagnostics: &Diagnostics) -> Failure {
    let message = match diagnostics.0.len() {
        1 => format!("{} has a mistake", file.name),
        count => format!("{} has {count} mistakes", file.name),
    };
    let drawn = diagnostics.drawn(&file.text, terminal::is_coloured());
    Failure::new(message).after(drawn)
}
