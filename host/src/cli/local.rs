//! The application in this process, for `serve` and for commands that find no
//! server.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::cache::CacheOption;
use super::client::Client;
use super::components::ComponentsOption;
use super::embedded::{Embedded, Options};
use super::master_key::{MasterKeyOption, MasterKeys};
use super::terminal::{note, timed};
use crate::access::{AccessConfig, Principal};
use crate::app::{App, AppConfig, ServiceLimits};
use crate::grants::{BUILT_IN_TOOLS, Grants};
use crate::sandbox::WorkerSettings;
use crate::secrets::Secret;
use crate::store::{DEFAULT_TENANT, Migrations};
use crate::tool::Toolset;

/// The alias of the credential for the embedded database's `demo`.
const DEMO_CREDENTIAL: &str = "pg_demo";

/// Where the server's own data is, and the key to what is encrypted in it.
#[derive(Debug, Args)]
pub struct StoreOptions {
    /// PostgreSQL for noetl's own data [default: one that noetl starts itself]
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<Secret>,
    #[command(flatten)]
    master_key: MasterKeyOption,
}

/// The database and the master keys, ready to be used.
pub struct StoreAccess {
    pub database_url: Secret,
    pub master_keys: MasterKeys,
    pub embedded: Option<Embedded>,
}

impl StoreOptions {
    /// Reads the master keys, and starts a database if none was given.
    ///
    /// # Errors
    /// One of them can't be had.
    pub async fn start(&self, say: &dyn Fn(&str)) -> anyhow::Result<StoreAccess> {
        let master_keys = self.master_key.load(say)?;
        let (database_url, embedded) = self.database(say).await?;
        Ok(StoreAccess {
            database_url,
            master_keys,
            embedded,
        })
    }

    /// The database, which is started if none was given.
    ///
    /// # Errors
    /// It does not start.
    pub async fn database(&self, say: &dyn Fn(&str)) -> anyhow::Result<(Secret, Option<Embedded>)> {
        if let Some(url) = &self.database_url {
            return Ok((url.clone(), None));
        }
        let embedded = start_database(say).await?;
        Ok((embedded.store_url.clone(), Some(embedded)))
    }

    /// The database that was given.
    pub fn database_url(&self) -> Option<&Secret> {
        self.database_url.as_ref()
    }

    /// Where the master key is, or what is wrong with it. None is made.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn master_key(&self) -> Result<String, String> {
        self.master_key.examine()
    }
}

/// What the application needs.
#[derive(Debug, Args)]
pub struct LocalOptions {
    #[command(flatten)]
    pub store: StoreOptions,
    /// Whether to bring the tables of noetl's own data up to date when it starts
    #[arg(
        long,
        env = "NOETL_MIGRATIONS",
        value_name = "HOW",
        value_enum,
        default_value_t
    )]
    migrations: Migrations,
    #[command(flatten)]
    components: ComponentsOption,
    #[command(flatten)]
    cache: CacheOption,
    /// Processes that run steps [default: one more than there are cores]
    #[arg(long, env = "NOETL_WORKERS", value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Refuses to start where the kernel lacks a mechanism that confines steps (see `noetl doctor`)
    #[arg(long, env = "NOETL_REQUIRE_ISOLATION")]
    require_isolation: bool,
    /// What each tenant may use, a YAML file [default: the built-in tools and all credentials]
    #[arg(long, env = "NOETL_GRANTS", value_name = "FILE")]
    pub grants: Option<PathBuf>,
}

impl LocalOptions {
    /// What is needed to start workers.
    ///
    /// # Errors
    /// There is no place for compiled components.
    pub fn workers(&self) -> anyhow::Result<WorkerSettings> {
        let mut settings = WorkerSettings::new(self.cache.directory()?);
        if let Some(workers) = self.workers {
            settings.workers = workers.into();
        }
        Ok(settings)
    }

    /// The tools that lie there.
    ///
    /// # Errors
    /// If one can't be used.
    pub fn toolset(&self) -> anyhow::Result<Toolset> {
        self.components.toolset()
    }

    /// Where the tools lie.
    ///
    /// # Errors
    /// They are nowhere.
    pub fn components(&self) -> anyhow::Result<PathBuf> {
        self.components.directory()
    }
}

/// What only a server that others reach needs.
#[derive(Default)]
pub struct Serving {
    pub dev: bool,
    pub limits: ServiceLimits,
    pub access: AccessConfig,
    pub retention: Option<Duration>,
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
        serving: Serving,
        say: &dyn Fn(&str),
    ) -> anyhow::Result<Local> {
        let components = options.components()?;
        let workers = options.workers()?;
        let StoreAccess {
            database_url,
            master_keys,
            embedded,
        } = options.store.start(say).await?;
        let config = AppConfig {
            database_url,
            keys: master_keys.keys,
            migrations: options.migrations,
            components,
            workers,
            require_isolation: options.require_isolation,
            grants: options.grants.clone(),
            dev: serving.dev,
            limits: serving.limits,
            access: serving.access,
            retention: serving.retention,
        };
        let progress = |text: &str, duration: Duration| say(&timed(text, duration));
        let app = App::start(config, &progress).await?;
        say(&granted(app.grants()));
        let client = Client::in_process(app.router_of(Principal::local()));
        if let Some(embedded) = &embedded {
            let credential = json!({"type": "postgres", "url": embedded.demo_url.expose()});
            client
                .put_credential(DEMO_CREDENTIAL, &credential)
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

/// Where the grants are from, in a line.
fn granted(grants: &Grants) -> String {
    match grants.file() {
        Some(file) => format!(
            "grants of {} from {}",
            grants.tenants().join(", "),
            file.display()
        ),
        None => format!(
            "no grants file: the tenant {DEFAULT_TENANT} has the tools {}, those that it pushes and all of its own credentials",
            BUILT_IN_TOOLS.join(", ")
        ),
    }
}

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
