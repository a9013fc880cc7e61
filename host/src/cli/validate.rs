//! `noetl validate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::components::ComponentsOption;
use super::{files, terminal};

/// Arguments of `noetl validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Playbook files, or directories of them
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Prints how each playbook was understood
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    components: ComponentsOption,
}

impl Validate {
    /// Checks every file. Mistakes make the exit code 1.
    ///
    /// # Errors
    /// A file can't be read, or a tool's component.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let tools = self.components.toolset()?;
        let mut code = ExitCode::SUCCESS;
        for file in files::read_all(&self.paths)? {
            match crate::playbook::parse(&file.name, &file.text, &tools) {
                Ok(playbook) if self.explain => terminal::out(playbook.explain().trim_end()),
                Ok(playbook) => terminal::out(&format!("{}: ok ({})", file.name, playbook.path)),
                Err(diagnostics) => {
                    terminal::note(&diagnostics.to_string());
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }
}
