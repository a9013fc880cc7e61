//! The master key: where it comes from, and changing it.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use noetl_tests::{Database, Process, noetl};
use serde_json::json;
use sqlx::Connection;
use tokio::process::Command;

const SELECT: &str = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: select, path: test/select}
workflow:
  - step: start
    next: [{step: sql}]
  - step: sql
    tool: postgres
    auth: pg
    query: SELECT 1 AS one
";

/// `noetl` with this store and a data directory of its own.
fn command(store: &Database, data: &Path) -> Command {
    let mut command = noetl();
    command
        .env("DATABASE_URL", &store.url)
        .env("NOETL_DATA_DIR", data)
        .env_remove("NOETL_MASTER_KEY")
        .env_remove("NOETL_MASTER_KEY_FILE")
        .env_remove("NOETL_SERVER");
    command
}

async fn serve(mut command: Command) -> Process {
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    Process::start(command).await
}

async fn rotate(mut command: Command) -> Output {
    command.args(["credential", "rotate-key"]);
    command.output().await.expect("it runs")
}

/// The server refuses to start; its words.
async fn refused(mut command: Command) -> String {
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    let output = command.output().await.expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr).expect("text")
}

async fn store_credential(server: &Process, demo: &Database) {
    let credential = json!({"type": "postgres", "url": demo.url});
    let reply = server.put("/api/credentials/pg", &credential).await;
    assert_eq!(reply, 204);
}

/// Whether a playbook can use the credential.
async fn works(server: &Process) {
    let (status, answer) = server.run(SELECT, "test/select").await;
    assert_eq!(status, 200, "{answer:#}");
    assert_eq!(answer["command_1"][0]["one"], 1, "{answer:#}");
}

fn lines(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("a key file");
    text.lines().map(str::to_owned).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[tokio::test]
async fn it_is_made_once_and_said_where_and_a_wrong_one_is_refused() {
    let (store, demo) = (Database::create().await, Database::create().await);
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("master.key");
    let server = serve(command(&store, data.path())).await;
    let shown = server.stdout();
    let said = shown
        .lines()
        .find(|line| line.contains("back it up"))
        .expect("it is said");
    assert!(said.contains(&file.display().to_string()), "{said}");
    let mode = file.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    store_credential(&server, &demo).await;
    works(&server).await;
    server.stop().await;
    let made = lines(&file);
    assert!(!shown.contains(&made[0]));

    let server = serve(command(&store, data.path())).await;
    works(&server).await;
    server.stop().await;
    assert_eq!(lines(&file), made);

    // Another one.
    let other = tempfile::tempdir().expect("a directory");
    let error = refused(command(&store, other.path())).await;
    assert!(
        error.contains("encrypted with a master key that is not at hand"),
        "{error}"
    );
    // The right one, named in each way.
    let mut by_file = command(&store, other.path());
    by_file.env("NOETL_MASTER_KEY_FILE", &file);
    let mut by_value = command(&store, other.path());
    by_value.env("NOETL_MASTER_KEY", &made[0]);
    for command in [by_file, by_value] {
        let server = serve(command).await;
        works(&server).await;
        server.stop().await;
    }
    let mut both = command(&store, other.path());
    both.env("NOETL_MASTER_KEY", &made[0])
        .env("NOETL_MASTER_KEY_FILE", &file);
    both.args(["serve", "--listen", "127.0.0.1:0"]);
    let output = both.output().await.expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("it is ours");
    let error = refused(command(&store, data.path())).await;
    assert!(
        error.contains("(mode 0644)") && error.contains("hint: chmod 600"),
        "{error}"
    );
}

#[tokio::test]
async fn it_can_be_changed_and_a_change_that_breaks_off_harms_nothing() {
    let (store, demo) = (Database::create().await, Database::create().await);
    let data = tempfile::tempdir().expect("a directory");
    let file = data.path().join("master.key");
    let server = serve(command(&store, data.path())).await;
    store_credential(&server, &demo).await;
    let first = lines(&file);

    // A server that runs would not know the new key.
    let output = rotate(command(&store, data.path())).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("a server uses this database"),
        "{output:?}"
    );
    assert_eq!(lines(&file), first);
    server.stop().await;

    // Killed in the middle: it has made the key, and waits for the table.
    let mut holder = store.connect().await;
    let mut held = holder.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE credentials IN ROW EXCLUSIVE MODE")
        .execute(&mut *held)
        .await
        .expect("it is ours");
    sqlx::query("SELECT 1 FROM credentials FOR UPDATE")
        .execute(&mut *held)
        .await
        .expect("it is ours");
    let mut killed = command(&store, data.path())
        .args(["credential", "rotate-key"])
        .spawn()
        .expect("it runs");
    let mut other = store.connect().await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%FROM credentials%'";
    while sqlx::query_scalar::<_, i64>(waits)
        .fetch_one(&mut other)
        .await
        .expect("an answer")
        == 0
    {
        assert!(
            killed.try_wait().expect("it is ours").is_none(),
            "it has ended"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    killed.kill().await.expect("it is ours");
    held.rollback().await.expect("it ends");
    assert_eq!(lines(&file).len(), 2);
    assert_eq!(lines(&file)[1..], first);
    let server = serve(command(&store, data.path())).await;
    works(&server).await;
    server.stop().await;

    // Again, to its end: with the key that the first try has made.
    let before = lines(&file);
    let output = rotate(command(&store, data.path())).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    assert!(
        said.starts_with("1 credential was encrypted anew"),
        "{said}"
    );
    assert_eq!(lines(&file), before);
    for key in &before {
        assert!(
            !said.contains(key) && !text(&output.stderr).contains(key),
            "{output:?}"
        );
    }
    // The old key is needed no more.
    std::fs::write(&file, format!("{}\n", before[0])).expect("it is ours");
    let server = serve(command(&store, data.path())).await;
    works(&server).await;
    server.stop().await;

    // Out of the environment, the keys are the operator's to put there.
    let with = |keys: String| {
        let mut command = command(&store, data.path());
        command.env("NOETL_MASTER_KEY", keys);
        command
    };
    let output = rotate(with(before[0].clone())).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains("hint: put the new key before the old one"),
        "{output:?}"
    );
    let new = "A".repeat(43) + "=";
    let output = rotate(with(format!("{new} {}", before[0]))).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let error = refused(with(before[0].clone())).await;
    assert!(error.contains("not at hand"), "{error}");
    let server = serve(with(new)).await;
    works(&server).await;
    server.stop().await;
}
