//! The tenants' connections: a pool for each tenant and credential.
//!
//! The pools are deadpool's and not sqlx's, because a connection has to carry the
//! number of its backend: a query whose step is gone is ended through a second
//! connection. sqlx's pool has no place for it, and asking for it would cost each
//! step a round trip.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use deadpool::Runtime;
use deadpool::managed::{self, Object, PoolError, RecycleError, RecycleResult};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection as _, PgConnection};

use super::error;
use super::plan::Plans;
use super::privilege;
use super::timeout::Timeout;
use super::types::Types;
use crate::metrics::{Labels, Metrics};
use crate::secrets::Secret;
use crate::wit::noetl::tool::postgres::Error;

/// A credential, as its source gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The connection URL, `postgres://…`.
    pub url: Secret,
    /// Whether its role may have more rights than a playbook needs.
    pub allow_privileged: bool,
}

/// Checks that a URL is one of PostgreSQL.
///
/// # Errors
/// What it should be; it is not quoted.
pub fn check_url(url: &Secret) -> Result<(), &'static str> {
    options(url).map(drop)
}

/// Where credentials are kept.
#[async_trait]
pub trait CredentialSource: Send + Sync + 'static {
    /// A tenant's credential, or `None` if the tenant has none by that alias.
    async fn find(&self, tenant: &str, alias: &str) -> anyhow::Result<Option<Credential>>;
}

/// How pools behave.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// Connections of one pool, at most.
    pub max_connections: usize,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// An idle connection is closed after this long.
    pub idle_timeout: Duration,
    /// A connection is not used again when it is older than this.
    pub max_lifetime: Duration,
    /// A credential is looked up again after this long, so that a change made by
    /// another server is seen.
    pub credential_ttl: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_connections: 16,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(300),
            max_lifetime: Duration::from_secs(1800),
            credential_ttl: Duration::from_secs(30),
        }
    }
}

/// All tenants' pools. Clones share them.
#[derive(Clone)]
pub struct Pools {
    inner: Arc<Inner>,
}

struct Inner {
    source: Arc<dyn CredentialSource>,
    settings: PoolSettings,
    pools: Mutex<HashMap<(String, String), Entry>>,
}

struct Entry {
    credential: Credential,
    /// When the source last gave this value; `None` if it has to be asked again.
    checked: Option<Instant>,
    pool: Arc<Pool>,
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools").finish_non_exhaustive()
    }
}

impl Pools {
    /// No pool yet; each is made when its credential is first used.
    pub fn new(source: Arc<dyn CredentialSource>, settings: PoolSettings) -> Self {
        Self {
            inner: Arc::new(Inner {
                source,
                settings,
                pools: Mutex::default(),
            }),
        }
    }

    /// How many connections each pool has, by tenant, alias and state: those of the
    /// largest pools apart, all others together.
    pub fn watch(&self, metrics: &Metrics) {
        let inner = Arc::clone(&self.inner);
        metrics.watch(
            "postgres_connections",
            "Connections of steps to PostgreSQL",
            move || inner.connections(),
        );
    }

    /// To be called when a credential was changed or removed: the next step looks
    /// it up again, and connections of an older value are not used again.
    pub fn invalidate(&self, tenant: &str, alias: &str) {
        let key = (tenant.to_owned(), alias.to_owned());
        if let Some(entry) = self.lock().get_mut(&key) {
            entry.checked = None;
        }
    }

