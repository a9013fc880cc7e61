//! One configuration: a file, the environment, flags.
//!
//! There is no second list of options: what a file can hold is what the command
//! line of `noetl serve` says of itself, and a file's values take the place of its
//! defaults.

mod command;
mod file;
mod show;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args};

pub use command::Config;
use file::Settings;

use super::failure::Failure;

/// The file that is read if it is there and no other is named.
const DEFAULT_FILE: &str = "/etc/noetl/noetl.yaml";
/// The command whose options a file holds.
const SERVE: &str = "serve";
/// The id of [`ConfigOption`]'s argument.
const OPTION: &str = "config";

/// Which file configures the command.
#[derive(Debug, Clone, Args)]
pub struct ConfigOption {
    /// A YAML file with options of `noetl serve` [default: /etc/noetl/noetl.yaml, if it is there]
    #[arg(long, env = "NOETL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

fn choose(named: Option<PathBuf>) -> Option<PathBuf> {
    named
        .filter(|file| !file.as_os_str().is_empty())
        .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists()))
}

/// The command line, with a file's values as its defaults.
#[derive(Debug)]
pub struct Configured {
    /// The command line.
    pub command: clap::Command,
    file: Option<(PathBuf, Settings)>,
}

impl Configured {
    /// Reads the file that the command line names, or that is there, if the command
    /// that was chosen takes one.
    ///
    /// # Errors
    /// The file can't be read, or has mistakes.
    pub fn new(command: clap::Command) -> anyhow::Result<Self> {
        // What is wrong or missing is told when the file's values are there.
        let first = command.clone().ignore_errors(true).try_get_matches();
        let file = first.as_ref().ok().and_then(|matches| {
            let named = innermost(matches).try_get_one::<PathBuf>(OPTION).ok()?;
            choose(named.cloned())
        });
        let (Some(file), Ok(matches)) = (file, first) else {
            return Ok(Self {
                command,
                file: None,
            });
        };
        let settings = read(&file, &command)?;
        Ok(Self {
            command: settings.put_into(command, &path_of(&matches)),
            file: Some((file, settings)),
        })
    }

    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|(file, _)| file.as_path())
    }

    /// The file, if it has this option.
    fn file_of(&self, id: &str) -> Option<&Path> {
        let (file, settings) = self.file.as_ref()?;
        settings.has(id).then_some(file)
    }
}

/// The names of the command that was chosen, from the outermost.
fn path_of(matches: &ArgMatches) -> Vec<String> {
    std::iter::successors(matches.subcommand(), |(_, matches)| matches.subcommand())
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// What was given to the command that was chosen.
fn innermost(mut matches: &ArgMatches) -> &ArgMatches {
    while let Some((_, below)) = matches.subcommand() {
        matches = below;
    }
    matches
}

fn read(file: &Path, command: &clap::Command) -> anyhow::Result<Settings> {
    let serve = command
        .find_subcommand(SERVE)
        .expect("the command is there");
    let source = file::Source::read(file).map_err(|error| {
        Failure::usage(format!(
            "cannot read the configuration file {}: {error}",
            file.display()
        ))
    })?;
    file::parse(&source, serve).map_err(|mistakes| {
        Failure::usage(format!("the configuration file has mistakes:\n{mistakes}")).into()
    })
}

/// The arguments of a command that are options of a file.
fn options(command: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some() && !arg.is_hide_set() && arg.get_id() != OPTION)
}

/// The section of a file in which an option stands: what its heading in the help is.
fn section(arg: &clap::Arg) -> Option<String> {
    let heading = arg.get_help_heading()?;
    Some(heading.to_lowercase().replace(' ', "_"))
}

/// An option's name in a file.
fn key(arg: &clap::Arg) -> String {
    arg.get_long().expect("an option has one").replace('-', "_")
}
