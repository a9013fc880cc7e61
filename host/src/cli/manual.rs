//! `noetl completions` and `noetl man`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;

use super::terminal::out;

/// Arguments of `noetl completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Writes a script for the shell to stdout.
    ///
    /// # Errors
    /// None.
    pub fn run(self, command: Command) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut shown(command), "noetl", &mut script);
        // A reader that went away has heard enough.
        let _ = std::io::stdout().write_all(&script);
        Ok(ExitCode::SUCCESS)
    }
}

/// Arguments of `noetl man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Where to write a page for each command [default: the page of `noetl` to stdout]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Man {
    /// Writes the pages.
    ///
    /// # Errors
    /// The directory can't be written.
    pub fn run(self, command: Command) -> anyhow::Result<ExitCode> {
        let command = shown(command);
        let Some(directory) = self.directory else {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            let _ = std::io::stdout().write_all(&page);
            return Ok(ExitCode::SUCCESS);
        };
        let context = || format!("cannot write to {}", directory.display());
        std::fs::create_dir_all(&directory).with_context(context)?;
        clap_mangen::generate_to(command, &directory).with_context(context)?;
        out(&format!(
            "the manual's pages are in {}",
            directory.display()
        ));
        Ok(ExitCode::SUCCESS)
    }
}

/// The command without those that nobody is told of.
fn shown(command: Command) -> Command {
    let subcommands: Vec<Command> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .cloned()
        .collect();
    let mut shown = Command::new("noetl")
        .about(command.get_about().cloned().unwrap_or_default())
        .version(env!("CARGO_PKG_VERSION"));
    shown = shown.subcommand_required(true);
    shown.subcommands(subcommands)
}
