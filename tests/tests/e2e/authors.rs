//! What authors of playbooks use: validate, graph, fmt, test.

use std::path::Path;
use std::process::Output;

use noetl_tests::{noetl, root, server};
use serde_json::Value;

use crate::cli::Place;

const ORDERS: &str = r#"apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: orders, path: tests/orders}
workload: {customer: 7}
workflow:
  - step: start
    next:
      - step: fetch
  - step: fetch             # asks the shop
    tool: postgres
    auth: pg_shop
    query: SELECT id, price FROM orders WHERE customer = {{ workload.customer }}
    on_error:
      - step: apologize
    next:
      - when: "{{ result.data.rows | length > 0 }}"
        then:
          - step: sum
      - step: end
  - step: sum
    tool: python
    args: {rows: "{{ fetch.data.rows }}"}
    code: |
      def main(rows):
          return {"total": sum(row["price"] for row in rows)}
    next:
      - step: end
  - step: apologize
    tool: transform
    args: {message: "{{ fetch.error.message }}"}
    jq: "{sorry: .message}"
    next:
      - step: end
  - step: end
"#;

async fn run(arguments: &[&str], file: &Path) -> Output {
    noetl()
        .args(arguments)
        .arg(file)
        .env_remove("NOETL_SERVER")
        .output()
        .await
        .expect("it runs")
}

/// Exit code, stdout, stderr.
async fn told(arguments: &[&str], file: &Path) -> (i32, String, String) {
    let output = run(arguments, file).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        output.status.code().expect("it exits"),
        text(output.stdout),
        text(output.stderr),
    )
}

fn wrong() -> String {
    ORDERS
        .replace("- step: end\n  - step: sum", "- step: énd\n  - step: sum")
        .replace("workload.customer", "workload.custmer")
        .replace("    args: {rows", "    arks: {名前: 1, rows")
}

fn drawn(file: &Path) -> String {
    format!(
        "\
error: the workload has no `custmer`
  --> {file}:12:61
   |
12 |     query: SELECT id, price FROM orders WHERE customer = {{{{ workload.custmer }}}}
   |                                                             ^^^^^^^^^^^^^^^^ query of step `fetch`
   |
   = help: did you mean `workload.customer`?
",
        file = file.display()
    )
}

#[tokio::test]
async fn validate_marks_the_place_of_a_mistake() {
    let place = Place::new();
    let file = place.write("wrong.yaml", &wrong());
    let (code, out, error) = told(&["validate"], &file).await;
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
    assert!(error.contains(&drawn(&file)), "{error}");
    assert!(
        error.contains("|     arks: {名前: 1, rows")
            && error.contains("|     ^^^^ arks of step `sum`"),
        "{error}"
    );
    let last = format!("\n\nerror: {} has 3 mistakes\n", file.display());
    assert!(error.ends_with(&last), "{error}");
    assert!(!error.contains('\u{1b}'), "nobody sees colours: {error}");
}

#[tokio::test]
async fn validate_has_a_form_for_tools_and_one_for_programs() {
    let place = Place::new();
    let file = place.write("wrong.yaml", &wrong());
    let (code, out, error) = told(&["validate", "--format", "short"], &file).await;
    assert_eq!((code, out.as_str()), (1, ""));
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 3, "{error}");
    let expected = format!(
        "{}:12:61: step `fetch`: query: the workload has no `custmer`; did you mean `workload.customer`?",
        file.display()
    );
    assert!(lines.contains(&expected.as_str()), "{error}");

    let (code, out, error) = told(&["validate", "--format", "json"], &file).await;
    assert_eq!((code, error.as_str()), (1, ""));
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 3, "{out}");
    let first = &lines[0];
    assert_eq!(first["file"], file.display().to_string());
    assert_eq!((&first["line"], &first["column"]), (&12.into(), &61.into()));
    assert_eq!(
        (&first["step"], &first["field"]),
        (&"fetch".into(), &"query".into())
    );
    assert_eq!(first["hint"], "did you mean `workload.customer`?");

    let good = place.write("good.yaml", ORDERS);
    let (code, out, error) = told(&["validate", "--format", "json"], &good).await;
    assert_eq!((code, out.as_str(), error.as_str()), (0, "", ""));
    let (code, out, error) = told(&["validate", "--format", "short"], &good).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.ends_with("good.yaml: ok (tests/orders)\n"), "{out}");
}

#[tokio::test]
async fn without_components_validate_says_that_it_found_none() {
    let place = Place::new();
    let file = place.write("orders.yaml", ORDERS);
    let nowhere = place.0.path().join("none");
    let nowhere = nowhere.to_str().expect("text");
    let (code, _, error) = told(&["validate", "--components", nowhere], &file).await;
    assert_eq!(code, 1);
    assert!(error.contains("there is no tool `transform`"), "{error}");
    let hint = "no tool's component was found here: build them with 'make guests'";
    assert!(error.contains(hint), "{error}");
}

