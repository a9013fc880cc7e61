//! The application in this process, for `serve` and for commands that find no
//! server.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use super::client::Client;
use super::components::ComponentsOption;
use super::embedded::{Embedded, Options};
use super::failure::Failure;
use super::terminal::{note, timed};
use crate::app::{App, AppConfig};

/// The alias of the credential for the embedded database's `demo`.
const DEMO_CREDENTIAL: &str = "pg_demo";

/// What the application needs.
#[derive(Debug, Args)]
pub struct LocalOptions {
    /// PostgreSQL for noetl's own data [default: one that noetl starts itself]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    #[command(flatten)]
    components: ComponentsOption,
    /// Where compiled components are kept; only this account may write there [default: ~/.cache/noetl/compiled]
    #[arg(long, env = "NOETL_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

/// A started application and its client.
pub struct Local {
    pub app: App,
    pub client: Client,
    embedded: Option<Embedded>,
}

impl Local {
    /// Starts the application, and a database if none was given. `say` is told
    /// what is done, in lines.
    ///
    /// # Errors
    /// The database or the application does not start.
    pub async fn start(
        options: &LocalOptions,
        dev: bool,
        say: &dyn Fn(&str),
    ) -> anyhow::Result<Local> {
        let components = options.components.directory()?;
        let cache_dir = match &options.cache_dir {
            Some(directory) => directory.clone(),
            None => default_cache_dir()?,
        };
        let embedded = match options.database_url {
            Some(_) => None,
            None => Some(start_database(say).await?),
        };
        let database_url = match (&options.database_url, &embedded) {
            (Some(url), _) => url.clone(),
            (None, Some(embedded)) => embedded.store_url.clone(),
            (None, None) => unreachable!("one of them was chosen above"),
        };
        let config = AppConfig {
            database_url,
            components,
            cache_dir,
            dev,
        };
        let progress = |text: &str, duration: Duration| say(&timed(text, duration));
        let app = App::start(config, &progress).await?;
        let client = Client::in_process(app.router());
        if let Some(embedded) = &embedded {
            client
                .put_credential(DEMO_CREDENTIAL, "postgres", &embedded.demo_url)
                .await
                .with_context(|| format!("storing the credential {DEMO_CREDENTIAL}"))?;
            say(&format!(
                "credential {DEMO_CREDENTIAL} points to the embedded database 'demo'"
            ));
        }
        Ok(Local {
            app,
            client,
            embedded,
        })
    }

    /// Waits for running executions, up to a limit, then stops what was
    /// started.
    ///
    /// # Errors
    /// The embedded database does not stop.
    pub async fn stop(self) -> anyhow::Result<()> {
        if !self.app.drain(DRAIN_LIMIT).await {
            note("some executions had not finished and are broken off");
        }
        let Local {
            app,
            client,
            embedded,
        } = self;
        drop((client, app));
        if let Some(embedded) = embedded {
            embedded.stop().await?;
        }
        Ok(())
    }
}

/// How long running executions may take to finish after the server was told to
/// stop.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(30);

async fn start_database(say: &dyn Fn(&str)) -> anyhow::Result<Embedded> {
    say("no DATABASE_URL was given: starting a PostgreSQL of noetl's own");
    let before = Instant::now();
    let embedded = Embedded::start(Options::kept()?).await?;
    let text = if embedded.reused {
        format!(
            "PostgreSQL was running already (embedded, port {})",
            embedded.port
        )
    } else {
        format!("PostgreSQL is up (embedded, port {})", embedded.port)
    };
    say(&timed(&text, before.elapsed()));
    Ok(embedded)
}

fn default_cache_dir() -> anyhow::Result<PathBuf> {
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
