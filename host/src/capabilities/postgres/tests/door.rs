//! Who may come in, and what a plain role can't do.

use sqlx::Connection as _;

use super::*;

/// Opens a connection with `url`; the refusal's words if it is refused.
async fn try_open(bench: &Bench) -> std::result::Result<(), String> {
    match HostConnection::open(&mut bench.step(), "db".into())
        .await
        .unwrap()
    {
        Ok(_) => Ok(()),
        Err(Error::AccessDenied(message)) => Err(message),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_role_with_more_rights_than_it_needs_is_refused_unless_that_is_allowed() {
    let base = role();
    let boss = format!("{base}_boss");
    let bosses_friend = format!("{base}_friend");
    testing::as_admin(&[
        format!("CREATE ROLE {boss} CREATEROLE"),
        format!("CREATE ROLE {bosses_friend} IN ROLE {boss}"),
    ])
    .await;
    for (number, (rights, named)) in [
        ("", None),
        ("CREATEDB", None),
        ("IN ROLE pg_monitor", None),
        ("SUPERUSER", Some("(SUPERUSER)")),
        ("CREATEROLE", Some("(CREATEROLE)")),
        ("REPLICATION BYPASSRLS", Some("(REPLICATION, BYPASSRLS)")),
        (
            "IN ROLE pg_execute_server_program",
            Some("(pg_execute_server_program)"),
        ),
        (
            "IN ROLE pg_read_server_files",
            Some("(pg_read_server_files)"),
        ),
        (
            "NOINHERIT IN ROLE pg_write_server_files",
            Some("(pg_write_server_files)"),
        ),
        // What it can become.
        (&format!("IN ROLE {bosses_friend}"), Some("(CREATEROLE)")),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("{base}_{number}");
        testing::as_admin(&[format!(
            "CREATE ROLE {name} LOGIN PASSWORD '{name}' {rights}"
        )])
        .await;
        let bench = Bench::new();
        let mut login = Credential {
            url: testing::login(&name, &base),
            allow_privileged: false,
        };
        bench.set(Some(login.clone()));
        match (try_open(&bench).await, named) {
            (Ok(()), None) => {}
            (Err(message), Some(named)) => {
                assert!(message.contains(named), "{rights}: {message}");
                assert!(message.contains("--allow-privileged"), "{message}");
                assert!(!message.contains(&name), "{message}");
            }
            (answer, named) => panic!("{rights}: {answer:?}, and not {named:?}"),
        }
        login.allow_privileged = true;
        bench.set(Some(login));
        try_open(&bench).await.unwrap();
    }
}

#[tokio::test]
async fn a_role_that_rose_is_refused_by_its_next_connection() {
    let name = format!("{}_rising", role());
    testing::as_admin(&[format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'")]).await;
    let bench = Bench::with(PoolSettings {
        max_lifetime: Duration::ZERO,
        ..PoolSettings::default()
    });
    bench.set(Some(Credential {
        url: testing::login(&name, &role()),
        allow_privileged: false,
    }));
    // Names of its own in front of PostgreSQL's change nothing.
    let sql = format!("ALTER ROLE {name} SET search_path TO pg_temp, pg_catalog");
    run(&bench, &sql, &[]).await.unwrap();
    run(&bench, "SELECT 1", &[]).await.unwrap();
    testing::as_admin(&[format!("GRANT pg_read_server_files TO {name}")]).await;
    let message = try_open(&bench).await.unwrap_err();
    assert!(message.contains("pg_read_server_files"), "{message}");
}

#[tokio::test]
async fn a_plain_role_gets_out_of_its_database_nowhere() {
    let bench = Bench::new();
    schema(&bench, "t_door").await;
    run(&bench, "CREATE TABLE t_door.t (a text)", &[])
        .await
        .unwrap();
    let place = std::env::temp_dir().join(format!("{}_door", role()));
    let file = place.display();
    let admin = url::Url::parse(testing::admin_url().expose()).unwrap();
    let admin = admin.username();
    // A backend of somebody else, that could be ended.
    let other = sqlx::PgConnection::connect(testing::admin_url().expose())
        .await
        .unwrap();
    for sql in [
        // Programs.
        &format!("COPY (SELECT 1) TO PROGRAM 'touch {file}'"),
        "COPY t_door.t FROM PROGRAM 'id'",
        &format!("DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {file}'''; END $$"),
        // Files.
        &format!("COPY (SELECT 1) TO '{file}'"),
        "COPY t_door.t FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_read_binary_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT pg_ls_logdir()",
        "SELECT pg_stat_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        &format!("SELECT lo_export(lo_from_bytea(0, 'x'), '{file}')"),
        "SELECT * FROM pg_hba_file_rules",
        &format!("CREATE TABLESPACE door LOCATION '{file}'"),
        // Machine code.
        "LOAD '/tmp/door.so'",
        "CREATE FUNCTION t_door.f() RETURNS int LANGUAGE c AS '/tmp/door.so', 'f'",
        "CREATE FUNCTION t_door.f(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'",
        // Other roles.
        &format!("SET ROLE {admin}"),
        "SET ROLE pg_read_server_files",
        "SELECT set_config('role', 'pg_read_server_files', false)",
        &format!("SET SESSION AUTHORIZATION {admin}"),
        &format!("SELECT set_config('session_authorization', '{admin}', false)"),
        "SET SESSION AUTHORIZATION pg_monitor",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "ALTER ROLE CURRENT_USER CREATEROLE",
        "CREATE ROLE t_door",
        "GRANT pg_read_server_files TO CURRENT_USER",
        &format!("ALTER ROLE {admin} PASSWORD 'x'"),
        "SELECT rolpassword FROM pg_authid",
        "SELECT * FROM pg_shadow",
        "SELECT umoptions FROM pg_user_mapping",
        &format!("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = '{admin}'"),
        &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{admin}'"
        ),
        // The server, other servers.
        "ALTER SYSTEM SET log_statement TO 'all'",
        "SELECT pg_reload_conf()",
        "SELECT pg_rotate_logfile()",
        "SET log_statement TO 'none'",
        "SET session_preload_libraries TO 'x'",
        "SELECT pg_create_physical_replication_slot('door')",
        "CREATE SUBSCRIPTION door CONNECTION 'host=127.0.0.1' PUBLICATION p",
        "ALTER DATABASE postgres SET work_mem TO '1MB'",
        "CREATE DATABASE t_door",
    ] {
        let error = failed(run(&bench, sql, &[]).await);
        assert_eq!(error.code, "42501", "{sql}: {error:?}");
    }
    // Where they are not installed, they are not there.
    for extension in [
        "file_fdw",
        "dblink",
        "postgres_fdw",
        "plpython3u",
        "adminpack",
        "amcheck",
    ] {
        let error = failed(run(&bench, &format!("CREATE EXTENSION {extension}"), &[]).await);
        assert!(
            ["42501", "0A000", "58P01"].contains(&&*error.code),
            "{extension}: {error:?}"
        );
    }
    assert!(!place.exists());
    other.close().await.unwrap();
}
