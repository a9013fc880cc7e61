//! `noetl graph`: where a playbook's steps lead, as a drawing.

mod mermaid;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::components::ComponentsOption;
use super::{files, mistakes, terminal};

/// Arguments of `noetl graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// The playbook's YAML file
    file: PathBuf,
    /// What to write
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    components: ComponentsOption,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// A flowchart for Mermaid, which Markdown of many sites shows as a drawing
    #[default]
    Mermaid,
}

impl Graph {
    /// Prints the drawing.
    ///
    /// # Errors
    /// The file can't be read or has mistakes, or a tool's component can't be used.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let tools = self.components.toolset()?;
        let file = files::read(&self.file)?;
        let playbook = crate::playbook::parse(&file.name, &file.text, &tools)
            .map_err(|diagnostics| mistakes::failure(&file, &diagnostics))?;
        let drawing = match self.format {
            Format::Mermaid => mermaid::flowchart(&playbook),
        };
        terminal::out(&drawing);
        Ok(ExitCode::SUCCESS)
    }
}