#[tokio::test]
async fn what_a_server_refuses_is_drawn_the_same() {
    let server = server().await;
    let place = Place::new();
    // The name does not fit into a header.
    let file = place.write("größe.yaml", &wrong());
    for command in [&["register"][..], &["run", "playbook"]] {
        let arguments = [command, &["--server", &server.url]].concat();
        let (code, out, error) = told(&arguments, &file).await;
        assert_eq!((code, out.as_str()), (1, ""), "{error}");
        assert!(error.contains(&drawn(&file)), "{error}");
    }
}

#[tokio::test]
async fn graph_draws_a_flowchart() {
    let place = Place::new();
    let file = place.write("orders.yaml", ORDERS);
    let (code, out, error) = told(&["graph"], &file).await;
    assert_eq!((code, error.as_str()), (0, ""));
    let expected = r##"---
title: "tests/orders"
---
flowchart TD
  s0(["start"])
  s1["fetch<br/>postgres"]
  s2["sum<br/>python"]
  s3["apologize<br/>transform"]
  s4(["end"])
  s0 --> s1
  s1 -->|"result.data.rows #124; length #62; 0"| s2
  s1 -->|"else"| s4
  s1 -.->|"on error"| s3
  s2 --> s4
  s3 --> s4
"##;
    assert_eq!(out, expected);

    let hostile = ORDERS.replace(
        "result.data.rows | length > 0",
        "result.data == '\\\"| s4\\nclick s0 call x()\\n%%{init: {}}%%<script>'",
    );
    let file = place.write("hostile.yaml", &hostile);
    let (code, out, error) = told(&["graph"], &file).await;
    assert_eq!(code, 0, "{error}");
    assert_eq!(out.lines().count(), expected.lines().count(), "{out}");
    assert!(!out.contains("%%") && !out.contains("<script"), "{out}");

    let file = place.write("wrong.yaml", &wrong());
    let (code, out, error) = told(&["graph"], &file).await;
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
    assert!(error.contains(&drawn(&file)), "{error}");
}

#[tokio::test]
async fn fmt_changes_the_form_and_nothing_else() {
    let place = Place::new();
    let untidy = ORDERS
        .replace("tool:", "tool:  ")
        .replace("      - step: fetch", "          -   step: fetch");
    let file = place.write("orders.yaml", &untidy);
    let (code, out, error) = told(&["fmt", "--check"], &file).await;
    assert_eq!((code, error.as_str()), (1, ""));
    assert!(out.ends_with("orders.yaml: not formatted\n"), "{out}");
    let read = |file: &Path| std::fs::read_to_string(file).expect("it is there");
    assert_eq!(read(&file), untidy, "--check changes nothing");

    let (code, out, error) = told(&["fmt"], &file).await;
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(out.ends_with("orders.yaml: formatted\n"), "{out}");
    let tidy = ORDERS.replace("fetch             #", "fetch #");
    assert_eq!(read(&file), tidy);
    let (code, out, error) = told(&["fmt", "--check"], &file).await;
    assert_eq!((code, out.as_str(), error.as_str()), (0, "", ""));

    // Where the indentation of a text is written out, it counts from what is moved.
    let kept = "a:\n- |2\n    text\n";
    let file = place.write("kept.yaml", kept);
    let (code, out, error) = told(&["fmt"], &file).await;
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        error.contains("would change the value at line 3"),
        "{error}"
    );
    assert_eq!(read(&file), kept);

    let file = place.write("broken.yaml", "a: [1\n");
    let (code, _, error) = told(&["fmt"], &file).await;
    assert_eq!(code, 1);
    assert!(error.contains("error: not valid YAML"), "{error}");
}

#[tokio::test]
async fn fmt_writes_the_file_that_it_read_and_keeps_blanks_in_code() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let place = Place::new();
    let code = "\n      def main(rows):\n          \n          return";
    let untidy = ORDERS
        .replace("\n      def main(rows):\n          return", code)
        .replace("tool:", "tool:  ");
    let file = place.0.path().join(OsStr::from_bytes(b"orders\xff.yaml"));
    std::fs::write(&file, &untidy).expect("it can be written");
    let (code, out, error) = told(&["fmt"], &file).await;
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    let tidy = untidy
        .replace("tool:   ", "tool: ")
        .replace("fetch             #", "fetch #");
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), tidy);
    let files = std::fs::read_dir(place.0.path()).expect("it is there");
    assert_eq!(files.count(), 1);
}

