//! Executions whose server is gone, or lost its way to the store: another one goes
//! on with them.

use serde_json::value::RawValue;
use sqlx::types::Json;
use sqlx::{Connection as _, FromRow, PgConnection};
use uuid::Uuid;

use super::Store;
use super::presence::{lock_server, unlock_server};

/// An execution that is this server's now.
#[derive(Debug, FromRow)]
pub struct Adopted {
    /// Its id.
    pub id: Uuid,
    /// Its tenant.
    pub tenant: String,
    /// The playbook's path.
    pub path: String,
    /// The playbook's version.
    pub version: i32,
    /// What the caller sent.
    pub payload: Json<Box<RawValue>>,
    /// The execution that it is a part of.
    pub parent: Option<Uuid>,
}

const ADOPTED: &str = "id, tenant, path, version, payload, parent";

impl Store {
    /// Takes over the executions of servers that are gone, and returns those of this
    /// server that are not in `running`: the new ones, and ones that broke off.
    ///
    /// # Errors
    /// If the store fails; what was taken over by then is found by the next call.
    pub async fn adopt(&self, running: &[Uuid]) -> sqlx::Result<Vec<Adopted>> {
        let mut presence = self.presence.lock().await;
        let Some(presence) = presence.as_mut() else {
            return Ok(Vec::new());
        };
        let connection = presence.connection().await?;
        let owners: Vec<i32> = sqlx::query_scalar(
            "SELECT DISTINCT owner FROM executions WHERE status = 'running' AND owner <> $1",
        )
        .bind(self.owner)
        .fetch_all(&mut *connection)
        .await?;
        for owner in owners {
            // Whoever gets the lock knows that the server is gone.
            if lock_server(connection, owner).await? {
                let taken = self.take_over(connection, owner).await;
                unlock_server(connection, owner).await?;
                taken?;
            }
        }
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {ADOPTED} FROM executions
             WHERE status = 'running' AND owner = $1 AND id <> ALL ($2) ORDER BY id"
        )))
        .bind(self.owner)
        .bind(running)
        .fetch_all(connection)
        .await
    }

    /// The paths of the playbooks from the first one above an execution to its own.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn lineage(&self, tenant: &str, id: Uuid) -> sqlx::Result<Vec<String>> {
        let mut connection = self.connections.of(tenant).await?;
        sqlx::query_scalar(
            "WITH RECURSIVE above AS (
                 SELECT path, parent, 0 AS height FROM executions WHERE tenant = $1 AND id = $2
                 UNION ALL
                 SELECT e.path, e.parent, height + 1 FROM executions e
                 JOIN above ON e.tenant = $1 AND e.id = above.parent
             )
             SELECT path FROM above ORDER BY height DESC",
        )
        .bind(tenant)
        .bind(id)
        .fetch_all(&mut *connection)
        .await
    }

    async fn take_over(&self, connection: &mut PgConnection, owner: i32) -> sqlx::Result<()> {
        let mut tx = connection.begin().await?;
        sqlx::query(
            "UPDATE executions SET owner = $1, resumed = resumed + 1
             WHERE status = 'running' AND owner = $2",
        )
        .bind(self.owner)
        .bind(owner)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }
}
