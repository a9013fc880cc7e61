//! `noetl tool`, as an author of tools uses it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use noetl_tests::{Server, noetl};
use serde_json::{Value, json};

use crate::sandbox::{CACHE, components};

/// A tool's project in a directory of its own.
pub(crate) struct Project(tempfile::TempDir);

impl Project {
    /// With a `tool.toml` that ends with `rest`.
    pub(crate) fn new(rest: &str) -> Self {
        let project = Self(tempfile::tempdir().expect("a temporary directory"));
        let head = "name = \"acme/probe\"\nversion = \"1.2.0\"\ndescription = \"Tries things\"\n";
        project.write("tool.toml", &format!("{head}{rest}"));
        project
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.path().join(name);
        std::fs::write(&file, text).expect("it can be written");
        file
    }

    /// Runs `noetl tool`, in the project's directory.
    pub(crate) async fn tool(&self, arguments: &[&str]) -> Output {
        noetl()
            .arg("tool")
            .args(arguments)
            .current_dir(self.path())
            .env("NOETL_CACHE_DIR", CACHE.path())
            .env_remove("NOETL_SERVER")
            .output()
            .await
            .expect("it runs")
    }

    /// Packs a component that is built already; its file.
    pub(crate) async fn pack(&self, component: &Path) -> PathBuf {
        let output = self
            .tool(&["build", "--component", as_text(component)])
            .await;
        assert!(output.status.success(), "{output:?}");
        self.path().join("build/probe.wasm")
    }
}

pub(crate) fn as_text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// A tool that was built once, and reaches for PostgreSQL.
pub(crate) fn probe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("components/tool-0.1.0.wasm")
}

pub(crate) const POSTGRES: &str = "[capabilities]\npostgres = true\n";

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stdout_json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

#[tokio::test]
async fn a_packed_component_is_what_its_project_says() {
    let project = Project::new(&format!("{POSTGRES}[schema]\nargs = \"args.json\"\n"));
    project.write("args.json", r#"{"type": "object"}"#);
    let file = project.pack(&probe()).await;

    let checked = project.tool(&["check", "--json", as_text(&file)]).await;
    assert!(checked.status.success(), "{checked:?}");
    let said = stdout_json(&checked);
    assert_eq!(said["findings"], json!([]));
    assert_eq!(said["tool_versions"], json!(["0.1.0"]));
    assert_eq!(said["exports"], json!(["run"]));
    assert_eq!(
        said["manifest"],
        json!({
            "name": "acme/probe",
            "version": "1.2.0",
            "description": "Tries things",
            "capabilities": {"postgres": true, "http": []},
            "schema": {"args": {"type": "object"}},
        })
    );

    let checked = project.tool(&["check"]).await;
    assert!(checked.status.success(), "{checked:?}");
    for part in ["acme/probe 1.2.0", "query PostgreSQL", "read clocks"] {
        assert!(stdout(&checked).contains(part), "{}", stdout(&checked));
    }

    project.write("tool.toml", "name = \"acme/probe\"\nversion = \"1.3.0\"\n");
    let checked = project.tool(&["check"]).await;
    assert!(stderr(&checked).contains("build it again"), "{checked:?}");
}

#[tokio::test]
async fn what_a_server_would_refuse_is_refused_here() {
    let project = Project::new("[capabilities]\nhttp = \"any\"\n");
    let output = project
        .tool(&["build", "--component", as_text(&probe())])
        .await;
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("does not import noetl:tool/http"), "{told}");
    assert!(told.contains("tool.toml"), "{told}");

    let bare = project.tool(&["check", as_text(&probe())]).await;
    assert_eq!(bare.status.code(), Some(1));
    assert!(stderr(&bare).contains("it has no manifest"), "{bare:?}");

    let import = r#"(component (import "acme:files/open@1.0.0" (instance
        (export "open" (func)))) (core module $m (func (export "run")))
        (core instance $i (instantiate $m))
        (func (export "run") (canon lift (core func $i "run"))))"#;
    let file = project.path().join("stranger.wasm");
    std::fs::write(&file, wat::parse_str(import).expect("WAT")).expect("a file of ours");
    let stranger = project.tool(&["check", as_text(&file)]).await;
    assert_eq!(stranger.status.code(), Some(1));
    assert!(
        stderr(&stranger).contains("it can't be run"),
        "{stranger:?}"
    );
    assert!(
        stderr(&stranger).contains("acme:files/open"),
        "{stranger:?}"
    );

    let text = project.write("text.wasm", "(component)");
    let output = project.tool(&["check", as_text(&text)]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("it is not a WebAssembly component"), "{told}");
}

