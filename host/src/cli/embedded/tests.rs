//! Against real PostgreSQL programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{Connection, PgConnection, Row};
use uuid::Uuid;

use super::{Embedded, Options};
use crate::secrets::Secret;

/// A directory that root's PostgreSQL account can reach; removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        let path = std::env::temp_dir().join(format!("noetl-kept-{}", Uuid::new_v4().simple()));
        std::fs::create_dir(&path).unwrap();
        Directory(path.canonicalize().unwrap())
    }

    fn kept(&self) -> Options {
        Options::Kept(self.0.clone())
    }

    fn postmaster(&self) -> String {
        let file = self.0.join("postgres/data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().next().unwrap().to_string()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn text(url: &Secret, query: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect(url.expose()).await?;
    let row = sqlx::query(query).fetch_one(&mut connection).await?;
    row.try_get(0)
}

async fn run(url: &Secret, statement: &'static str) {
    let mut connection = PgConnection::connect(url.expose()).await.unwrap();
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .unwrap();
}

fn kill(pid: &str) {
    assert!(
        Command::new("kill")
            .args(["-9", pid])
            .status()
            .unwrap()
            .success()
    );
}

fn processes_in(directory: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok())
        .filter(|cwd| cwd.starts_with(directory))
        .count()
}

#[tokio::test]
async fn a_temporary_cluster_works_and_leaves_nothing() {
    let embedded = Embedded::start(Options::Temporary).await.unwrap();
    let encoding = text(&embedded.store_url, "SHOW server_encoding")
        .await
        .unwrap();
    assert_eq!(encoding, "UTF8");
    run(&embedded.admin_url, "CREATE DATABASE another").await;
    let data = text(&embedded.admin_url, "SHOW data_directory")
        .await
        .unwrap();
    assert!(Path::new(&data).exists());
    embedded.stop().await.unwrap();
    assert!(!Path::new(&data).parent().unwrap().exists());
}

#[tokio::test]
async fn dropping_a_temporary_cluster_removes_it() {
    let embedded = Embedded::start(Options::Temporary).await.unwrap();
    let data = text(&embedded.admin_url, "SHOW data_directory")
        .await
        .unwrap();
    drop(embedded);
    assert!(!Path::new(&data).parent().unwrap().exists());
}

