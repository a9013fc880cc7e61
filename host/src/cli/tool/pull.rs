//! `noetl tool pull`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::build::write;
use super::oci::{Fetched, Place, RegistryOptions};
use super::target::Component;
use crate::cli::failure::Failure;
use crate::cli::terminal;
use crate::tool::signature::{self, PublicKey};

/// Arguments of `noetl tool pull`.
#[derive(Debug, Args)]
pub struct Pull {
    /// Where the component is: oci://REGISTRY/REPOSITORY:TAG
    #[arg(value_name = "PLACE")]
    place: String,
    /// Where it goes [default: NAME.wasm here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A public key that must have signed it; may be repeated
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<PublicKey>,
    #[command(flatten)]
    registry: RegistryOptions,
}

impl Pull {
    /// Fetches it.
    ///
    /// # Errors
    /// The registry does not have it, or it is not what was asked for.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let place = Place::parse(&self.place)?;
        let fetched = self.registry.pull(&place).await?;
        let Fetched { wasm, signature } = fetched;
        let component = Component::of(&place.to_string(), wasm)?;
        if !self.keys.is_empty() {
            verify(&place, &self.keys, &component.digest, signature.as_deref())?;
        }
        let name = match &component.manifest {
            Some(manifest) => manifest.name.as_str(),
            None => place.name(),
        };
        let name = name.rsplit('/').next().unwrap_or(name);
        let output = self
            .output
            .unwrap_or_else(|| PathBuf::from(format!("{name}.wasm")));
        write(&output, &component.wasm)?;
        terminal::out(&format!("{}: {}", output.display(), component.digest));
        Ok(ExitCode::SUCCESS)
    }
}

fn verify(
    place: &Place,
    keys: &[PublicKey],
    digest: &str,
    signature: Option<&str>,
) -> anyhow::Result<()> {
    let Some(signature) = signature else {
        return Err(Failure::new(format!("{place} is not signed"))
            .hint("whoever pushes it signs it with --sign")
            .into());
    };
    signature::verify(keys, digest, signature)
        .map_err(|error| Failure::new(format!("{place}: {error}")).into())
}