#[tokio::test]
async fn a_mistake_in_the_project_says_where_it_is() {
    let project = Project::new("language = \"fortran\"\n");
    let output = project.tool(&["build"]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains("tool.toml:4:12: language: "), "{told}");

    let project = Project::new("");
    let told = stderr(&project.tool(&["build"]).await);
    assert!(told.contains("hint: add `language = \"rust\"`"), "{told}");

    let project = Project::new("command = \"exit 3\"\ncomponent = \"it.wasm\"\n");
    let told = stderr(&project.tool(&["build"]).await);
    assert!(told.contains("sh failed (exit status: 3)"), "{told}");

    let project = Project::new("command = \"true\"\ncomponent = \"it.wasm\"\n");
    let told = stderr(&project.tool(&["build"]).await);
    assert!(told.contains("the build made no "), "{told}");
}

#[tokio::test]
async fn a_command_builds_what_it_likes() {
    let command = format!("command = \"cp {} it.wasm\"\n", probe().display());
    let project = Project::new(&format!("{command}component = \"it.wasm\"\n"));
    let output = project.tool(&["build", "-o", "out/it.wasm"]).await;
    assert!(output.status.success(), "{output:?}");
    // It imports PostgreSQL, and does not ask for it.
    let told = stderr(&output);
    assert!(told.contains("every call will be denied"), "{told}");
    assert!(project.path().join("out/it.wasm").is_file());
}