#[tokio::test]
async fn playbooks_cannot_reach_the_store() {
    let embedded = Embedded::start(Options::Temporary).await.unwrap();
    run(&embedded.store_url, "CREATE TABLE secrets (value text)").await;
    run(
        &embedded.demo_url,
        "CREATE SCHEMA auth; CREATE TABLE auth.users (id int)",
    )
    .await;

    let to_store = embedded.demo_url.expose().replace("/demo?", "/noetl?");
    let refused = PgConnection::connect(&to_store).await.unwrap_err();
    assert!(
        refused.to_string().contains("permission denied"),
        "{refused}"
    );
    let to_admin = embedded.demo_url.expose().replace("/demo?", "/postgres?");
    assert!(PgConnection::connect(&to_admin).await.is_err());

    let privileges = text(
        &embedded.demo_url,
        "SELECT concat_ws(' ', rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls) \
         FROM pg_roles WHERE rolname = current_user",
    );
    assert_eq!(privileges.await.unwrap(), "f f f f f");
    // Reading the server's files and running programs are the superuser's.
    for statement in [
        "SELECT pg_read_file('postgresql.conf')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ] {
        let mut connection = PgConnection::connect(embedded.demo_url.expose())
            .await
            .unwrap();
        let refused = sqlx::raw_sql(statement)
            .execute(&mut connection)
            .await
            .unwrap_err();
        let code = refused.as_database_error().and_then(|error| error.code());
        assert_eq!(code.as_deref(), Some("42501"), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let embedded = Embedded::start(Options::Temporary).await.unwrap();
    let (start, end) = embedded.demo_url.expose().split_once('@').unwrap();
    let (scheme, _) = start.rsplit_once(':').unwrap();
    let refused = PgConnection::connect(&format!("{scheme}:wrong@{end}"))
        .await
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("password authentication failed"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_kept_cluster_keeps_data_port_and_passwords() {
    let directory = Directory::new();
    let first = Embedded::start(directory.kept()).await.unwrap();
    assert!(!first.reused);
    run(
        &first.demo_url,
        "CREATE TABLE kept AS SELECT 'still here' AS value",
    )
    .await;
    let url = first.demo_url.clone();
    assert!(first.stop().await.unwrap());
    assert!(PgConnection::connect(url.expose()).await.is_err());

    let second = Embedded::start(directory.kept()).await.unwrap();
    assert_eq!(second.demo_url, url);
    assert_eq!(
        text(&url, "SELECT value FROM kept").await.unwrap(),
        "still here"
    );
    second.stop().await.unwrap();
    assert_eq!(processes_in(&directory.0), 0);
}

#[tokio::test]
async fn the_last_user_of_a_kept_cluster_stops_it() {
    let directory = Directory::new();
    let first = Embedded::start(directory.kept()).await.unwrap();
    let second = Embedded::start(directory.kept()).await.unwrap();
    assert!(second.reused);
    assert_eq!(second.port, first.port);
    assert!(!first.stop().await.unwrap());
    assert_eq!(text(&second.store_url, "SELECT 'up'").await.unwrap(), "up");
    assert!(second.stop().await.unwrap());
    assert_eq!(processes_in(&directory.0), 0);
}

#[tokio::test]
async fn two_first_starts_at_once_make_one_cluster() {
    let directory = Directory::new();
    let (one, other) = tokio::join!(
        Embedded::start(directory.kept()),
        Embedded::start(directory.kept())
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.store_url, other.store_url);
    assert_ne!(one.reused, other.reused);
}

#[tokio::test]
async fn a_killed_server_and_a_reused_process_id_do_not_stop_the_next_start() {
    let directory = Directory::new();
    let first = Embedded::start(directory.kept()).await.unwrap();
    run(
        &first.demo_url,
        "CREATE TABLE kept AS SELECT 'committed' AS value",
    )
    .await;
    let url = first.demo_url.clone();
    kill(&directory.postmaster());
    first.stop().await.unwrap();

    let second = Embedded::start(directory.kept()).await.unwrap();
    assert!(!second.reused);
    assert_eq!(
        text(&url, "SELECT value FROM kept").await.unwrap(),
        "committed"
    );
    kill(&directory.postmaster());
    second.stop().await.unwrap();

    // The number now belongs to somebody else, of PostgreSQL's own account.
    let mut stranger = directory.stranger();
    let pid_file = directory.0.join("postgres/data/postmaster.pid");
    let stale = std::fs::read_to_string(&pid_file).unwrap();
    let (_, rest) = stale.split_once('\n').unwrap();
    std::fs::write(&pid_file, format!("{}\n{rest}", stranger.id())).unwrap();
    let third = Embedded::start(directory.kept()).await.unwrap();
    assert!(!third.reused);
    assert_eq!(
        text(&url, "SELECT value FROM kept").await.unwrap(),
        "committed"
    );
    third.stop().await.unwrap();
    assert_eq!(processes_in(&directory.0), 0);
    assert!(
        stranger.try_wait().unwrap().is_none(),
        "a stranger's process was ended"
    );
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_replaced() {
    let directory = Directory::new();
    let first = Embedded::start(directory.kept()).await.unwrap();
    let port = first.port;
    first.stop().await.unwrap();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let second = Embedded::start(directory.kept()).await.unwrap();
    assert_ne!(second.port, port);
    assert_eq!(text(&second.store_url, "SELECT 'up'").await.unwrap(), "up");
}

#[tokio::test]
async fn lost_passwords_are_an_error_that_says_what_to_do() {
    let directory = Directory::new();
    Embedded::start(directory.kept())
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    std::fs::remove_file(directory.0.join("postgres.json")).unwrap();
    let error = Embedded::start(directory.kept())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("postgres.json is gone"), "{error}");
}

#[tokio::test]
async fn the_passwords_are_readable_by_this_account_alone() {
    use std::os::unix::fs::MetadataExt;
    let directory = Directory::new();
    let embedded = Embedded::start(directory.kept()).await.unwrap();
    let file = std::fs::metadata(directory.0.join("postgres.json")).unwrap();
    assert_eq!(file.mode() & 0o777, 0o600);
    assert_eq!(file.uid(), nix::unistd::geteuid().as_raw());
    let password_file = directory.0.join("postgres/data.password");
    assert!(!password_file.exists());
    embedded.stop().await.unwrap();
}

impl Directory {
    /// A process of the account that runs PostgreSQL, which isn't PostgreSQL.
    fn stranger(&self) -> std::process::Child {
        let account = super::account::find().unwrap();
        let mut command = Command::new("sleep");
        command.arg("600").current_dir("/");
        super::account::run_as(&mut command, account.as_ref());
        command.spawn().unwrap()
    }
}