    /// The pool of a credential. `Ok(None)` if there is no such credential.
    pub(super) async fn find(&self, tenant: &str, alias: &str) -> Result<Option<Arc<Pool>>, Error> {
        let settings = &self.inner.settings;
        let key = (tenant.to_owned(), alias.to_owned());
        if let Some(entry) = self.lock().get(&key)
            && entry
                .checked
                .is_some_and(|at| at.elapsed() < settings.credential_ttl)
        {
            return Ok(Some(entry.pool.clone()));
        }
        let found = self
            .inner
            .source
            .find(tenant, alias)
            .await
            .map_err(|error| {
                let error = format!("{error:#}");
                tracing::error!(tenant, alias, error, "a credential could not be looked up");
                Error::ConnectionFailed(format!(
                    "the credential `{alias}` could not be looked up; the server's log says why"
                ))
            })?;
        let mut pools = self.lock();
        let Some(credential) = found else {
            pools.remove(&key);
            return Ok(None);
        };
        if let Some(entry) = pools.get_mut(&key)
            && entry.credential == credential
        {
            entry.checked = Some(Instant::now());
            return Ok(Some(entry.pool.clone()));
        }
        let pool = Arc::new(Pool::new(alias, &credential, settings)?);
        let entry = Entry {
            credential,
            checked: Some(Instant::now()),
            pool: pool.clone(),
        };
        pools.insert(key, entry);
        Ok(Some(pool))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Entry>> {
        self.inner.pools.lock().expect("no panic while held")
    }
}

impl Inner {
    fn connections(&self) -> Vec<(Labels, f64)> {
        let mut pools: Vec<_> = {
            let pools = self.pools.lock().expect("no panic while held");
            let counts = pools.iter().map(|((tenant, alias), entry)| {
                let status = entry.pool.connections.status();
                let used = status.size.saturating_sub(status.available);
                (tenant.clone(), alias.clone(), used, status.size - used)
            });
            counts.collect()
        };
        pools.sort_unstable_by_key(|(_, _, used, idle)| std::cmp::Reverse(used + idle));
        let rest = pools.split_off(pools.len().min(POOLS_SHOWN));
        if !rest.is_empty() {
            let used = rest.iter().map(|pool| pool.2).sum();
            let idle = rest.iter().map(|pool| pool.3).sum();
            pools.push((String::new(), "(all others)".into(), used, idle));
        }
        pools
            .into_iter()
            .flat_map(|(tenant, alias, used, idle)| {
                [("used", used), ("idle", idle)].map(|(state, count)| {
                    let labels = vec![
                        ("tenant", tenant.clone()),
                        ("credential", alias.clone()),
                        ("state", state.to_owned()),
                    ];
                    (labels, count as f64)
                })
            })
            .collect()
    }
}

/// Pools that are shown by name: tenants make as many credentials as they like.
const POOLS_SHOWN: usize = 100;

/// The connections of one credential, and what was learnt about its database.
pub(super) struct Pool {
    pub alias: String,
    pub plans: Plans,
    pub types: Types,
    /// Grows with each change of the schema that a step makes.
    pub schema_epoch: AtomicU64,
    connections: managed::Pool<Manager>,
}

/// A connection out of a pool.
pub(super) type Lease = Object<Manager>;

impl Pool {
    fn new(alias: &str, credential: &Credential, settings: &PoolSettings) -> Result<Self, Error> {
        let manager = Manager {
            options: options(&credential.url).map_err(|reason| {
                Error::ConnectionFailed(format!("the credential `{alias}`: {reason}"))
            })?,
            allow_privileged: credential.allow_privileged,
            max_lifetime: settings.max_lifetime,
        };
        let connections = managed::Pool::builder(manager)
            .max_size(settings.max_connections)
            .create_timeout(Some(settings.connect_timeout))
            .recycle_timeout(Some(Duration::from_secs(2)))
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a runtime is named");
        close_idle(&connections, settings.idle_timeout);
        Ok(Self {
            alias: alias.to_owned(),
            plans: Plans::default(),
            types: Types::default(),
            schema_epoch: AtomicU64::new(0),
            connections,
        })
    }

