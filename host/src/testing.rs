//! Databases for tests, in the PostgreSQL that `NOETL_TEST_DATABASE_URL` names.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::secrets::Secret;

/// The server to test with, as its superuser.
pub(crate) fn admin_url() -> Secret {
    Secret::new(std::env::var("NOETL_TEST_DATABASE_URL").expect(
        "NOETL_TEST_DATABASE_URL has to name a PostgreSQL database for tests \
         (postgres://user@host/database); `make test` starts one and sets it",
    ))
}

/// Runs statements as the superuser, each by itself.
pub(crate) async fn as_admin(statements: &[String]) {
    let mut admin = PgConnection::connect(admin_url().expose()).await.unwrap();
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.as_str()))
            .execute(&mut admin)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
    admin.close().await.unwrap();
}

/// Makes a database whose owner is a plain role of the same name.
pub(crate) async fn database() -> Secret {
    let name = format!("t_{}", Uuid::new_v4().simple());
    as_admin(&[
        format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'"),
        format!("CREATE DATABASE {name} OWNER {name}"),
    ])
    .await;
    login(&name, &name)
}

/// The URL with which a role whose password is its name logs in.
pub(crate) fn login(role: &str, database: &str) -> Secret {
    let mut url = url::Url::parse(admin_url().expose()).unwrap();
    url.set_username(role).unwrap();
    url.set_password(Some(role)).unwrap();
    url.set_path(database);
    Secret::new(url)
}
