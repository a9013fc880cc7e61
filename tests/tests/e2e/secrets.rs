//! Secrets are put wherever they belong, good and bad things are done, and every
//! output is searched for them: what HTTP answers, events, the log at its most
//! talkative, what commands print, the whole database, other processes'
//! environment.

use std::fmt::Write;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use noetl_tests::{Database, Process, noetl, token};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use tokio::process::Command;
use uuid::Uuid;

/// Something to be searched for.
fn random() -> String {
    Uuid::new_v4().simple().to_string()
}

/// A text as it may be hidden: as it is, in hexadecimal digits, in base64.
fn disguises(text: &str) -> Vec<String> {
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("text can be written");
            hex
        })
    };
    let mut all = vec![text.to_owned(), hex(text.as_bytes())];
    for shift in 0..3 {
        // Base64 looks different for each place modulo 3; the edges depend on
        // the neighbours.
        let padded = format!("{}{text}", "x".repeat(shift));
        let encoded = STANDARD.encode(padded);
        all.push(encoded[4..encoded.len() - 4].to_owned());
    }
    if let Ok(bytes) = STANDARD.decode(text) {
        all.push(hex(&bytes));
    }
    all
}

/// All outputs, each with its name.
#[derive(Default)]
struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    fn add(&mut self, name: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.into(), bytes.into()));
    }

    /// The names of the outputs that hold `text`, in whatever disguise.
    fn holding(&self, text: &str) -> Vec<&str> {
        let disguises = disguises(text);
        let holds = |bytes: &[u8]| {
            let shown = String::from_utf8_lossy(bytes);
            disguises
                .iter()
                .any(|disguise| shown.contains(disguise.as_str()))
        };
        let found = self.0.iter().filter(|(_, bytes)| holds(bytes));
        found.map(|(name, _)| name.as_str()).collect()
    }
}

