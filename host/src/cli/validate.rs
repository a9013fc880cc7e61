//! `noetl validate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::components::ComponentsOption;
use super::{failure, files, mistakes, terminal};
use crate::yaml::Diagnostics;

/// Arguments of `noetl validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Playbook files, or directories of them
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Prints how each playbook was understood
    #[arg(long, conflicts_with = "format")]
    explain: bool,
    /// How mistakes are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    components: ComponentsOption,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Below the file's lines, for people; on stderr
    #[default]
    Human,
    /// FILE:LINE:COLUMN: MESSAGE, a line for each; on stderr
    Short,
    /// A JSON object in a line for each; on stdout
    Json,
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
                Ok(playbook) => {
                    if !matches!(self.format, Format::Json) {
                        terminal::out(&format!("{}: ok ({})", file.name, playbook.path));
                    }
                }
                Err(diagnostics) => {
                    self.format.print(&file, &diagnostics);
                    code = ExitCode::FAILURE;
                }
            }
        }
        Ok(code)
    }
}

impl Format {
    fn print(self, file: &files::File, diagnostics: &Diagnostics) {
        match self {
            Format::Human => {
                failure::report(&mistakes::failure(file, diagnostics).into());
            }
            Format::Short => terminal::note(&diagnostics.to_string()),
            Format::Json => {
                let lines = diagnostics.0.iter();
                lines.for_each(|diagnostic| terminal::json_line(&json!(diagnostic)));
            }
        }
    }
}
