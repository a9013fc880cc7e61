//! Loops, retries, routes of failure, `finally`, timeouts, assertions and joins.

use noetl_tests::{Database, Reply, Server, server};
use serde_json::{Value, json};

use crate::executions::{ended, killed_to_go_on, record, start, wait};
use crate::flow::{playbook, steps};

async fn run(server: &Server, name: &str, rest: &str, payload: Value) -> Reply {
    let path = format!("test/{name}");
    server.run(&path, &playbook(name, rest), payload).await
}

/// The messages with which a playbook is refused.
pub async fn refused(server: &Server, name: &str, rest: &str) -> Vec<String> {
    let reply = server.register(&playbook(name, rest)).await;
    assert_eq!(reply.status, 422, "{reply:#?}");
    let errors = reply.body["errors"].as_array().expect("errors");
    errors
        .iter()
        .map(|e| e["message"].as_str().expect("a message").to_owned())
        .collect()
}

async fn events(server: &Server, id: &Value) -> Vec<Value> {
    let record = record(server, id.as_str().expect("an id")).await;
    record["events"].as_array().expect("events").clone()
}

const LOOP: &str = r#"
workload: {items: [3, 1, 2], concurrency: 2}
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: python
    loop: {collection: "{{ workload.items }}", element: item, MODE}
    code: |
      import time
      def main(item, at, last):
          if item == "bad":
              raise ValueError("no such item")
          if isinstance(item, (int, float)):
              time.sleep(item / 20)
          return {"item": item, "at": at, "last": last}
    args: {item: "{{ item }}", at: "{{ loop.index }}", last: "{{ loop.last }}"}
    vars: {done: "{{ result.data }}", errors: "{{ result.errors }}"}
    next: [{step: end}]
  - step: end
output: {done: "{{ vars.done }}", errors: "{{ vars.errors }}"}
"#;

#[tokio::test]
async fn a_loop_gives_its_items_results_in_their_order() {
    let server = server().await;
    for (name, mode) in [
        ("loop-sequential", "mode: sequential"),
        ("loop-parallel", "mode: parallel, concurrency: 3"),
    ] {
        let reply = run(&server, name, &LOOP.replace("MODE", mode), json!({})).await;
        assert_eq!(reply.status, 200, "{reply:#?}");
        assert_eq!(
            reply.body["done"],
            json!([
                {"item": 3, "at": 1, "last": false},
                {"item": 1, "at": 2, "last": false},
                {"item": 2, "at": 3, "last": true},
            ])
        );
        assert_eq!(reply.body["errors"], Value::Null);
        assert_eq!(reply.body["steps"][0]["items"], 3);
    }
    let empty = run(
        &server,
        "loop-none",
        &LOOP.replace("MODE", "mode: parallel"),
        json!({"items": []}),
    )
    .await;
    assert_eq!(empty.body["done"], json!([]), "{empty:#?}");
}

#[tokio::test]
async fn what_happens_to_items_is_recorded() {
    let server = server().await;
    let yaml = LOOP.replace("MODE", "mode: parallel");
    let reply = run(&server, "loop-recorded", &yaml, json!({})).await;
    let events = events(&server, &reply.body["execution_id"]).await;
    let items: Vec<&Value> = events
        .iter()
        .filter(|e| e["event"] == "item_finished")
        .collect();
    let mut indexes: Vec<i64> = items
        .iter()
        .filter_map(|e| e["data"]["index"].as_i64())
        .collect();
    indexes.sort_unstable();
    assert_eq!(indexes, [0, 1, 2]);
    let second = items
        .iter()
        .find(|e| e["data"]["index"] == 1)
        .expect("the second");
    assert_eq!(
        second["data"]["args"],
        json!({"item": 1, "at": 2, "last": false})
    );
    assert_eq!(second["data"]["result"]["item"], 1);
}

