//! What a role may do beyond its own tables.
//!
//! A playbook does with a credential whatever its role may do. A role that may
//! run programs, read files or become another role is a way out of the database.

use sqlx::PgConnection;

use super::timeout::{self, Timeout};

/// What a new connection is asked, in one round trip.
///
/// What the role can become counts like what it is. Everything is looked up in
/// `pg_catalog` by name: a role's own `search_path` must not decide.
const QUESTION: &str = "SELECT pg_catalog.pg_backend_pid(), \
        pg_catalog.current_setting('statement_timeout'), \
        pg_catalog.bool_or(rolsuper), pg_catalog.bool_or(rolcreaterole), \
        pg_catalog.bool_or(rolreplication), pg_catalog.bool_or(rolbypassrls), \
        pg_catalog.array_agg(rolname::pg_catalog.text) FILTER (WHERE rolname OPERATOR(pg_catalog.=) ANY ( \
            '{pg_execute_server_program,pg_read_server_files,pg_write_server_files}'::pg_catalog.name[])) \
    FROM pg_catalog.pg_roles \
    WHERE pg_catalog.pg_has_role(session_user, oid, 'MEMBER')";

/// What it answers.
pub(super) struct Role {
    /// The number of the connection's backend.
    pub backend: i32,
    /// The role's own `statement_timeout`.
    pub timeout: Timeout,
    /// Rights that a playbook's role should not have, by PostgreSQL's names.
    pub rights: Vec<String>,
}

type Answer = (i32, String, bool, bool, bool, bool, Option<Vec<String>>);

/// Asks a new connection.
pub(super) async fn ask(connection: &mut PgConnection) -> sqlx::Result<Role> {
    let (backend, timeout, superuser, create_role, replication, bypass_rls, roles): Answer =
        sqlx::query_as(QUESTION)
            .persistent(false)
            .fetch_one(connection)
            .await?;
    let attributes = [
        (create_role, "CREATEROLE"),
        (replication, "REPLICATION"),
        (bypass_rls, "BYPASSRLS"),
    ];
    let attributes = attributes.into_iter().filter(|(has, _)| *has);
    let rights = match superuser {
        // A member of every role.
        true => vec!["SUPERUSER".into()],
        false => attributes
            .map(|(_, name)| name.to_owned())
            .chain(roles.unwrap_or_default())
            .collect(),
    };
    Ok(Role {
        backend,
        timeout: timeout::parse(&timeout),
        rights,
    })
}
