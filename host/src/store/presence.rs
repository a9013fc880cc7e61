//! Which servers are there. Each has a number, and holds an advisory lock of that
//! number as long as it is connected. So what a server has left behind is known by
//! nobody holding its lock.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use super::connections::{ALL, set_tenant};

/// The advisory lock that every server shares. Who has it alone knows that no
/// server is there.
pub(super) const PRESENCE: i64 = 0x6e6f_6574_6c00;

/// The first of the two numbers of a server's own lock.
const SERVERS: i32 = 0x6e6f_6574;

/// A server that has announced itself.
pub(super) struct Presence {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    /// The server's number.
    owner: i32,
}

impl Presence {
    /// Says that a server is there, until this is ended.
    pub async fn announce(options: PgConnectOptions) -> sqlx::Result<Self> {
        let mut presence = Self {
            options,
            connection: None,
            owner: 0,
        };
        presence.connect().await?;
        Ok(presence)
    }

    pub fn owner(&self) -> i32 {
        self.owner
    }

    /// The connection that holds the locks. If it broke, they are taken again.
    pub async fn connection(&mut self) -> sqlx::Result<&mut PgConnection> {
        let alive = match &mut self.connection {
            Some(connection) => connection.ping().await.is_ok(),
            None => false,
        };
        if !alive {
            self.connection = None;
            self.connect().await?;
        }
        Ok(self.connection.as_mut().expect("it was just made"))
    }

    async fn connect(&mut self) -> sqlx::Result<()> {
        let mut connection = self.options.connect().await?;
        set_tenant(&mut connection, ALL).await?;
        sqlx::query("SELECT pg_advisory_lock_shared($1)")
            .bind(PRESENCE)
            .execute(&mut connection)
            .await?;
        // The number of a broken connection may still be locked by it for a while.
        while self.owner == 0 || !lock_server(&mut connection, self.owner).await? {
            if self.owner == 0 {
                let random = Uuid::new_v4().as_u64_pair().0 >> 33;
                self.owner = i32::try_from(random).expect("31 bits");
            } else {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// The server is gone.
    pub async fn end(self) {
        if let Some(connection) = self.connection {
            let _ = connection.close().await;
        }
    }
}

/// Takes a server's lock, which nobody can as long as that server is there.
pub(super) async fn lock_server(connection: &mut PgConnection, owner: i32) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1, $2)")
        .bind(SERVERS)
        .bind(owner)
        .fetch_one(connection)
        .await
}

/// Gives a server's lock back.
pub(super) async fn unlock_server(connection: &mut PgConnection, owner: i32) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_advisory_unlock($1, $2)")
        .bind(SERVERS)
        .bind(owner)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether nobody else uses the store; then nobody can until `connection` is closed
/// or gives the lock back.
pub(super) async fn lock_alone(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(PRESENCE)
        .fetch_one(connection)
        .await
}
