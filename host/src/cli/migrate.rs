//! `noetl migrate`.

use std::process::ExitCode;

use clap::Args;

use super::config::ConfigOption;
use super::local::StoreOptions;
use super::terminal::{note, out};
use crate::store::{self, Migration};

/// Arguments of `noetl migrate`.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Changes nothing; exits with 1 if something is missing
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    config: ConfigOption,
    #[command(flatten)]
    store: StoreOptions,
}

impl Migrate {
    /// Brings the tables up to date, and lists what they have.
    ///
    /// # Errors
    /// The database can't be reached, or a change fails.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let (database_url, embedded) = self.store.database(&note).await?;
        let done = self.bring(&database_url).await;
        if let Some(embedded) = embedded {
            embedded.stop().await?;
        }
        done
    }

    async fn bring(&self, database_url: &crate::secrets::Secret) -> anyhow::Result<ExitCode> {
        let before = store::migrations(database_url).await?;
        let missing = before.iter().filter(|migration| !migration.applied).count();
        let mut code = ExitCode::SUCCESS;
        if self.check {
            list(&before, "missing");
            if missing > 0 {
                code = ExitCode::FAILURE;
            }
        } else {
            if missing > 0 {
                store::migrate(database_url).await?;
            }
            list(&before, "applied now");
        }
        Ok(code)
    }
}

fn list(migrations: &[Migration], otherwise: &str) {
    for migration in migrations {
        let state = if migration.applied {
            "applied"
        } else {
            otherwise
        };
        out(&format!(
            "{:04} {:<40} {state}",
            migration.version, migration.description
        ));
    }
}