#[tokio::test]
async fn every_playbook_here_can_be_formatted() {
    let place = Place::new();
    let copy = |from: &Path| {
        let name = from.strip_prefix(root()).expect("it is ours");
        let name = name.display().to_string().replace('/', "_");
        place.write(&name, &std::fs::read_to_string(from).expect("it is there"));
    };
    let mut directories = vec![
        root().join("playbooks"),
        root().join("guest-tools/examples"),
    ];
    let mut copied = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("it is there") {
            let path = entry.expect("it can be read").path();
            let name = path.file_name().and_then(|name| name.to_str());
            let is_target = name == Some("target") || name == Some("node_modules");
            if path.is_dir() && !is_target {
                directories.push(path);
            } else if path.extension().is_some_and(|end| end == "yaml") {
                copy(&path);
                copied += 1;
            }
        }
    }
    assert!(copied > 5, "{copied}");
    let (code, out, error) = told(&["fmt"], place.0.path()).await;
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    // The examples are shown as people would have theirs.
    for directory in [place.0.path(), &root().join("playbooks/examples")] {
        let (code, out, error) = told(&["fmt", "--check"], directory).await;
        assert_eq!((code, out.as_str(), error.as_str()), (0, "", ""));
    }
}

const ROWS: &str = "[{id: 1, price: 20}, {id: 2, price: 22}]";

/// Plays cases of the playbook above.
async fn play(cases: &str) -> (i32, String, String) {
    let place = Place::new();
    let playbook = place.write("orders.yaml", ORDERS);
    place.write("orders.test.yaml", &format!("cases:\n{cases}"));
    told(&["test"], &playbook).await
}

#[tokio::test]
async fn cases_pass_or_say_what_came_instead() {
    let cases = format!(
        "
  - name: the prices are summed up
    payload: {{customer: 8}}
    stubs:
      fetch: {{data: {{rows: {ROWS}}}}}
    path: [fetch, sum]
    result: {{total: 42}}
  - name: the shop is closed
    stubs:
      fetch: {{error: {{kind: postgres, message: we are closed}}}}
    path: [fetch, apologize]
    result: {{sorry: we are closed}}
"
    );
    let (code, out, error) = play(&cases).await;
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    assert!(
        out.contains("tests/orders: the prices are summed up ... ok"),
        "{out}"
    );
    assert!(out.contains("2 passed; 0 failed; 0 left out"), "{out}");

    let (code, out, error) = play(&cases.replace("total: 42", "total: 43")).await;
    assert_eq!((code, error.as_str()), (1, ""), "{out}");
    assert!(out.contains("the prices are summed up ... FAILED"), "{out}");
    assert!(out.contains("43") && out.contains("42"), "{out}");
    assert!(out.contains("orders.test.yaml:3"), "{out}");
    assert!(out.contains("1 passed; 1 failed; 0 left out"), "{out}");

    let other_way = cases.replace("[fetch, sum]", "[sum]");
    let (code, out, _) = play(&other_way).await;
    assert_eq!(code, 1);
    assert!(out.contains("expected sum, went fetch → sum"), "{out}");
}

#[tokio::test]
async fn a_stub_that_is_missing_or_not_used_fails_the_case() {
    // That `on_error` goes on from there does not make it pass.
    let case = "
  - name: nobody answers
    path: [fetch, apologize]
";
    let (code, out, _) = play(case).await;
    assert_eq!(code, 1);
    assert!(
        out.contains("the step `fetch` uses the tool `postgres`, which has no stub in this case"),
        "{out}"
    );

    let unused = format!(
        "
  - name: nothing was bought
    stubs:
      fetch: {{data: {{rows: []}}}}
      sum: {{data: {{total: 1}}}}
  - name: asked once
    stubs:
      fetch:
        - data: {{rows: {ROWS}}}
        - data: {{rows: []}}
"
    );
    let (code, out, _) = play(&unused).await;
    assert_eq!(code, 1);
    assert!(out.contains("the stub of `sum` was not used"), "{out}");
    assert!(out.contains("1 stubs of `fetch` were not used"), "{out}");
    assert!(out.contains("0 passed; 2 failed"), "{out}");
}

#[tokio::test]
async fn a_stub_of_a_step_that_is_not_there_is_a_mistake() {
    let case = "
  - name: misspelt
    stubs:
      fetsh: {data: {rows: []}}
";
    let (code, out, error) = play(case).await;
    assert_eq!((code, out.as_str()), (1, ""), "{error}");
    assert!(
        error.contains("error: the playbook has no step `fetsh`"),
        "{error}"
    );
    assert!(error.contains("orders.test.yaml:5:7"), "{error}");
    assert!(
        error.contains("|       ^^^^^ cases[0].stubs.fetsh"),
        "{error}"
    );
    assert!(error.contains("= help: did you mean `fetch`?"), "{error}");
}