#[tokio::test]
async fn cases_are_run_in_the_sandbox() {
    let project = Project::new(&format!(
        "{POSTGRES}[schema]\nconfig = \"config.json\"\nresult = \"result.json\"\n"
    ));
    let config = r#"{"properties": {"op": {"enum": ["echo", "log", "open", "loop", "output"]}}}"#;
    project.write("config.json", config);
    project.write("result.json", r#"{"not": {"const": "xxx"}}"#);
    project.write(
        "cases.yaml",
        r#"
cases:
  - name: gives back
    config: {op: echo}
    args: {a: [1, "{{ 7*7 }}"]}
    result: {a: [1, "{{ 7*7 }}"]}
  - name: gives back something else
    config: {op: echo}
    args: {a: 1, b: 2}
    result: {b: 2, a: 3}
  - name: writes
    config: {op: log, n: 1, text: hello}
    result: 2
  - name: does what no schema has
    config: {op: fly}
    error: {category: invalid_input, message: "/op"}
  - name: never ends
    config: {op: loop}
    limits: {cpu: 50 ms}
    error: {category: limit, message: computed}
  - name: opens
    config: {op: open, text: pg}
    result: opened
  - name: opens another one
    config: {op: open, text: pg, auth: mine}
    result: opened
  - name: sends nothing
    config: {op: echo}
    postgres: [{rows: []}]
    result: {}
  - name: gives what no schema has
    config: {op: output, n: 3}
    result: xxx
"#,
    );
    let component = probe();
    let component = as_text(&component);
    let run = project
        .tool(&["test", "--json", "--component", component])
        .await;
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let said = stdout_json(&run);
    assert_eq!(said["tool"], "acme/probe");
    let faults = |name: &str| {
        let cases = said["cases"].as_array().expect("a list");
        let case = cases.iter().find(|case| case["name"] == name);
        let case = case.unwrap_or_else(|| panic!("{name}: {said}"));
        let faults = case["faults"].as_array().expect("a list").clone();
        assert_eq!(case["passed"], faults.is_empty());
        let faults = faults.iter().map(|fault| fault.as_str().expect("a text"));
        faults.collect::<Vec<_>>().join("\n")
    };
    for passed in [
        "gives back",
        "does what no schema has",
        "never ends",
        "opens",
    ] {
        assert_eq!(faults(passed), "", "{passed}");
    }
    let other = faults("gives back something else");
    assert!(other.contains("-   \"a\": 3,\n+   \"a\": 1,"), "{other}");
    let opened = faults("opens another one");
    assert!(opened.contains("there is no credential `pg`"), "{opened}");
    let unsent = faults("sends nothing");
    assert!(
        unsent.contains("the last statement of the case was not sent"),
        "{unsent}"
    );
    let schema = faults("gives what no schema has");
    assert!(schema.contains("not what its schema says"), "{schema}");

    let run = project
        .tool(&["test", "--component", component, ".", "writes"])
        .await;
    assert_eq!(run.status.code(), Some(1));
    let text = stdout(&run);
    for part in [
        "running 1 case of acme/probe 1.2.0",
        "writes ... FAILED",
        "cases.yaml:11",
        "log: info: hello",
        "0 passed; 1 failed; 8 left out",
    ] {
        assert!(text.contains(part), "{text}\n{part}");
    }
}

#[tokio::test]
async fn a_case_answers_statements() {
    let project = Project::new(POSTGRES);
    project.write(
        "cases.yaml",
        r#"
cases:
  - name: asks
    config:
      credential: pg
      statements:
        - {text: "SELECT name FROM users WHERE id = $1", params: [{int64: 7}]}
    postgres:
      - statement: SELECT name FROM users WHERE id = $1
        params: [7]
        rows: [{name: Ada, tags: [a, b]}]
    result:
      command_1: [{name: Ada, tags: [a, b]}]
      statements:
        - {rows: [{name: Ada, tags: [a, b]}], row_count: 1, columns: [{name: name, type: text}, {name: tags, type: jsonb}]}
  - name: is refused
    config: {credential: pg, statements: [{text: SELECT 1}]}
    postgres:
      - error: {code: "42501", message: permission denied}
    error: {category: failed, message: permission denied}
  - name: asks something else
    config: {credential: pg, statements: [{text: SELECT 2}]}
    postgres:
      - statement: SELECT 1
    error: {}
  - name: asks more
    config: {credential: pg, statements: [{text: SELECT 2}]}
    error: {}
"#,
    );
    let component = components().join("postgres.wasm");
    let run = project
        .tool(&["test", "--json", "--component", as_text(&component)])
        .await;
    let said = stdout_json(&run);
    let faults: Vec<String> = said["cases"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|case| case["faults"].to_string())
        .collect();
    assert_eq!(faults[..2], ["[]", "[]"], "{said:#}");
    assert!(
        faults[2].contains(r"another statement\n- SELECT 1\n+ SELECT 2"),
        "{faults:?}"
    );
    assert!(
        faults[3].contains("has no answer to the statement"),
        "{faults:?}"
    );
}

#[tokio::test]
async fn a_new_project_has_all_that_it_needs() {
    let place = Project::new("");
    let output = place.tool(&["new", "acme/geo-code"]).await;
    assert!(output.status.success(), "{output:?}");
    let read = |name: &str| {
        let file = place.path().join("geo-code").join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    assert!(read("tool.toml").starts_with("name = \"acme/geo-code\"\n"));
    assert!(read("Cargo.toml").contains("name = \"geo-code\""));
    assert!(read(".gitignore").contains("/target"));
    for file in ["README.md", "src/lib.rs", "cases.yaml"] {
        assert!(!read(file).contains("{{"), "{file}");
    }

    let again = place.tool(&["new", "acme/geo-code"]).await;
    assert_eq!(again.status.code(), Some(1));
    assert!(
        stderr(&again).contains("geo-code is not empty"),
        "{again:?}"
    );
    let plain = place.tool(&["new", "geo-code", "--dir", "other"]).await;
    assert_eq!(plain.status.code(), Some(2));
    assert!(stderr(&plain).contains("acme/geo-code"), "{plain:?}");
}

#[tokio::test]
async fn a_key_is_written_once_and_for_its_owner() {
    let place = Project::new("");
    let output = place.tool(&["keygen", "key.pem"]).await;
    assert!(output.status.success(), "{output:?}");
    let file = place.path().join("key.pem");
    let mode = std::fs::metadata(&file).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let public: Result<noetl::tool::signature::PublicKey, _> = stdout(&output).trim().parse();
    assert!(public.is_ok(), "{output:?}");

    let pem = std::fs::read_to_string(&file).expect("it is there");
    let again = place.tool(&["keygen", "key.pem"]).await;
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), pem);
}

#[tokio::test]
async fn only_a_version_can_be_removed_and_only_knowingly() {
    let place = Project::new("");
    for (arguments, told) in [
        (&["remove", "acme/geocode"][..], "names no version"),
        (&["remove", "acme/geocode@1.0.0"], "add --yes"),
    ] {
        let output = place.tool(arguments).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(told), "{output:?}");
    }
}

