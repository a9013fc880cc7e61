//! A database of a test's own.

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// A database that no other test uses.
pub struct Database {
    /// Its URL.
    pub url: String,
}

impl Database {
    /// Makes an empty database.
    pub async fn create() -> Self {
        let base = std::env::var("NOETL_TEST_DATABASE_URL")
            .expect("NOETL_TEST_DATABASE_URL names a PostgreSQL to test with; `make test` sets it");
        let name = format!("t_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&base)
            .await
            .expect("the test database answers");
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .expect("a database can be made");
        let (server, _) = base.rsplit_once('/').expect("a URL with a database");
        Self {
            url: format!("{server}/{name}"),
        }
    }

    /// A connection to it.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url)
            .await
            .expect("the test's database answers")
    }
}
