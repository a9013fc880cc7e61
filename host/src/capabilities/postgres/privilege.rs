//! What a role may do beyond its own tables.
//!
//! A playbook does with a credential whatever its role may do. A role that may
//! run programs, read files or become another role is a way out of the database.

use sqlx::PgConnection;

/// The backend's number and what is wrong with its role, in one round trip.
///
/// What the role can become counts like what it is. Everything is looked up in
/// `pg_catalog` by name: a role's own `search_path` must not decide.
const QUESTION: &str = "SELECT pg_catalog.pg_backend_pid(), \
        pg_catalog.bool_or(rolsuper), pg_catalog.bool_or(rolcreaterole), \
        pg_catalog.bool_or(rolreplication), pg_catalog.bool_or(rolbypassrls), \
        pg_catalog.array_agg(rolname::pg_catalog.text) FILTER (WHERE rolname OPERATOR(pg_catalog.=) ANY ( \
            '{pg_execute_server_program,pg_read_server_files,pg_write_server_files}'::pg_catalog.name[])) \
    FROM pg_catalog.pg_roles \
    WHERE pg_catalog.pg_has_role(session_user, oid, 'MEMBER')";

type Answer = (i32, bool, bool, bool, bool, Option<Vec<String>>);

/// The number of the connection's backend, and the rights of its role that a
/// playbook's should not have, by PostgreSQL's names for them.
pub(super) async fn ask(connection: &mut PgConnection) -> sqlx::Result<(i32, Vec<String>)> {
    let (backend, superuser, create_role, replication, bypass_rls, roles): Answer =
        sqlx::query_as(QUESTION)
            .persistent(false)
            .fetch_one(connection)
            .await?;
    // A superuser is a member of every role.
    if superuser {
        return Ok((backend, vec!["SUPERUSER".into()]));
    }
    let attributes = [
        (create_role, "CREATEROLE"),
        (replication, "REPLICATION"),
        (bypass_rls, "BYPASSRLS"),
    ];
    let mut rights: Vec<String> = attributes
        .into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, name)| name.into())
        .collect();
    rights.extend(roles.unwrap_or_default());
    Ok((backend, rights))
}