    /// A connection that no other step uses, in the state of a new one. Waits
    /// until there is one: the caller has the deadline.
    pub async fn lease(&self) -> Result<Lease, Error> {
        self.connections.get().await.map_err(|error| match error {
            PoolError::Backend(Refusal::Connect(error)) => error::connect(&self.alias, &error),
            PoolError::Backend(Refusal::Privileged(rights)) => {
                tracing::warn!(
                    credential = self.alias,
                    ?rights,
                    "postgres: a privileged role was refused"
                );
                error::privileged(&self.alias, &rights)
            }
            PoolError::Timeout(_) => Error::ConnectionFailed(format!(
                "the credential `{}`: PostgreSQL did not answer in time",
                self.alias
            )),
            _ => Error::ConnectionFailed(format!(
                "the credential `{}`: the pool is closed",
                self.alias
            )),
        })
    }
}

fn options(url: &Secret) -> Result<PgConnectOptions, &'static str> {
    let parsed = url::Url::parse(url.expose())
        .ok()
        .filter(|url| matches!(url.scheme(), "postgres" | "postgresql"));
    let options = PgConnectOptions::from_str(url.expose()).ok();
    let Some((parsed, mut options)) = parsed.zip(options) else {
        return Err(
            "its value is not a PostgreSQL URL (postgres://user:password@host:port/database; \
             `@`, `:`, `/`, `%`, `?` and `#` in a password are written %40, %3A, %2F, %25, %3F, %23)",
        );
    };
    // sqlx fills in a missing password from the server's own environment and
    // `.pgpass`, which are not the tenant's.
    if parsed.password().is_none() {
        options = options.password("");
    }
    Ok(options
        .application_name("noetl")
        .statement_cache_capacity(256)
        .disable_statement_logging()
        .options([("client_min_messages", "error")]))
}

/// Closes idle connections from time to time, as long as the pool lives.
fn close_idle(connections: &managed::Pool<Manager>, idle_timeout: Duration) {
    let weak = connections.weak();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(idle_timeout / 4).await;
            let Some(connections) = weak.upgrade() else {
                return;
            };
            connections.retain(|client: &Client, _| client.released.elapsed() < idle_timeout);
        }
    });
}

/// A connection and its backend.
pub(super) struct Client {
    pub connection: PgConnection,
    /// The backend's process number, for `pg_terminate_backend`.
    pub backend: i32,
    /// PostgreSQL's own `statement_timeout` on it when it was made.
    pub default_timeout: Timeout,
    /// The same now; `None` if it has to be asked for.
    pub statement_timeout: Option<Timeout>,
    /// How much of the pool's `schema_epoch` its prepared statements have seen.
    pub schema_epoch: u64,
    /// When it was last given back.
    pub released: Instant,
}

pub(super) struct Manager {
    options: PgConnectOptions,
    allow_privileged: bool,
    max_lifetime: Duration,
}

/// Why there is no new connection.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It could not be made.
    Connect(sqlx::Error),
    /// Its role has these rights, and may not have them.
    Privileged(Vec<String>),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Connect(error)
    }
}

impl managed::Manager for Manager {
    type Type = Client;
    type Error = Refusal;

    async fn create(&self) -> Result<Client, Refusal> {
        let mut connection = self.options.connect().await?;
        let role = privilege::ask(&mut connection).await?;
        if !role.rights.is_empty() && !self.allow_privileged {
            let _ = connection.close().await;
            return Err(Refusal::Privileged(role.rights));
        }
        Ok(Client {
            connection,
            backend: role.backend,
            default_timeout: role.timeout,
            statement_timeout: Some(role.timeout),
            schema_epoch: 0,
            released: Instant::now(),
        })
    }

    async fn recycle(
        &self,
        client: &mut Client,
        metrics: &managed::Metrics,
    ) -> RecycleResult<Refusal> {
        if metrics.age() > self.max_lifetime {
            return Err(RecycleError::message("old enough"));
        }
        // A connection that was just in use is not asked whether it still lives:
        // that would be a round trip for each step.
        if client.released.elapsed() > Duration::from_secs(1) {
            client.connection.ping().await.map_err(Refusal::Connect)?;
        }
        Ok(())
    }
}
