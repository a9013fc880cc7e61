//! What a tenant was not granted is denied, and the denial is logged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use noetl_tests::{Database, Reply, Server, noetl, server};
use serde_json::json;

/// A server with a grants file that can be changed.
struct Granted {
    server: Server,
    dir: tempfile::TempDir,
}

impl Granted {
    async fn start(grant: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("grants.yaml");
        write(&file, grant);
        let tools = tools(dir.path());
        let arguments = [
            "--grants",
            file.to_str().expect("a text"),
            "--components",
            tools.to_str().expect("a text"),
        ];
        let (store, demo) = (Database::create().await, Database::create().await);
        let server = Server::start_as(store, demo, &arguments, None).await;
        Self { server, dir }
    }

    /// Changes the file and has it read. Returns the lines that tell of it.
    async fn change(&self, grant: &str) -> Vec<String> {
        write(&self.dir.path().join("grants.yaml"), grant);
        let before = self.server.log.lines().len();
        let pid = self.server.child.id().expect("it runs").cast_signed();
        kill(Pid::from_raw(pid), Signal::SIGHUP).expect("a signal can be sent");
        loop {
            let lines = self.server.log.lines().split_off(before);
            if lines
                .iter()
                .any(|line| line.contains("grants read again") || line.contains("the grants stay"))
            {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The line of the log that tells of a denial.
    async fn denial(&self, part: &str) -> String {
        loop {
            let lines = self.server.log.lines();
            let found = lines
                .iter()
                .find(|line| line.contains("noetl::denied") && plain(line).contains(part));
            if let Some(line) = found {
                return plain(line);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Without the colours of a terminal.
fn plain(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain + rest
}

fn write(file: &Path, grant: &str) {
    std::fs::write(file, format!("tenants:\n  default: {grant}\n")).expect("it can be written");
}

/// The built-in tools and one that is not.
fn tools(dir: &Path) -> PathBuf {
    let built = std::env::var_os("NOETL_COMPONENTS").expect("`make test` sets NOETL_COMPONENTS");
    let built = std::fs::canonicalize(built).expect("it is there");
    let tools = dir.join("tools");
    std::fs::create_dir(&tools).expect("a directory");
    for (name, wasm) in [
        ("python", "python"),
        ("postgres", "postgres"),
        ("probe", "test/probe"),
    ] {
        let (from, to) = (format!("{wasm}.wasm"), format!("{name}.wasm"));
        std::os::unix::fs::symlink(built.join(from), tools.join(to)).expect("a link");
    }
    tools
}

fn playbook(tool: &str) -> String {
    let tool: String = tool.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: noetl.io/v1
kind: Playbook
metadata: {{name: granted, path: test/granted}}
workflow:
  - step: start
    next: [{{step: work}}]
  - step: work
{tool}    next: [{{step: end}}]
  - step: end
"
    )
}

const PYTHON: &str = "tool: python\nlimits: {time: 10s}\ncode: |\n  def main(): return {'sum': 2}";
const SQL: &str = "tool: postgres\nauth: pg_demo\nquery: SELECT 2 AS sum";
const PROBE: &str = "tool: probe\nop: echo";

fn detail(reply: &Reply) -> &str {
    reply.body["detail"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_playbook_that_names_what_its_tenant_has_not_is_refused() {
    let granted =
        Granted::start("{tools: [python], credentials: [other], limits: {time: 20s}}").await;
    for (tool, place, told) in [
        (PYTHON, "", ""),
        (
            PROBE,
            "8:11: step `work`: tool",
            "the tool `probe` is not granted to the tenant `default`; the operator can add it to `tenants.default.tools`",
        ),
        (
            SQL,
            "8:11: step `work`: tool",
            "the tool `postgres` is not granted",
        ),
        (
            SQL,
            "9:11: step `work`: auth",
            "the credential `pg_demo` is not granted to the tenant `default`; the operator can add it to `tenants.default.credentials`",
        ),
        (
            &PYTHON.replace("10s", "30s"),
            "9:20: step `work`: limits.time",
            "time = 30s is more than its tenant has, 20s",
        ),
    ] {
        let reply = granted.server.register(&playbook(tool)).await;
        if told.is_empty() {
            assert_eq!(reply.status, 201, "{reply:#?}");
            continue;
        }
        assert_eq!(reply.status, 422, "{reply:#?}");
        assert_eq!(reply.body["type"], "urn:noetl:problem:invalid-playbook");
        let line = detail(&reply).lines().find(|line| line.contains(place));
        let line = line.unwrap_or_else(|| panic!("{place}: {reply:#?}"));
        assert!(line.contains(told), "{line}");
    }
    let line = granted.denial("name=\"probe\"").await;
    for part in [
        "tenant=\"default\"",
        "playbook=\"test/granted\"",
        "step=\"work\"",
        "capability=\"tool\"",
    ] {
        assert!(line.contains(part), "{line}");
    }
}

#[tokio::test]
async fn grants_can_be_taken_while_the_server_runs() {
    let all = "{tools: [python, postgres], credentials: [pg_demo]}";
    let granted = Granted::start(all).await;
    let server = &granted.server;
    for tool in [PYTHON, SQL] {
        let reply = server.run("test/granted", &playbook(tool), json!({})).await;
        assert_eq!(reply.status, 200, "{reply:#?}");
    }

    granted
        .change("{tools: [python], credentials: [pg_demo]}")
        .await;
    let reply = server.execute("test/granted", json!({})).await;
    assert_eq!(reply.status, 403, "{reply:#?}");
    assert_eq!(reply.body["error"]["category"], "denied");
    assert!(
        detail(&reply).contains(":8: step `work`: the tool `postgres` is not granted"),
        "{reply:#?}"
    );
    let line = granted.denial("capability=\"tool\"").await;
    let id = reply.body["execution_id"].as_str().expect("an id");
    assert!(
        line.contains("name=\"postgres\"") && line.contains(id),
        "{line}"
    );

    granted.change("{tools: [postgres], credentials: []}").await;
    let reply = server.execute("test/granted", json!({})).await;
    assert_eq!(reply.status, 403, "{reply:#?}");
    let line = granted.denial("capability=\"credential\"").await;
    assert!(
        line.contains("name=\"pg_demo\"") && line.contains("step=\"work\""),
        "{line}"
    );

    granted.change(all).await;
    let reply = server
        .run("test/granted", &playbook(PYTHON), json!({}))
        .await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    granted
        .change("{tools: [python], limits: {time: 5s}}")
        .await;
    let reply = server.execute("test/granted", json!({})).await;
    assert_eq!(reply.status, 403, "{reply:#?}");
    assert!(
        detail(&reply).contains(":9: step `work`: time = 10s is more than its tenant has, 5s"),
        "{reply:#?}"
    );
    granted.denial("capability=\"limit\"").await;

    let lines = granted
        .change("{tools: [python], limits: {time: soon}}")
        .await
        .join("\n");
    assert!(
        lines.contains("grants.yaml:2:45: tenants.default.limits.time: `soon` is not a time"),
        "{lines}"
    );
    let reply = server.execute("test/granted", json!({})).await;
    assert_eq!(reply.status, 403, "the grants are as they were: {reply:#?}");
}

#[tokio::test]
async fn a_limit_of_the_tenant_is_the_operators_to_raise() {
    let granted = Granted::start("{tools: all, limits: {output: 100B}}").await;
    let tool = "tool: python\ncode: |\n  def main(): return 'x' * 200";
    let reply = granted
        .server
        .run("test/granted", &playbook(tool), json!({}))
        .await;
    assert!(
        detail(&reply).contains("limit output = 100B; return less, or have the operator raise `limits.output` of the tenant in the grants file"),
        "{reply:#?}"
    );
}

#[tokio::test]
async fn what_is_asked_for_cannot_forge_the_log() {
    let granted = Granted::start("{tools: all, credentials: all}").await;
    let tool = r#"tool: postgres
auth: "x\n\e[31mWARN forged \u202e"
query: SELECT 1"#;
    let reply = granted
        .server
        .run("test/granted", &playbook(tool), json!({}))
        .await;
    assert_eq!(reply.status, 403, "{reply:#?}");
    granted.denial("forged").await;
    let lines = granted.server.log.lines();
    let forged: Vec<_> = lines.iter().filter(|l| l.contains("forged")).collect();
    assert!(
        matches!(forged[..], [line] if line.contains(r#"x\n\u{1b}[31mWARN forged \u{202e}"#)),
        "{forged:?}"
    );
}

#[tokio::test]
async fn without_a_file_there_is_what_is_built_in() {
    let server = server().await;
    let lines = server.log.lines();
    let told = lines.iter().filter(|line| line.contains("no grants file"));
    let told: Vec<_> = told.collect();
    assert!(
        matches!(told[..], [line] if line.contains("default") && line.contains("python, postgres")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_server_does_not_start_with_a_bad_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("grants.yaml");
    write(&file, "{tool: [python]}");
    for (name, told) in [
        (
            "grants.yaml",
            "grants.yaml:2:13: tenants.default.tool: unknown field `tool`; did you mean `tools`?",
        ),
        ("missing.yaml", "can't read the grants file"),
    ] {
        let output = noetl()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("NOETL_GRANTS", dir.path().join(name))
            .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")
            .output()
            .await
            .expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(told),
            "{stderr}"
        );
    }
}
