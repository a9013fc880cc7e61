//! Where the tools' components are.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::app;
use crate::tool::Toolset;

/// The directory of the components.
#[derive(Debug, Args)]
pub struct ComponentsOption {
    /// Where the tools' components are: NAME.wasm is the tool NAME
    #[arg(
        long = "components",
        env = "NOETL_COMPONENTS",
        value_name = "DIR",
        default_value = "build/components"
    )]
    directory: PathBuf,
}

impl ComponentsOption {
    /// The directory.
    ///
    /// # Errors
    /// It isn't there.
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        if self.directory.is_dir() {
            return Ok(self.directory.clone());
        }
        Err(Failure::new(format!(
            "there are no tool components in {}",
            self.directory.display()
        ))
        .hint("build them with 'make guests', or name their directory with --components")
        .into())
    }

    /// The tools that are there. What `python` and `postgres` take is known to
    /// [`crate::playbook::parse`] without their components.
    ///
    /// # Errors
    /// If one can't be used.
    pub fn toolset(&self) -> anyhow::Result<Toolset> {
        match self.directory.is_dir() {
            true => app::toolset(&self.directory),
            false => Ok(Toolset::default()),
        }
    }
}
