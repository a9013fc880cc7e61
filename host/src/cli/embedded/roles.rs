//! The roles and databases of the embedded cluster.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::secrets::Secret;

/// The roles' passwords.
#[derive(Clone, Serialize, Deserialize)]
pub struct Passwords {
    pub postgres: String,
    pub noetl: String,
    pub demo: String,
}

impl Passwords {
    /// New random ones, of characters that need no quoting anywhere.
    pub fn random() -> Passwords {
        let random = || format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Passwords {
            postgres: random(),
            noetl: random(),
            demo: random(),
        }
    }
}

/// The URL of a database on 127.0.0.1.
pub fn url(port: u16, role: &str, password: &str, database: &str) -> Secret {
    Secret::new(format!(
        "postgres://{role}:{password}@127.0.0.1:{port}/{database}?sslmode=disable"
    ))
}

/// Makes the roles and databases that don't exist.
///
/// # Errors
/// The cluster can't be reached with these passwords, or refuses.
pub async fn ensure(port: u16, passwords: &Passwords) -> anyhow::Result<()> {
    let admin = url(port, "postgres", &passwords.postgres, "postgres");
    // The statements have passwords in them.
    let admin = PgConnectOptions::from_str(admin.expose())?.disable_statement_logging();
    let connecting = tokio::time::timeout(Duration::from_secs(10), admin.connect());
    let mut connection = connecting
        .await
        .context("the embedded PostgreSQL does not answer")?
        .context("cannot connect to the embedded PostgreSQL")?;
    owner(&mut connection, "noetl", &passwords.noetl, -1).await?;
    // Playbooks must leave connections for the store.
    owner(&mut connection, "demo", &passwords.demo, 100).await?;
    // By default every role may connect to every database.
    for database in ["noetl", "demo", "postgres", "template1"] {
        let statement = format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC");
        run(&mut connection, statement).await?;
    }
    connection.close().await.ok();
    Ok(())
}

/// A role and the database of the same name that it owns.
async fn owner(
    connection: &mut PgConnection,
    name: &str,
    password: &str,
    connections: i32,
) -> anyhow::Result<()> {
    if !exists(
        connection,
        "SELECT 1 FROM pg_roles WHERE rolname = $1",
        name,
    )
    .await?
    {
        run(connection, format!("CREATE ROLE {name}")).await?;
    }
    // At each start: PostgreSQL lets a role change its own password.
    run(
        connection,
        format!(
            "ALTER ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION \
             CONNECTION LIMIT {connections} PASSWORD '{password}'"
        ),
    )
    .await?;
    if !exists(
        connection,
        "SELECT 1 FROM pg_database WHERE datname = $1",
        name,
    )
    .await?
    {
        run(connection, format!("CREATE DATABASE {name} OWNER {name}")).await?;
    }
    Ok(())
}

async fn exists(
    connection: &mut PgConnection,
    question: &'static str,
    name: &str,
) -> anyhow::Result<bool> {
    let found = sqlx::query(question)
        .bind(name)
        .fetch_optional(connection)
        .await
        .context("cannot read the embedded PostgreSQL's catalog")?;
    Ok(found.is_some())
}

/// Runs a statement made of our own names and passwords.
async fn run(connection: &mut PgConnection, statement: String) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .context("cannot set up the embedded PostgreSQL")?;
    Ok(())
}
