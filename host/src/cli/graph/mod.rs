//! `noetl graph`: where a playbook's steps lead, as a drawing.

mod mermaid;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::components::ComponentsOption;
use super::{files, mistakes, terminal};

/// Arguments of `noetl graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// The playbook's YAML file
    file: PathBuf,
    #[command(flatten)]
    components: ComponentsOption,
}

impl Graph {
    /// Prints a flowchart for Mermaid, which Markdown of many sites shows as a drawing.
    ///
    /// # Errors
    /// The file can't be read or has mistakes, or a tool's component can't be used.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let tools = self.components.toolset()?;
        let file = files::read(&self.file)?;
        let playbook = mistakes::parse(&file, &tools)?;
        terminal::out(&mermaid::flowchart(&playbook));
        Ok(ExitCode::SUCCESS)
    }
}
