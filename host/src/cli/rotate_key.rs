//! `noetl credential rotate-key`.

use std::process::ExitCode;

use clap::Args;

use super::local::StoreOptions;
use super::terminal::{note, out};
use crate::store::Rotation;

/// Arguments of `noetl credential rotate-key`.
#[derive(Debug, Args)]
pub struct RotateKey {
    #[command(flatten)]
    store: StoreOptions,
}

impl RotateKey {
    /// Encrypts all credentials with the newest master key. If they are already, a
    /// new one is made first and added to the key file, which keeps the old one:
    /// whenever this is broken off, every credential's key is in the file.
    ///
    /// # Errors
    /// A server is running, a key is missing, or the database fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let mut store = self.store.start(&note).await?;
        let mut rotation = Rotation::begin(&store.database_url, &store.master_keys.keys).await?;
        if rotation.outdated(&store.master_keys.keys).await? == 0 {
            store.master_keys = store.master_keys.add_new()?;
        }
        let keys = &store.master_keys.keys;
        let count = rotation.encrypt(keys).await?;
        rotation.end().await;
        let (place, ids) = (store.master_keys.place(), keys.ids());
        let what = match count {
            1 => "1 credential was".to_owned(),
            _ => format!("{count} credentials were"),
        };
        out(&format!(
            "{what} encrypted anew, with the master key {}: the first in {place}",
            ids[0]
        ));
        if ids.len() > 1 {
            out(&format!(
                "older keys there ({}) are needed only for older backups of the database; \
                 take them out when you have none",
                ids[1..].join(", ")
            ));
        }
        if let Some(embedded) = store.embedded {
            embedded.stop().await?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
