//! Where compiled components are.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;

/// The directory of compiled components.
#[derive(Debug, Args)]
pub struct CacheOption {
    /// Where compiled components are kept; only this account may write there [default: ~/.cache/noetl/compiled]
    #[arg(long, env = "NOETL_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

impl CacheOption {
    /// The directory, which may not be there yet.
    ///
    /// # Errors
    /// None was named, and there is no `HOME`.
    pub fn directory(&self) -> anyhow::Result<PathBuf> {
        match &self.cache_dir {
            Some(directory) => Ok(directory.clone()),
            None => default(),
        }
    }
}

fn default() -> anyhow::Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("XDG_CACHE_HOME")
        .or_else(|| Some(set("HOME")?.join(".cache")))
        .map(|cache| cache.join("noetl/compiled"))
        .ok_or_else(|| {
            Failure::new("there is no HOME to keep compiled components in")
                .hint("name a directory with --cache-dir")
                .into()
        })
}
