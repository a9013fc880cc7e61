//! How the engine walks a playbook.

use noetl_tests::server;
use serde_json::{Value, json};

/// A playbook of this workflow, to be registered under `test/NAME`.
pub fn playbook(name: &str, rest: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata:\n  name: {name}\n  path: test/{name}\n{rest}"
    )
}

/// The steps that ran, in the order in which they ended.
pub fn steps(body: &Value) -> Vec<&str> {
    body["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|s| s["step"].as_str())
        .collect()
}

#[tokio::test]
async fn the_first_condition_that_holds_is_taken_with_all_its_steps() {
    let server = server().await;
    let yaml = playbook(
        "branch",
        r#"
workload: {n: 0}
workflow:
  - step: start
    next:
      - when: "{{ workload.n > 10 }}"
        then:
          - step: big
          - step: also_big
      - when: "{{ workload.n > 5 }}"
        then:
          - step: middle
      - step: small
  - step: big
    tool: python
    code: |
      def main(): return {"size": "big"}
  - step: also_big
    tool: python
    code: |
      def main(): return {"size": "big"}
  - step: middle
    tool: python
    code: |
      def main(): return {"size": "middle"}
  - step: small
    tool: python
    code: |
      def main(): return {"size": "small"}
"#,
    );
    for (n, size, count) in [(11, "big", 2), (6, "middle", 1), (5, "small", 1)] {
        let reply = server.run("test/branch", &yaml, json!({"n": n})).await;
        assert_eq!(reply.status, 200, "{reply:#?}");
        assert_eq!(reply.body["size"], size);
        assert_eq!(reply.body["status"], "success");
        assert_eq!(steps(&reply.body).len(), count);
    }
}

#[tokio::test]
async fn branches_side_by_side_meet_once() {
    let server = server().await;
    let yaml = playbook(
        "diamond",
        r#"
workflow:
  - step: start
    next: [{step: left}, {step: right}]
  - step: left
    tool: python
    code: |
      import time
      def main():
          time.sleep(0.2)
          return {"side": "left"}
    vars: {left: "{{ result.data.side }}"}
    next: [{step: join}]
  - step: right
    tool: python
    code: |
      def main(): return {"side": "right"}
    vars: {right: "{{ result.data.side }}"}
    next: [{step: join}]
  - step: join
    tool: python
    code: |
      def main(left, right): return {"sides": [left, right]}
    args: {left: "{{ vars.left }}", right: "{{ vars.right }}"}
    next: [{step: end}]
  - step: end
"#,
    );
    let reply = server.run("test/diamond", &yaml, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    assert_eq!(reply.body["sides"], json!(["left", "right"]));
    assert_eq!(steps(&reply.body), ["right", "left", "join"]);
}

#[tokio::test]
async fn a_cycle_runs_until_its_condition_fails_and_an_endless_one_is_stopped() {
    let server = server().await;
    let yaml = playbook(
        "cycle",
        r#"
workload: {until: 5}
workflow:
  - step: start
    next: [{step: count}]
  - step: count
    tool: python
    code: |
      def main(n): return {"n": (n or 0) + 1}
    args: {n: "{{ vars.n }}"}
    vars: {n: "{{ result.data.n }}"}
    next:
      - when: "{{ vars.n < workload.until }}"
        then: [{step: count}]
      - step: end
  - step: end
"#,
    );
    let reply = server.run("test/cycle", &yaml, json!({})).await;
    assert_eq!(reply.body["n"], 5, "{reply:#?}");
    assert_eq!(steps(&reply.body).len(), 5);
}

#[tokio::test]
async fn types_survive_from_payload_to_python_and_back() {
    let server = server().await;
    let yaml = playbook(
        "types",
        r#"
workload: {value: null}
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: python
    code: |
      def main(value): return {"value": value, "type": type(value).__name__}
    args: {value: "{{ workload.value }}"}
    vars: {value: "{{ result.data.value }}"}
    next: [{step: two}]
  - step: two
    tool: python
    code: |
      def main(value, first): return {"value": value, "type": first}
    args: {value: "{{ vars.value }}", first: "{{ one.data.type }}"}
    next: [{step: end}]
  - step: end
"#,
    );
    assert_eq!(server.register(&yaml).await.status, 201);
    for (value, kind) in [
        (json!(null), "NoneType"),
        (json!(true), "bool"),
        (json!(0), "int"),
        (json!(-7), "int"),
        (json!(9007199254740993_i64), "int"),
        (json!(i64::MIN), "int"),
        (json!(u64::MAX), "int"),
        (json!(1.5), "float"),
        (json!(1.0), "float"),
        (json!(1e300), "float"),
        (json!(-9.223373720368549e+23), "float"),
        (json!("007"), "str"),
        (json!("{{ 7*7 }}"), "str"),
        (json!("[1, 2]"), "str"),
        (json!("𝒜\u{0}\"\\\n"), "str"),
        (json!([1, [2.5, null], {"k": "{{ x }}"}]), "list"),
        (json!({"z": 1, "a": {"b": []}, "": ""}), "dict"),
    ] {
        let reply = server.execute("test/types", json!({"value": value})).await;
        assert_eq!(reply.status, 200, "{value}: {reply:#?}");
        assert_eq!(reply.body["type"], kind, "{value}");
        assert_eq!(reply.body["value"].to_string(), value.to_string());
    }
}

#[tokio::test]
async fn a_failed_step_is_a_problem_that_names_its_place() {
    let server = server().await;
    let yaml = playbook(
        "failing",
        r#"
workflow:
  - step: start
    next: [{step: boom}]
  - step: boom
    tool: python
    code: |
      def helper(d):
          return d["missing"]

      def main():
          print("before")
          return helper({})
    next: [{step: never}]
  - step: never
    tool: python
    code: |
      def main(): return 1
"#,
    );
    let reply = server.run("test/failing", &yaml, json!({})).await;
    assert_eq!(reply.status, 422, "{reply:#?}");
    assert_eq!(reply.content_type, "application/problem+json");
    assert_eq!(reply.body["step"], "boom");
    assert_eq!(reply.body["error"]["kind"], "KeyError");
    let detail = reply.body["detail"].as_str().expect("detail");
    assert!(
        detail.contains("missing") && detail.contains("line 14"),
        "{detail}"
    );
    assert_eq!(steps(&reply.body), ["boom"]);

    let id = reply.body["execution_id"].as_str().expect("an id");
    let record = server
        .request("GET", &format!("/api/executions/{id}"), None)
        .await
        .body;
    assert_eq!(record["status"], "failed");
    assert_eq!(record["error"]["step"], "boom");
    let finished = record["events"]
        .as_array()
        .expect("events")
        .iter()
        .find(|e| e["event"] == "step_finished");
    assert_eq!(
        finished.expect("it ended")["data"]["log"][0]["message"],
        "before"
    );
}

#[tokio::test]
async fn a_template_that_fails_names_file_line_step_and_field() {
    let server = server().await;
    let yaml = playbook(
        "template",
        r#"
workload: {list: []}
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: python
    code: |
      def main(x): return x
    args:
      x: "{{ workload.list[3].name }}"
"#,
    );
    let reply = server.run("test/template", &yaml, json!({})).await;
    assert_eq!(reply.status, 422, "{reply:#?}");
    let detail = reply.body["detail"].as_str().expect("detail");
    for part in ["playbook.yaml", "`one`", "args.x", "workload.list[3].name"] {
        assert!(detail.contains(part), "{part}: {detail}");
    }
}

#[tokio::test]
async fn a_step_that_never_ends_is_stopped_and_others_go_on() {
    let server = server().await;
    // The neighbours are asked while the loop runs, and the loop's end is waited for.
    let looping = playbook(
        "looping",
        r#"
workflow:
  - step: start
    next: [{step: forever}]
  - step: forever
    tool: python
    limits: {time: 3s}
    code: |
      def main():
          while True: pass
"#,
    );
    let quick = playbook(
        "quick",
        r#"
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: python
    code: |
      def main(): return {"ok": True}
"#,
    );
    assert_eq!(server.register(&quick).await.status, 201);
    let looping = server.run("test/looping", &looping, json!({}));
    let neighbours = async {
        for _ in 0..20 {
            let reply = server.execute("test/quick", json!({})).await;
            assert_eq!(reply.body["ok"], true, "{reply:#?}");
        }
    };
    let (reply, ()) = tokio::join!(looping, neighbours);
    assert_eq!(reply.status, 504, "{reply:#?}");
    assert!(
        reply.body["detail"]
            .as_str()
            .expect("detail")
            .contains("limit time"),
        "{reply:#?}"
    );
}

#[tokio::test]
async fn more_memory_than_the_limit_fails_the_step_alone() {
    let server = server().await;
    let yaml = playbook(
        "memory",
        r#"
workflow:
  - step: start
    next: [{step: bomb}]
  - step: bomb
    tool: python
    code: |
      def main():
          x = []
          while True: x.append(bytearray(1 << 20))
"#,
    );
    let reply = server.run("test/memory", &yaml, json!({})).await;
    assert_eq!(reply.status, 422, "{reply:#?}");
    assert!(
        reply.body["detail"]
            .as_str()
            .expect("detail")
            .contains("memory = 256MiB"),
        "{reply:#?}"
    );
    assert_eq!(server.request("GET", "/health", None).await.status, 200);
}