#[tokio::test]
async fn a_failed_item_stops_the_loop_or_is_told() {
    let server = server().await;
    let payload = json!({"items": [0, "bad", 1]});
    let stops = run(
        &server,
        "loop-stop",
        &LOOP.replace("MODE", "on_failure: stop"),
        payload.clone(),
    )
    .await;
    assert_eq!(stops.status, 422, "{stops:#?}");
    let detail = stops.body["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("item 2 of 3") && detail.contains("no such item"),
        "{detail}"
    );

    let yaml = LOOP.replace("MODE", "mode: parallel, on_failure: continue");
    let goes_on = run(&server, "loop-continue", &yaml, payload).await;
    assert_eq!(goes_on.status, 200, "{goes_on:#?}");
    assert_eq!(goes_on.body["done"][1], Value::Null);
    assert_eq!(goes_on.body["done"][2]["item"], 1);
    let errors = goes_on.body["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1);
    assert_eq!(
        (&errors[0]["index"], &errors[0]["error"]["kind"]),
        (&json!(1), &json!("ValueError"))
    );
}

#[tokio::test]
async fn each_item_is_tried_again_by_itself() {
    let server = server().await;
    let yaml = r#"
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: python
    loop: {collection: [1, 2, 3], element: item, mode: parallel}
    retry: {attempts: 5, delay: 1ms, retry_when: "{{ item == 2 and attempt < 3 }}"}
    code: |
      def main(item): return item * 10
    args: {item: "{{ item }}"}
    next: [{step: end}]
  - step: end
output: {tens: "{{ work.data }}"}
"#;
    let reply = run(&server, "loop-retry", yaml, json!({})).await;
    assert_eq!(reply.body["tens"], json!([10, 20, 30]), "{reply:#?}");
    assert_eq!(reply.body["steps"][0]["attempts"], 5, "one, three and one");
    let events = events(&server, &reply.body["execution_id"]).await;
    let again = events.iter().filter(|e| e["event"] == "attempt_failed");
    assert!(again.clone().all(|e| e["data"]["index"] == 1));
    assert_eq!(again.count(), 2);
}

#[tokio::test]
async fn a_loop_over_something_else_fails() {
    let server = server().await;
    for items in [json!({"a": 1}), json!("text"), json!(7), json!(null)] {
        let reply = run(
            &server,
            "loop-other",
            &LOOP.replace("MODE", "mode: parallel"),
            json!({"items": items}),
        )
        .await;
        assert_eq!(reply.status, 422, "{reply:#?}");
        let detail = reply.body["detail"].as_str().expect("a detail");
        assert!(detail.contains("a loop needs a list, this is"), "{detail}");
        assert!(
            detail.contains("step `work`, field `loop.collection`"),
            "{detail}"
        );
    }
    let told = refused(
        &server,
        "loop-fixed",
        &LOOP
            .replace("\"{{ workload.items }}\"", "{a: 1}")
            .replace("MODE", "mode: parallel"),
    )
    .await;
    assert!(told[0].contains("a loop needs a list"), "{told:?}");
    assert_eq!(
        told.len(),
        1,
        "the item's name is no second mistake: {told:?}"
    );
    let told = refused(&server, "loop-mode", &LOOP.replace("MODE", "mode: paralel")).await;
    assert!(told[0].contains("`sequential` or `parallel`"), "{told:?}");

    // What follows the tool is about all items.
    let yaml = LOOP.replace("MODE", "mode: parallel");
    for (wrong, name) in [("item.id", "item"), ("loop.index", "loop")] {
        let yaml = yaml.replace("done: \"{{ result.data", &format!("done: \"{{{{ {wrong}"));
        let told = refused(&server, "loop-item-after", &yaml).await;
        let message = format!("`{name}` is only there for each item");
        assert!(told[0].starts_with(&message), "{told:?}");
    }
}

#[tokio::test]
async fn a_tool_of_any_kind_can_be_looped() {
    let server = server().await;
    let yaml = r#"
workflow:
  - step: start
    next: [{step: ask}]
  - step: ask
    tool: postgres
    auth: pg_demo
    loop: {collection: [2, 3], element: n, mode: parallel}
    query: SELECT {{ n }}::int * {{ loop.index }} AS square
    next: [{step: end}]
  - step: end
"#;
    let reply = run(&server, "loop-sql", yaml, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    let squares = |at: usize| reply.body["result"][at]["command_1"][0]["square"].clone();
    assert_eq!([squares(0), squares(1)], [json!(2), json!(6)]);
}

/// Counts its attempts in a table, and fails until the third.
const FLAKY: &str = r#"
workload: {id: none}
workflow:
  - step: start
    next: [{step: prepare}]
  - step: prepare
    tool: postgres
    auth: pg_demo
    query: |
      CREATE TABLE IF NOT EXISTS attempts (id text, at timestamptz DEFAULT clock_timestamp());
    next: [{step: work}]
  - step: work
    tool: postgres
    auth: pg_demo
    RETRY
    query: |
      SELECT CASE WHEN (SELECT count(*) FROM attempts WHERE id = {{ workload.id }}) < 2
                  THEN (SELECT 1 / 0) ELSE 7 END AS got;
    on_error:
      - step: note
    next: [{step: end}]
  - step: note
    tool: python
    code: |
      def main(error): return {"kind": error["kind"], "code": error["code"]}
    args: {error: "{{ error }}"}
    next: [{step: end}]
  - step: end
"#;

#[tokio::test]
async fn a_failed_step_is_tried_again() {
    let server = server().await;
    let yaml = r#"
workload: {good: 3}
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: python
    RETRY
    code: |
      import random
      def main(good):
          return {"n": random.randrange(good)}
    args: {good: "{{ workload.good }}"}
    next: [{step: end}]
  - step: end
"#;
    // Until it gives what is wanted.
    let until = yaml.replace(
        "RETRY",
        "retry: {attempts: 90, delay: 1ms, backoff: 1, jitter: false, retry_when: \"{{ result.data.n != 2 }}\"}",
    );
    let reply = run(&server, "retry-until", &until, json!({})).await;
    assert_eq!(reply.body["n"], 2, "{reply:#?}");

    let never = yaml.replace(
        "RETRY",
        "retry: {attempts: 3, delay: 1ms, retry_when: \"{{ result.data.n >= 0 }}\"}",
    );
    let reply = run(&server, "retry-never", &never, json!({})).await;
    assert_eq!(reply.status, 422, "{reply:#?}");
    assert_eq!(reply.body["error"]["kind"], "retries_exhausted");
    assert_eq!(reply.body["steps"][0]["attempts"], 3);

    let stops = yaml.replace(
        "RETRY",
        "retry: {attempts: 9, delay: 1ms, retry_when: \"{{ true }}\", stop_when: \"{{ attempt >= 2 }}\"}",
    );
    let reply = run(&server, "retry-stops", &stops, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    assert_eq!(reply.body["steps"][0]["attempts"], 2);
}

#[tokio::test]
async fn attempts_are_recorded_and_their_error_can_be_handled() {
    let server = server().await;
    let yaml = FLAKY.replace("RETRY", "retry: {attempts: 3, delay: 5ms}");
    let reply = run(&server, "retry-recorded", &yaml, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    assert_eq!(reply.body["kind"], "postgres");
    assert_eq!(reply.body["code"], "22012");
    let attempts: Vec<Value> = events(&server, &reply.body["execution_id"])
        .await
        .into_iter()
        .filter(|e| e["event"] == "attempt_failed")
        .collect();
    assert_eq!(attempts.len(), 2, "{attempts:#?}");
    assert_eq!(attempts[1]["data"]["attempt"], 2);
    assert_eq!(attempts[1]["data"]["error"]["code"], "22012");
    let work = &reply.body["steps"][1];
    assert_eq!(
        (&work["attempts"], &work["status"]),
        (&json!(3), &json!("failed"))
    );
}

#[tokio::test]
async fn what_the_sandbox_refused_is_not_tried_again() {
    let server = server().await;
    let yaml = r#"
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: python
    retry: {attempts: 5, delay: 1ms}
    limits: {memory: 64MiB}
    code: |
      def main():
          return len(bytearray(512 * 1024 * 1024))
    next: [{step: end}]
  - step: end
"#;
    let reply = run(&server, "retry-refused", yaml, json!({})).await;
    assert_eq!(reply.body["error"]["category"], "limit", "{reply:#?}");
    assert_eq!(reply.body["steps"][0]["attempts"], Value::Null);
}

#[tokio::test]
async fn an_error_takes_its_route_or_fails_the_execution() {
    let server = server().await;
    let yaml = r#"
workload: {what: value}
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: python
    code: |
      def main(what):
          raise {"value": ValueError, "key": KeyError, "type": TypeError}[what]("it went wrong")
    args: {what: "{{ workload.what }}"}
    on_error:
      - when: "{{ error.kind == 'ValueError' }}"
        then: [{step: repair}, {step: tell}]
      - when: "{{ error.kind == 'KeyError' }}"
        then: [{step: tell}]
    next: [{step: never}]
  - step: never
    tool: python
    code: |
      def main(): return "never"
    next: [{step: end}]
  - step: repair
    tool: python
    code: |
      def main(): return "repaired"
    next: [{step: end}]
  - step: tell
    tool: python
    code: |
      def main(status, message, last): return {"status": "handled", "was": status, "message": message, "last": last}
    args: {status: "{{ work.status }}", message: "{{ work.error.message }}", last: "{{ error.step }}"}
    next: [{step: end}]
  - step: end
"#;
    let reply = run(&server, "route", yaml, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    let ran = steps(&reply.body);
    assert_eq!(ran.len(), 3, "{ran:?}");
    assert!(!ran.contains(&"never"));
    let reply = run(&server, "route", yaml, json!({"what": "key"})).await;
    assert_eq!(reply.body["status"], "handled", "{reply:#?}");
    assert_eq!(
        (&reply.body["was"], &reply.body["last"]),
        (&json!("failed"), &json!("work"))
    );
    assert!(
        reply.body["message"]
            .as_str()
            .unwrap()
            .contains("it went wrong")
    );
    // Nothing is there for it.
    let reply = run(&server, "route", yaml, json!({"what": "type"})).await;
    assert_eq!(
        (reply.status, &reply.body["error"]["kind"]),
        (422, &json!("TypeError")),
        "{reply:#?}"
    );
}

const FINALLY: &str = r#"
timeout: 2s
workload: {fail: false, sleep: 0}
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: python
    code: |
      import time
      def main(fail, sleep):
          time.sleep(sleep)
          if fail:
              raise ValueError("on purpose")
          return {"worked": True}
    args: {fail: "{{ workload.fail }}", sleep: "{{ workload.sleep }}"}
    next: [{step: end}]
  - step: end
finally:
  - step: first
    tool: python
    code: |
      def main(error): raise RuntimeError("finally fails too")
    args: {error: "{{ error is defined }}"}
  - step: second
    tool: python
    code: |
      def main(failed, message): return {"failed": failed, "message": message}
    args: {failed: "{{ error is defined }}", message: "{{ error.message | default(none) if error is defined else none }}"}
"#;

#[tokio::test]
async fn the_steps_of_finally_run_however_it_ended() {
    let server = server().await;
    let ok = FINALLY.replace("raise RuntimeError(\"finally fails too\")", "return error");
    let reply = run(&server, "finally", &ok, json!({})).await;
    assert_eq!(
        (reply.status, &reply.body["worked"]),
        (200, &json!(true)),
        "{reply:#?}"
    );
    let last = |body: &Value| body["steps"].as_array().unwrap().last().unwrap()["step"].clone();
    assert_eq!(last(&reply.body), "second");

    let failed = run(&server, "finally", &ok, json!({"fail": true})).await;
    assert_eq!(
        (failed.status, &failed.body["error"]["kind"]),
        (422, &json!("ValueError")),
        "{failed:#?}"
    );
    assert_eq!(last(&failed.body), "second");
    let told = events(&server, &failed.body["execution_id"]).await;
    let second = told
        .iter()
        .find(|e| e["event"] == "step_started" && e["step"] == "second")
        .unwrap();
    assert_eq!(second["data"]["args"]["failed"], true);
    assert!(
        second["data"]["args"]["message"]
            .as_str()
            .unwrap()
            .contains("on purpose")
    );

    let late = run(&server, "finally", &ok, json!({"sleep": 60})).await;
    assert_eq!(late.status, 504, "{late:#?}");
    assert!(
        late.body["detail"]
            .as_str()
            .unwrap()
            .contains("`timeout` of 2s"),
        "{late:#?}"
    );
    assert_eq!(last(&late.body), "second");
}

#[tokio::test]
async fn a_step_of_finally_that_fails_keeps_no_other_from_running() {
    let server = server().await;
    let reply = run(&server, "finally-fails", FINALLY, json!({})).await;
    assert_eq!(
        (reply.status, &reply.body["error"]["kind"]),
        (422, &json!("RuntimeError")),
        "{reply:#?}"
    );
    let steps = reply.body["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["step"], "second");
    // What failed first is what counts.
    let reply = run(&server, "finally-fails", FINALLY, json!({"fail": true})).await;
    assert_eq!(reply.body["error"]["kind"], "ValueError", "{reply:#?}");
    let told = refused(
        &server,
        "finally-next",
        &FINALLY.replace(
            "  - step: second\n",
            "  - step: second\n    next: [{step: first}]\n",
        ),
    )
    .await;
    assert!(
        told[0].contains("a step of `finally` has no `next`"),
        "{told:?}"
    );
    let told = refused(
        &server,
        "finally-led",
        &FINALLY.replace("next: [{step: work}]", "next: [{step: second}]"),
    )
    .await;
    assert!(told[0].contains("is a step of `finally`"), "{told:?}");
}

#[tokio::test]
async fn a_cancelled_execution_runs_its_finally() {
    let server = server().await;
    let yaml = playbook(
        "finally-cancel",
        &FINALLY
            .replace("timeout: 2s\n", "")
            .replace("raise RuntimeError(\"finally fails too\")", "return 1"),
    );
    assert_eq!(server.register(&yaml).await.status, 201);
    let id = start(&server, "test/finally-cancel", json!({"sleep": 25})).await;
    wait(&server, &id, |record| {
        record["events"].to_string().contains("step_started")
    })
    .await;
    let cancelled = server
        .request("POST", &format!("/api/executions/{id}/cancel"), None)
        .await;
    assert_eq!(cancelled.body["status"], "cancelled", "{cancelled:#?}");
    let events = events(&server, &json!(id)).await;
    let second = events
        .iter()
        .find(|e| e["event"] == "step_finished" && e["step"] == "second")
        .expect("it ran");
    assert_eq!(second["data"]["result"]["failed"], true);
}

#[tokio::test]
async fn a_steps_timeout_is_for_all_of_its_attempts() {
    let server = server().await;
    let yaml = r#"
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: python
    timeout: 500ms
    retry: {attempts: 100, delay: 100ms, backoff: 1}
    code: |
      def main(): raise ValueError("again")
    on_error:
      - when: "{{ error.category == 'timeout' }}"
        then: [{step: late}]
    next: [{step: end}]
  - step: late
    tool: python
    code: |
      def main(message): return {"message": message}
    args: {message: "{{ error.message }}"}
    next: [{step: end}]
  - step: end
"#;
    let reply = run(&server, "step-timeout", yaml, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    let message = reply.body["message"].as_str().unwrap();
    assert!(
        message.contains("was stopped after its `timeout` of 500ms"),
        "{message}"
    );
    let told = refused(&server, "step-timeout-bad", &yaml.replace("500ms", "soon")).await;
    assert!(told[0].contains("`soon` is not a time"), "{told:?}");
}

#[tokio::test]
async fn what_is_asserted_must_hold() {
    let server = server().await;
    let yaml = r#"
workload: {n: 5}
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: python
    code: |
      def main(n): return {"n": n}
    args: {n: "{{ workload.n }}"}
    assert:
      - "{{ result.data.n > 0 }}"
      - that: "{{ result.data.n < 10 }}"
        message: "{{ result.data.n }} is too much"
    next: [{step: end}]
  - step: end
"#;
    assert_eq!(run(&server, "assert", yaml, json!({})).await.status, 200);
    let low = run(&server, "assert", yaml, json!({"n": 0})).await;
    assert_eq!(
        (low.status, &low.body["error"]["kind"]),
        (422, &json!("assertion")),
        "{low:#?}"
    );
    assert!(
        low.body["detail"]
            .as_str()
            .unwrap()
            .contains("field `assert[0]`: `{{ result.data.n > 0 }}` does not hold"),
        "{low:#?}"
    );
    let high = run(&server, "assert", yaml, json!({"n": 11})).await;
    assert!(
        high.body["detail"]
            .as_str()
            .unwrap()
            .ends_with("11 is too much"),
        "{high:#?}"
    );
}

fn fan(join: &str, next: &str) -> String {
    format!(
        r#"
workload: {{both: true}}
workflow:
  - step: start
    next: {next}
  - step: left
    tool: python
    code: |
      import time
      def main():
          time.sleep(0.5)
          return "left"
    next: [{{step: meet}}]
  - step: right
    tool: python
    code: |
      def main(): return "right"
    next: [{{step: meet}}]
  - step: meet
    {join}
    tool: python
    code: |
      def main(left, right): return [left, right]
    args: {{left: "{{{{ left.data if left is defined else none }}}}", right: "{{{{ right.data if right is defined else none }}}}"}}
    vars: {{met: "{{{{ result.data }}}}"}}
    next: [{{step: end}}]
  - step: end
output: "{{{{ vars.met }}}}"
"#
    )
}

#[tokio::test]
async fn a_join_waits_for_all_or_for_any() {
    let server = server().await;
    let both = "[{step: left}, {step: right}]";
    let all = run(&server, "join-all", &fan("join: all", both), json!({})).await;
    assert_eq!(all.body["result"], json!(["left", "right"]), "{all:#?}");
    let any = run(&server, "join-any", &fan("join: any", both), json!({})).await;
    assert_eq!(any.body["result"], json!([null, "right"]), "{any:#?}");
    let ran = steps(&any.body);
    assert_eq!(ran, ["right", "meet", "left"]);
}

#[tokio::test]
async fn a_join_that_can_not_be_reached_is_refused_or_fails() {
    let server = server().await;
    let either = r#"[{when: "{{ workload.both }}", then: [{step: left}]}, {step: right}]"#;
    let told = refused(&server, "join-never", &fan("join: all", either)).await;
    assert!(
        told[0].contains("the join can't be reached: never do both `left` and `right` lead here"),
        "{told:?}"
    );
    assert_eq!(
        run(&server, "join-open", &fan("", either), json!({}))
            .await
            .status,
        200
    );
    // Here it can, and does not.
    let some =
        r#"[{when: "{{ workload.both }}", then: [{step: left}, {step: right}]}, {step: right}]"#;
    let reply = run(
        &server,
        "join-some",
        &fan("join: all", some),
        json!({"both": false}),
    )
    .await;
    assert_eq!(
        (reply.status, &reply.body["error"]["kind"]),
        (422, &json!("join")),
        "{reply:#?}"
    );
    assert!(
        reply.body["detail"]
            .as_str()
            .unwrap()
            .contains("waits for all that lead to it, and `left` did not"),
        "{reply:#?}"
    );
    let one =
        fan("", "[{step: left}]").replace("  - step: right\n", "  - step: right\n    join: all\n");
    let told = refused(&server, "join-one", &one).await;
    assert!(
        told.iter().any(|m| m.contains("there is nothing to join")),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_circle_without_a_way_out_is_refused() {
    let server = server().await;
    let circle = |next: &str| {
        format!(
            "workload: {{n: 1}}\nworkflow:\n  - step: start\n    next: [{{step: a}}]\n  - step: a\n    next: [{{step: b}}]\n  - step: b\n    next: {next}\n  - step: end\n"
        )
    };
    let told = refused(
        &server,
        "circle",
        &circle("[{when: \"{{ workload.n }}\", then: [{step: a}]}, {step: a}]")
            .replace("  - step: end\n", ""),
    )
    .await;
    assert_eq!(told, ["`a`, `b` lead in a circle without a way out"]);
    // Leading to both does not leave it.
    let told = refused(&server, "circle", &circle("[{step: a}, {step: end}]")).await;
    assert_eq!(told.len(), 1, "{told:?}");
    let fine = playbook(
        "circle",
        &circle("[{when: \"{{ workload.n }}\", then: [{step: end}]}, {step: a}]"),
    );
    assert_eq!(server.register(&fine).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_goes_on_where_it_was_when_the_server_died() {
    let (store, demo) = (Database::create().await, Database::create().await);
    let server = Server::start_with(store, demo).await;
    let yaml = playbook(
        "loop-resumed",
        r#"
workflow:
  - step: start
    next: [{step: prepare}]
  - step: prepare
    tool: postgres
    auth: pg_demo
    query: CREATE TABLE ran (item int, CONSTRAINT once UNIQUE (item))
    next: [{step: work}]
  - step: work
    tool: postgres
    auth: pg_demo
    loop: {collection: "{{ range(1, 9) }}", element: item}
    query: |
      SELECT pg_sleep(CASE WHEN {{ item }} = 5 THEN 1000 ELSE 0 END)
        WHERE NOT EXISTS (SELECT FROM pg_tables WHERE tablename = 'go_on');
      INSERT INTO ran VALUES ({{ item }});
    next: [{step: end}]
  - step: end
"#,
    );
    assert_eq!(server.register(&yaml).await.status, 201);
    let id = start(&server, "test/loop-resumed", json!({})).await;
    wait(&server, &id, |record| {
        let events = record["events"].to_string();
        events.matches("item_finished").count() == 4
    })
    .await;
    let (server, mut connection) = killed_to_go_on(server).await;
    let record = wait(&server, &id, ended).await;
    assert_eq!(record["status"], "success", "{:#?}", record["error"]);
    let ran: i64 = sqlx::query_scalar("SELECT count(*) FROM ran")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(
        ran, 8,
        "each item ran once, or the constraint would have told"
    );
    server.stop().await;
}
