//! Where the tools' components are.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use crate::app;

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

    /// The names of the tools that are there. Those that every server has are known
    /// to [`crate::playbook::parse`] without their components.
    pub fn names(&self) -> Vec<String> {
        let components = app::tools(&self.directory).unwrap_or_default();
        components.into_iter().map(|(name, _)| name).collect()
    }
}