/// Sends a request; keeps status, headers and body.
async fn request(
    outputs: &mut Outputs,
    server: &Process,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<String>,
) -> String {
    let url = format!("{}{path}", server.url);
    let mut request = reqwest::Client::new().request(method.parse().expect("a method"), url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let reply = request.body(body.into()).send().await.expect("it answers");
    let head = format!("{} {:?}", reply.status(), reply.headers());
    let body = reply.text().await.expect("text");
    let number = outputs.0.len();
    outputs.add(
        format!("HTTP {number}: {method} /api…"),
        format!("{head}\n{body}"),
    );
    body
}

const JSON: (&str, &str) = ("content-type", "application/json");

async fn put(outputs: &mut Outputs, server: &Process, alias: &str, body: impl Into<String>) {
    let path = format!("/api/credentials/{alias}");
    request(outputs, server, "PUT", &path, &[JSON], body).await;
}

/// Registers a playbook and executes it: plainly, as a stream of events, and its
/// record is read.
async fn execute(outputs: &mut Outputs, server: &Process, yaml: &str, payload: Value) {
    let registered = request(outputs, server, "POST", "/api/catalog/playbooks", &[], yaml).await;
    let registered: Value = serde_json::from_str(&registered).expect("JSON");
    let Some(path) = registered["path"].as_str() else {
        panic!("{registered:#}\n{yaml}")
    };
    execute_registered(outputs, server, path, payload).await;
}

async fn execute_registered(
    outputs: &mut Outputs,
    server: &Process,
    path: &str,
    payload: Value,
) -> Value {
    let body = json!({"path": path, "payload": payload}).to_string();
    let stream = ("accept", "text/event-stream");
    request(
        outputs,
        server,
        "POST",
        "/api/execute",
        &[JSON, stream],
        &*body,
    )
    .await;
    let answer = request(outputs, server, "POST", "/api/execute", &[JSON], body).await;
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let id = answer["execution_id"].as_str().expect("an execution");
    let path = format!("/api/executions/{id}");
    request(outputs, server, "GET", &path, &[], "").await;
    answer
}

fn python(name: &str, code: &str, args: &str) -> String {
    let code: String = code.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "apiVersion: noetl.io/v1
kind: Playbook
metadata: {{name: {name}, path: test/{name}}}
workload: {{marker: \"\"}}
workflow:
  - step: start
    next: [{{step: one}}]
  - step: one
    tool: python
    code: |
{code}    args: {args}
"
    )
}

fn sql(name: &str, alias: &str, query: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1
kind: Playbook
metadata: {{name: {name}, path: test/{name}}}
workflow:
  - step: start
    next: [{{step: one}}]
  - step: one
    tool: postgres
    auth: {alias}
    query: |
      {query}
"
    )
}

/// Shows all that Python code can reach.
const LOOK_AROUND: &str = r#"
def main(**given):
    import gc, os, sys
    seen = [repr(dict(os.environ)), repr(sys.argv), repr(globals()), repr(given), repr(sys.modules)]
    for path in ["/proc/self/environ", "/proc/1/environ", "/etc/passwd", "."]:
        try:
            seen.append(open(path).read())
        except Exception as error:
            seen.append(repr(error))
    try:
        seen.extend(repr(thing)[:500] for thing in gc.get_objects()[:20000])
    except Exception as error:
        seen.append(repr(error))
    frame = sys._getframe()
    while frame:
        seen.append(repr(frame.f_locals)[:100000])
        frame = frame.f_back
    text = "\n".join(seen)
    print(text[:200000])
    raise RuntimeError(text[:200000])
"#;

async fn command(outputs: &mut Outputs, mut command: Command, arguments: &[&str]) -> Option<i32> {
    command.args(arguments).env_remove("NOETL_SERVER");
    let output = command.output().await.expect("it runs");
    let name = format!("noetl {}", arguments.join(" "));
    outputs.add(format!("{name}: stdout"), output.stdout);
    outputs.add(format!("{name}: stderr"), output.stderr);
    output.status.code()
}

/// Every row of every table, as text.
async fn dump(mut connection: PgConnection) -> String {
    let tables = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let tables = sqlx::query(tables)
        .fetch_all(&mut connection)
        .await
        .expect("tables");
    let mut text = String::new();
    for table in tables {
        let table: String = table.get(0);
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT t::text FROM {table} t")));
        for row in rows.fetch_all(&mut connection).await.expect("rows") {
            writeln!(text, "{table} {}", row.get::<String, _>(0)).expect("text");
        }
    }
    text
}

/// The environment of the server itself, of all that it has started, and of what
/// works in `place`.
fn environments(outputs: &mut Outputs, server: &Process, place: Option<&Path>) -> usize {
    let parent = |id: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let is_child = |id: u32| {
        let mut at = Some(id);
        while let Some(id) = at.filter(|id| *id > 1) {
            if id == server.id() {
                return true;
            }
            at = parent(id);
        }
        let cwd = std::fs::read_link(format!("/proc/{id}/cwd"));
        place.is_some_and(|place| cwd.is_ok_and(|cwd| cwd.starts_with(place)))
    };
    let mut count = 0;
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    for id in ids.filter(|id| is_child(*id)) {
        for what in ["environ", "cmdline"] {
            let Ok(bytes) = std::fs::read(format!("/proc/{id}/{what}")) else {
                continue;
            };
            let whose = if id == server.id() {
                "the server"
            } else {
                "a child"
            };
            outputs.add(format!("{what} of {whose}"), bytes);
        }
        count += 1;
    }
    count
}

#[tokio::test]
async fn no_secret_is_in_any_output() {
    let mut outputs = Outputs::default();
    let (store, demo) = (Database::create().await, Database::create().await);
    let (marker, other, master_key) = (
        random(),
        random(),
        STANDARD.encode(Uuid::new_v4().into_bytes().repeat(2)),
    );
    let mut secrets = vec![
        store.password.clone(),
        demo.password.clone(),
        other.clone(),
        master_key.clone(),
    ];
    let mut start = noetl();
    start
        .args([
            "serve",
            "--dev",
            "--listen",
            "127.0.0.1:0",
            "--playbooks",
            "playbooks",
        ])
        .env("DATABASE_URL", &store.url)
        .env("NOETL_MASTER_KEY", &master_key)
        .env("NOETL_HARMLESS", &marker)
        .env("NOETL_LOG", "trace");
    let server = Process::start(start).await;
    let (to, out) = (&server, &mut outputs);

    // Credentials: right ones, wrong ones, and secrets in wrong places.
    let body = |url: &str| json!({"type": "postgres", "url": url}).to_string();
    put(out, to, "pg_demo", body(&demo.url)).await;
    let wrong_password = demo.url.replace(&demo.password, &other);
    let not_there = demo.url.rsplit_once('/').expect("a URL").0.to_owned() + "/nowhere";
    let bad = [
        ("wrong_password", wrong_password.clone()),
        ("no_database", not_there),
        (
            "unreachable",
            format!("postgres://user:{other}@127.0.0.1:1/x"),
        ),
        (
            "no_host",
            format!("postgres://user:{other}@nowhere.invalid/x"),
        ),
        ("no_tls", demo.url.clone() + "?sslmode=require"),
        (
            "strange_parameter",
            format!("{}?pasword={other}&sslcert=/{other}", demo.url),
        ),
    ];
    for (alias, url) in &bad {
        put(out, to, alias, body(url)).await;
    }
    for url in [
        format!("postgres://user:{other}@host:port/x"),
        format!("postgres://user:{other}%zz@[host/x"),
        format!("mysql://user:{other}@host/x"),
        format!("user={other} password={other}"),
        other.clone(),
    ] {
        put(out, to, "malformed", body(&url)).await;
        put(out, to, "malformed", json!(url).to_string()).await;
        put(
            out,
            to,
            "malformed",
            json!({"type": url, "url": url}).to_string(),
        )
        .await;
        put(
            out,
            to,
            "malformed",
            json!({"type": "postgres", "url": [url]}).to_string(),
        )
        .await;
        put(
            out,
            to,
            "malformed",
            json!({"type": "postgres", "url": "x", (url.as_str()): 1}).to_string(),
        )
        .await;
        put(
            out,
            to,
            "malformed",
            json!({"type": "postgres", "url": "x", "allow_privileged": url}).to_string(),
        )
        .await;
        put(out, to, "malformed", format!("{{\"url\": \"{url}\", ")).await;
        put(out, to, "malformed", url.clone()).await;
        request(
            out,
            to,
            "PUT",
            "/api/credentials/x",
            &[("content-type", "text/plain")],
            body(&url),
        )
        .await;
    }
    put(
        out,
        to,
        &format!("postgres:%2F%2Fuser:{other}@host"),
        body(&demo.url),
    )
    .await;

    // Good and bad executions.
    let nothing = json!({});
    let auth0 = |name: &str| format!("api_integration/auth0/{name}");
    execute_registered(out, to, &auth0("provision_auth_schema"), nothing.clone()).await;
    let claims =
        json!({"sub": format!("auth0|{marker}"), "email": "ada@example.com", "name": marker});
    let answer = execute_registered(
        out,
        to,
        &auth0("auth0_login"),
        json!({"auth0_token": token(&claims)}),
    )
    .await;
    assert!(answer["session_token"].is_string(), "{answer:#}");
    execute_registered(
        out,
        to,
        &auth0("auth0_login"),
        json!({"auth0_token": "rubbish"}),
    )
    .await;
    execute_registered(
        out,
        to,
        &auth0("auth0_validate_session"),
        json!({"session_token": "wrong"}),
    )
    .await;
    for (alias, _) in &bad {
        execute(out, to, &sql("bad", alias, "SELECT 1"), nothing.clone()).await;
    }
    let denied = sql("denied", "nobodys_credential", "SELECT 1");
    execute(out, to, &denied, nothing.clone()).await;
    for query in [
        "SELECT no_such_column FROM auth.users",
        "SELECT * FROM pg_stat_activity",
        "SELECT * FROM pg_settings",
        "SELECT rolname, rolpassword FROM pg_authid",
        "SELECT * FROM pg_roles WHERE rolname = current_user",
        "DO $$ BEGIN RAISE EXCEPTION '%', (SELECT string_agg(a::text, '') FROM pg_stat_activity a); END $$",
        "SET client_min_messages TO debug5; SELECT inet_server_addr(), current_setting('application_name')",
        "COPY (SELECT 1) TO STDOUT",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT 1; SELECT 1 / 0",
    ] {
        execute(out, to, &sql("sql", "pg_demo", query), nothing.clone()).await;
    }
    let payload = json!({"marker": marker});
    let all = r#"{all: "{{ workload }}", id: "{{ execution_id }}"}"#;
    execute(out, to, &python("look", LOOK_AROUND, all), payload.clone()).await;
    execute(
        out,
        to,
        &python(
            "scope",
            "def main(all): return {'all': all}",
            r#"{all: "{{ [workload, vars, execution_id] | tojson }}"}"#,
        ),
        payload.clone(),
    )
    .await;
    execute(
        out,
        to,
        &python(
            "template",
            "def main(x): return x",
            r#"{x: "{{ workload.marker.nothing.more }}"}"#,
        ),
        payload.clone(),
    )
    .await;
    execute(
        out,
        to,
        &python(
            "denied",
            "def main(): import socket; socket.create_connection(('127.0.0.1', 1))",
            "{}",
        ),
        payload,
    )
    .await;

    // What is told of it.
    for path in [
        "/api/credentials",
        "/api/credentials/pg_demo",
        "/api/catalog/playbooks",
        "/api/catalog/playbooks/test/look",
        "/health",
        "/",
        "/api/executions/x",
    ] {
        request(out, to, "GET", path, &[], "").await;
    }
    let with = |variables: &[(&str, &str)]| {
        let mut command = noetl();
        command
            .env("NOETL_LOG", "trace")
            .envs(variables.iter().copied());
        command
    };
    let url = server.url.clone();
    let at: &[&str] = &["--server", &url];
    let demo_url = [("PG", demo.url.as_str())];
    let set = format!("marker={marker}");
    for (variables, arguments) in [
        (&[][..], &["credential", "list"][..]),
        (&[], &["credential", "list", "--json"]),
        (&[], &["playbook", "list"]),
        (&[], &["execute", "test/look", "--set", &set]),
        (&[], &["execute", "test/scope", "--json", "--set", &set]),
        (
            &demo_url,
            &[
                "credential",
                "add",
                "pg_two",
                "--type",
                "postgres",
                "--url-env",
                "PG",
            ],
        ),
        (
            &[("PG", &*other)],
            &[
                "credential",
                "add",
                "pg_three",
                "--type",
                "postgres",
                "--url-env",
                "PG",
            ],
        ),
    ] {
        command(out, with(variables), &[arguments, at].concat()).await;
    }
    // The URL itself instead of its variable's name.
    let add = [
        "credential",
        "add",
        "pg_four",
        "--type",
        "postgres",
        "--url-env",
    ];
    let output = with(&[])
        .args(add)
        .arg(&wrong_password)
        .args(at)
        .output()
        .await
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    outputs.add("noetl credential add: stderr", output.stderr);
    outputs.add("noetl credential add: stdout", output.stdout);
    let out = &mut outputs;
    let wrong_store = store.url.replace(&store.password, &other);
    let malformed_store = format!("postgres://user:{other}@host:port/x?pasword={other}");
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    for (database, key) in [
        (&store.url, &other),
        (&store.url, &STANDARD.encode(other.as_bytes())),
        (&wrong_store, &master_key),
        (&malformed_store, &master_key),
        (&other, &master_key),
    ] {
        let variables = [("DATABASE_URL", &**database), ("NOETL_MASTER_KEY", &**key)];
        assert_eq!(command(out, with(&variables), &serve).await, Some(1));
        let rotate = ["credential", "rotate-key"];
        assert_eq!(command(out, with(&variables), &rotate).await, Some(1));
    }
    secrets.push(STANDARD.encode(other.as_bytes()));

    environments(out, &server, None);
    outputs.add("the store", dump(store.connect().await).await);
    let (stdout, stderr) = server.stop().await;
    outputs.add("the server's stdout", stdout);
    outputs.add("the server's stderr", stderr);

    // It is searched where things are found that may be there.
    let marked = outputs.holding(&marker);
    for name in [
        "HTTP",
        "the store",
        "environ of the server",
        "noetl execute test/look",
        "noetl execute test/scope",
    ] {
        assert!(
            marked.iter().any(|found| found.starts_with(name)),
            "{name}: {marked:?}"
        );
    }
    for (text, name) in [
        ("wrong_password", "noetl credential list --server"),
        ("wrong_password", "noetl credential list --json"),
        ("nobodys_credential", "the server's stderr"),
        ("TRACE", "the server's stderr"),
    ] {
        let found = outputs.holding(text);
        assert!(
            found.iter().any(|found| found.starts_with(name)),
            "{text}: {found:?}"
        );
    }
    assert!(
        outputs
            .holding("ready on http://")
            .contains(&"the server's stdout")
    );
    for secret in &secrets {
        assert_eq!(outputs.holding(secret), [] as [&str; 0]);
    }
}

/// With a database of its own, the server has children and more secrets.
#[tokio::test]
async fn nothing_that_the_server_starts_knows_a_secret() {
    use std::os::unix::fs::PermissionsExt;
    let mut outputs = Outputs::default();
    let place = tempfile::tempdir().expect("a directory");
    // PostgreSQL's account must be able to enter it.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.path(), open).expect("it is ours");
    let data = place.path().join("data");
    let (marker, master_key) = (
        random(),
        STANDARD.encode(Uuid::new_v4().into_bytes().repeat(2)),
    );
    let mut start = noetl();
    start
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--playbooks",
            "playbooks",
        ])
        .env("NOETL_DATA_DIR", &data)
        .env("NOETL_MASTER_KEY", &master_key)
        .env("NOETL_HARMLESS", &marker)
        .env("NOETL_LOG", "trace");
    let server = Process::start(start).await;
    let memory = std::fs::read_to_string(data.join("postgres.json")).expect("its passwords");
    let memory: Value = serde_json::from_str(&memory).expect("JSON");
    let mut secrets = vec![master_key];
    for role in ["postgres", "noetl", "demo"] {
        secrets.push(
            memory["passwords"][role]
                .as_str()
                .expect("a password")
                .to_owned(),
        );
    }
    let path = "api_integration/auth0/provision_auth_schema";
    execute_registered(&mut outputs, &server, path, json!({})).await;
    let look = python("look", LOOK_AROUND, "{}");
    execute(&mut outputs, &server, &look, json!({"marker": marker})).await;
    let count = environments(&mut outputs, &server, Some(&data));
    assert!(count > 1, "the server has no children");
    let (stdout, stderr) = server.stop().await;
    outputs.add("the server's stdout", stdout);
    outputs.add("the server's stderr", stderr);

    assert!(outputs.holding(&marker).contains(&"environ of the server"));
    assert!(outputs.holding("LC_ALL=C").contains(&"environ of a child"));
    for secret in &secrets {
        assert_eq!(outputs.holding(secret), [] as [&str; 0]);
    }
}
