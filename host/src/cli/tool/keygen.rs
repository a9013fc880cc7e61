//! `noetl tool keygen`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::failure::Failure;
use crate::cli::terminal;
use crate::tool::signature::SigningKey;

/// Arguments of `noetl tool keygen`.
#[derive(Debug, Args)]
pub struct Keygen {
    /// Where the private key goes; it must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Keygen {
    /// Writes a key that only this account can read; prints its public half.
    ///
    /// # Errors
    /// The file is there already, or can't be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let (pem, public) = SigningKey::generate()?;
        let failed = |error: std::io::Error| {
            Failure::new(format!("cannot write {}: {error}", self.file.display()))
                .hint("name a file that is not there yet")
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.file)
            .map_err(failed)?;
        file.write_all(pem.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        terminal::note(&format!(
            "{}: the private key; 'noetl tool push --sign' takes it. \
             The public key, for 'tool_keys' of a tenant in the grants file:",
            self.file.display()
        ));
        terminal::out(&public.to_string());
        Ok(ExitCode::SUCCESS)
    }
}
