//! A database of a test's own.

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// A database that no other test uses, and the role that owns it: a plain one, as
/// users should have it.
pub struct Database {
    /// Its URL.
    pub url: String,
    /// The role's password.
    pub password: String,
}

impl Database {
    /// Makes an empty database.
    pub async fn create() -> Self {
        let name = format!("t_{}", Uuid::new_v4().simple());
        let password = Uuid::new_v4().simple().to_string();
        let mut admin = Self::admin().await;
        for statement in [
            format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .execute(&mut admin)
                .await
                .expect("a database can be made");
        }
        let base = base();
        let (_, server) = base.rsplit_once('@').unwrap_or(("", &base));
        let (server, _) = server.rsplit_once('/').expect("a URL with a database");
        Self {
            url: format!("postgres://{name}:{password}@{server}/{name}"),
            password,
        }
    }

    /// A connection as the PostgreSQL's superuser.
    pub async fn admin() -> PgConnection {
        PgConnection::connect(&base())
            .await
            .expect("the test database answers")
    }

    /// A connection to it. In a server's own database it sees what all tenants have.
    pub async fn connect(&self) -> PgConnection {
        let mut connection = PgConnection::connect(&self.url)
            .await
            .expect("the test's database answers");
        sqlx::query("SET noetl.tenant = '*'")
            .execute(&mut connection)
            .await
            .expect("it is set");
        connection
    }
}

fn base() -> String {
    std::env::var("NOETL_TEST_DATABASE_URL")
        .expect("NOETL_TEST_DATABASE_URL names a PostgreSQL to test with; `make test` sets it")
}

/// The one value that a query gives.
pub async fn scalar<T>(connection: &mut PgConnection, query: &'static str) -> T
where
    T: sqlx::Type<sqlx::Postgres> + for<'r> sqlx::Decode<'r, sqlx::Postgres> + Send + Unpin,
{
    sqlx::query_scalar(query)
        .fetch_one(connection)
        .await
        .expect("the query gives a value")
}
