//! Connections to the server's database, each of which works for one tenant at a
//! time: PostgreSQL's row-level security hides the rows of all others from it.
//!
//! The pool is deadpool's and not sqlx's, because a connection has to carry the
//! tenant that its session was last set to: setting it costs a round trip, and
//! mostly it is right already.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use deadpool::Runtime;
use deadpool::managed::{self, Metrics, Object, PoolError, RecycleError, RecycleResult};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection as _, PgConnection};

/// The name that stands for all tenants. None has it.
pub(super) const ALL: &str = "*";

/// Connections at once.
const CONNECTIONS: usize = 16;
const TIMEOUT: Duration = Duration::from_secs(10);
/// A connection is asked this often whether it still is one. To ask each time it is
/// taken would cost a round trip.
const TRUSTED: Duration = Duration::from_secs(1);
const LIFETIME: Duration = Duration::from_secs(1800);

#[derive(Clone)]
pub(super) struct Connections(managed::Pool<Manager>);

/// A connection that sees one tenant's rows. Dropping it gives it back.
pub(super) struct Connection(Object<Manager>);

struct Manager(PgConnectOptions);

struct Session {
    connection: PgConnection,
    tenant: String,
    /// When it last was a connection for sure.
    alive: Instant,
}

impl Connections {
    pub fn new(options: PgConnectOptions) -> Self {
        let pool = managed::Pool::builder(Manager(options))
            .max_size(CONNECTIONS)
            .timeouts(managed::Timeouts {
                wait: Some(TIMEOUT),
                create: Some(TIMEOUT),
                recycle: Some(TIMEOUT),
            })
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a runtime is given");
        Self(pool)
    }

    /// A connection that works for `tenant`.
    pub async fn of(&self, tenant: &str) -> sqlx::Result<Connection> {
        let mut session = self.0.get().await.map_err(|error| match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(_) => sqlx::Error::PoolTimedOut,
            _ => sqlx::Error::PoolClosed,
        })?;
        if session.tenant != tenant {
            // Should this be broken off, nobody knows what it is set to.
            session.tenant.clear();
            set_tenant(&mut session.connection, tenant).await?;
            session.tenant.push_str(tenant);
        }
        Ok(Connection(session))
    }

    /// A connection that works for all tenants.
    pub async fn of_all(&self) -> sqlx::Result<Connection> {
        self.of(ALL).await
    }

    /// How many connections are used, and how many are idle.
    pub fn usage(&self) -> (usize, usize) {
        let status = self.0.status();
        (
            status.size.saturating_sub(status.available),
            status.available,
        )
    }

    pub fn close(&self) {
        self.0.close();
    }
}

pub(super) async fn set_tenant(connection: &mut PgConnection, tenant: &str) -> sqlx::Result<()> {
    sqlx::query("SELECT set_config('noetl.tenant', $1, false)")
        .bind(tenant)
        .execute(connection)
        .await?;
    Ok(())
}

impl Deref for Connection {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0.connection
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0.connection
    }
}

impl managed::Manager for Manager {
    type Type = Session;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<Session> {
        Ok(Session {
            connection: self.0.connect().await?,
            tenant: String::new(),
            alive: Instant::now(),
        })
    }

    async fn recycle(
        &self,
        session: &mut Session,
        metrics: &Metrics,
    ) -> RecycleResult<sqlx::Error> {
        if metrics.created.elapsed() > LIFETIME {
            return Err(RecycleError::message("old"));
        }
        if session.alive.elapsed() > TRUSTED {
            session.connection.ping().await?;
            session.alive = Instant::now();
        }
        Ok(())
    }
}