#[tokio::test]
async fn a_tool_is_pushed_shown_and_removed() {
    let server = Server::start().await;
    let project = Project::new(&format!("{POSTGRES}[schema]\nconfig = \"config.json\"\n"));
    project.write("config.json", r#"{"required": ["op"]}"#);
    let file = project.pack(&probe()).await;
    let tool = async |arguments: &[&str]| {
        let url = ["--server", &server.url];
        project.tool(&[arguments, &url[..]].concat()).await
    };
    let digest = noetl::tool::digest(&std::fs::read(&file).expect("it was built"));

    let pushed = tool(&["push", "."]).await;
    assert!(pushed.status.success(), "{pushed:?}");
    assert_eq!(
        stdout(&pushed),
        format!("acme/probe@1.2.0: ready, {digest}\n")
    );
    let again = tool(&["push", as_text(&file)]).await;
    assert!(again.status.success(), "{again:?}");

    let listed = tool(&["list", "--json"]).await;
    let listed = stdout_json(&listed);
    let listed = listed.as_array().expect("a list");
    let own = listed.iter().find(|tool| tool["name"] == "acme/probe");
    assert_eq!(own.expect("it is there")["digest"], digest, "{listed:?}");

    let shown = tool(&["show", "acme/probe@1.2.0", "--json"]).await;
    let shown = stdout_json(&shown);
    assert_eq!(shown["status"], "ready");
    assert_eq!(shown["schema"]["config"], json!({"required": ["op"]}));
    let shown = tool(&["show", "acme/probe"]).await;
    for part in ["Tries things", "1.2.0", &digest, "schema of config:"] {
        assert!(stdout(&shown).contains(part), "{}", stdout(&shown));
    }

    // The version is that of another component.
    project.write("config.json", r#"{"required": ["n"]}"#);
    project.pack(&probe()).await;
    let other = tool(&["push", "."]).await;
    assert_eq!(other.status.code(), Some(1), "{other:?}");
    assert!(stderr(&other).contains("1.2.0"), "{other:?}");

    let removed = tool(&["remove", "acme/probe@1.2.0", "--yes"]).await;
    assert!(removed.status.success(), "{removed:?}");
    let gone = tool(&["show", "acme/probe@1.2.0"]).await;
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    assert!(stderr(&gone).contains("there is no tool"), "{gone:?}");
}

#[tokio::test]
async fn a_schema_of_playbooks_has_the_tools() {
    let server = Server::start().await;
    let schema = async |arguments: &[&str]| {
        let output = noetl().arg("schema").args(arguments).output().await;
        stdout_json(&output.expect("it runs"))
    };
    let of_server = schema(&["--server", &server.url]).await;
    assert!(of_server.to_string().contains("\"postgres\""));
    assert_eq!(schema(&["--offline"]).await, of_server);
}

#[tokio::test]
async fn a_case_answers_requests() {
    let project = Project::new("[capabilities]\nhttp = [\"api.example.com\"]\n");
    project.write(
        "cases.yaml",
        r#"
cases:
  - name: asks
    config: {url: "https://api.example.com/cities", json: {q: Berlin}}
    http:
      - request: {method: POST, url: "https://api.example.com/cities", body: {q: Berlin}}
        response: {headers: {content-type: application/json}, body: {lat: 52.5}}
    result:
      status: 200
      headers: {content-type: application/json}
      url: https://api.example.com/cities
      body: {lat: 52.5}
  - name: waits too long
    config: {url: "https://api.example.com/"}
    http:
      - error: {timeout: nobody answered}
    error: {category: timeout, message: nobody answered}
  - name: goes elsewhere
    config: {url: "https://example.com/"}
    error: {category: denied, message: example.com}
  - name: asks something else
    config: {url: "https://api.example.com/a"}
    http:
      - request: {url: "https://api.example.com/b"}
        response: {}
    error: {}
  - name: asks more
    config: {url: "https://api.example.com/a"}
    error: {}
"#,
    );
    let component = components().join("http.wasm");
    let run = project
        .tool(&["test", "--json", "--component", as_text(&component)])
        .await;
    let said = stdout_json(&run);
    let faults: Vec<String> = said["cases"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|case| case["faults"].to_string())
        .collect();
    assert_eq!(faults[..3], ["[]", "[]", "[]"], "{said:#}");
    assert!(faults[3].contains("another URL"), "{faults:?}");
    assert!(
        faults[4].contains("has no answer to the request"),
        "{faults:?}"
    );
}
