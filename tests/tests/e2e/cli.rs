//! The command line, as people and scripts use it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use noetl_tests::noetl;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

const GREET: &str = r#"
apiVersion: noetl.io/v1
kind: Playbook
metadata:
  name: greet
  path: tests/greet
workload:
  name: nobody
  stop: false
workflow:
  - step: start
    next:
      - step: greet
  - step: greet
    tool: python
    code: |
      def main(name, stop):
          print("greeting", name)
          if stop:
              raise ValueError("stopped")
          return {"status": "done", "greeting": "Hello " + name}
    args:
      name: "{{ workload.name }}"
      stop: "{{ workload.stop }}"
    next:
      - step: end
  - step: end
"#;

/// A directory for one test, which PostgreSQL's account can reach too.
pub struct Place(pub tempfile::TempDir);

impl Place {
    pub fn new() -> Place {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().expect("a temporary directory");
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), open).expect("it is ours");
        Place(directory)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.path().join(name);
        std::fs::write(&file, text).expect("it can be written");
        file
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }
}

async fn run(arguments: &[&str]) -> Output {
    noetl()
        .args(arguments)
        .env_remove("NOETL_SERVER")
        .output()
        .await
        .expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn processes_in(directory: &Path) -> usize {
    std::fs::read_dir("/proc")
        .expect("/proc")
        .flatten()
        .filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok())
        .filter(|cwd| cwd.starts_with(directory))
        .count()
}

fn signal(child: &Child, signal: Signal) {
    let id = child.id().expect("it has not been waited for");
    kill(
        Pid::from_raw(i32::try_from(id).expect("a process id")),
        signal,
    )
    .expect("it runs");
}

async fn line_with(lines: &mut Lines<BufReader<ChildStdout>>, part: &str) -> String {
    while let Some(line) = lines.next_line().await.expect("text") {
        if line.contains(part) {
            return line;
        }
    }
    panic!("it ended without saying '{part}'");
}

/// `noetl serve` on a free port, its database its own and kept in `place`.
async fn serve(place: &Place) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    let mut server = noetl()
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("NOETL_DATA_DIR", place.data())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(server.stdout.take().expect("piped")).lines();
    let ready = line_with(&mut lines, "ready on ").await;
    let url = ready.rsplit(' ').next().expect("an address").to_string();
    (server, lines, url)
}

#[tokio::test]
async fn test_database_passes_arguments_and_exit_code_on() {
    let script =
        r#"case $NOETL_TEST_DATABASE_URL in postgres://*@127.0.0.1:*) echo "$1";; esac; exit 7"#;
    let output = run(&[
        "test-database",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        "an argument",
    ])
    .await;
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert_eq!(text(&output.stdout), "an argument\n");
}

#[tokio::test]
async fn a_killed_test_database_leaves_nothing() {
    let script = r#"echo started; exec cat"#;
    let mut child = noetl()
        .args(["test-database", "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let id = child.id().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    line_with(&mut lines, "started").await;
    let cluster = cluster_of(id);
    assert!(processes_in(&cluster) > 0);
    child.kill().await.expect("it is ours");
    while cluster.exists() || processes_in(&cluster) > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The temporary cluster that process `id` keeps: the argument of its child.
fn cluster_of(id: u32) -> PathBuf {
    let processes = std::fs::read_dir("/proc").expect("/proc");
    processes
        .flatten()
        .find_map(|process| {
            let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
            let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
            let arguments = std::fs::read(process.path().join("cmdline")).ok()?;
            let directory = arguments.split(|byte| *byte == 0).nth(3)?;
            let directory = PathBuf::from(text(directory));
            (parent == id.to_string() && directory.join("data").is_dir()).then_some(directory)
        })
        .expect("it keeps a cluster")
}

#[tokio::test]
async fn what_cannot_be_meant_ends_with_2() {
    for arguments in [
        &["frobnicate"][..],
        &["run", "playbook"],
        &["execute", "a/b", "--set", "novalue"],
        &["execute", "a/b", "--payload", "[1]"],
        &["execute", "a/b", "--server", "not a url"],
        &["credential", "add", "pg", "--type", "postgres"],
        &[
            "credential",
            "add",
            "pg",
            "--type",
            "postgres",
            "--url",
            "a",
            "--url-stdin",
        ],
    ] {
        let output = run(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(
            text(&output.stderr).starts_with("error: "),
            "{arguments:?}: {output:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let output = run(&["execute", "a/b", "--server", "http://127.0.0.1:1"]).await;
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(
        error.contains("no server answers on http://127.0.0.1:1\n  hint: start one with"),
        "{error}"
    );
}

#[tokio::test]
async fn a_closed_pipe_is_no_reason_to_panic() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = noetl()
        .arg("version")
        .stdout(writer)
        .output()
        .await
        .expect("it runs");
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn validate_shows_every_mistake() {
    let place = Place::new();
    let good = place.write("good.yaml", GREET);
    let wrong = GREET
        .replace("- step: greet\n  -", "- step: gret\n  -")
        .replace("tool: python", "tool: pyton");
    let bad = place.write("bad.yaml", &wrong);
    let output = run(&["validate", good.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let output = run(&["validate", good.to_str().unwrap(), bad.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("gret") && errors.contains("pyton"),
        "{errors}"
    );
    assert!(errors.contains(&format!("{}:", bad.display())), "{errors}");
    assert!(
        text(&output.stdout).contains("good.yaml: ok (tests/greet)"),
        "{output:?}"
    );
}

#[tokio::test]
async fn a_playbook_runs_in_this_process_with_a_database_of_its_own() {
    let place = Place::new();
    let file = place.write("greet.yaml", GREET);
    let mut command = noetl();
    command
        .args(["run", "playbook", "--here", "--json", "--set", "name=Ada"])
        .arg(&file)
        .env_remove("NOETL_SERVER")
        .env("NOETL_DATA_DIR", place.data());
    let output = command.output().await.expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON alone on stdout");
    assert_eq!(answer["greeting"], "Hello Ada");
    assert_eq!(processes_in(&place.data()), 0);
}

#[tokio::test]
async fn a_server_is_used_and_stops_in_order() {
    let place = Place::new();
    let file = place.write("greet.yaml", GREET);
    let file = file.to_str().unwrap();
    let (mut server, mut lines, url) = serve(&place).await;

    let output = run(&[
        "run", "playbook", file, "--server", &url, "--set", "name=Ada",
    ])
    .await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = text(&output.stdout);
    assert!(shown.contains("✓ greet"), "{shown}");
    assert!(shown.contains("| greeting Ada"), "{shown}");
    assert!(shown.contains("Hello Ada"), "{shown}");

    let output = run(&[
        "execute",
        "tests/greet",
        "--server",
        &url,
        "--payload",
        r#"{"stop": true}"#,
    ])
    .await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stdout).contains("✗ greet"), "{output:?}");
    let error = text(&output.stderr);
    assert!(
        error.starts_with("error: ") && error.contains("stopped"),
        "{error}"
    );
    assert!(
        error.contains(&format!("curl {url}/api/executions/")),
        "{error}"
    );

    let output = run(&["execute", "tests/grete", "--server", &url]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("tests/grete"), "{output:?}");

    let output = run(&["playbook", "list", "--json", "--server", &url]).await;
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(list[0]["path"], "tests/greet");
    let output = run(&["credential", "list", "--json", "--server", &url]).await;
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(list[0]["alias"], "pg_demo");

    let bad = place.write("bad.yaml", "kind: Playbook\n");
    let output = run(&["register", file, bad.to_str().unwrap(), "--server", &url]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stdout).contains("tests/greet version 1"),
        "{output:?}"
    );
    assert!(text(&output.stderr).contains("bad.yaml:1"), "{output:?}");

    let taken = url.strip_prefix("http://").unwrap();
    let output = run(&["serve", "--listen", taken]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("hint: is another noetl running?"),
        "{output:?}"
    );

    signal(&server, Signal::SIGTERM);
    line_with(&mut lines, "stopped").await;
    assert_eq!(server.wait().await.expect("it ends").code(), Some(0));
    assert_eq!(processes_in(&place.data()), 0);
}
