//! The console in a real browser.

use noetl_tests::browser::{Browser, with_browser};
use noetl_tests::{Server, server};
use serde_json::json;
use thirtyfour::prelude::*;

use crate::tools::{component, playbook, push, settled};

const PLAYBOOK: &str = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: report, path: team/report}
workload: {rows: 3, password: hunter2, name: Ada}
workflow:
  - step: start
    next: [{step: count}]
  - step: count
    tool: python
    args: {rows: '{{ workload.rows }}', password: '{{ workload.password }}'}
    code: |
      def main(rows, password):
          print('counting', rows)
          return {'rows': rows, 'bad': rows > 10}
    vars: {rows: '{{ result.data.rows }}'}
    next:
      - when: '{{ result.data.bad }}'
        then: [{step: refuse}]
      - step: done
  - step: refuse
    tool: python
    code: |
      def main():
          raise ValueError('too many rows')
  - step: done
    tool: python
    code: |
      import time
      def main():
          time.sleep(1)
          return {'status': 'done'}
";

fn console(server: &Server) -> String {
    format!("{}/console/", server.url)
}

async fn has_text(browser: &Browser, selector: &str, text: &str) -> WebDriverResult<()> {
    loop {
        // What is shown is replaced as things happen.
        if browser
            .text(selector)
            .await
            .is_ok_and(|shown| shown.contains(text))
        {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn assert_no_complaints(browser: &Browser) -> WebDriverResult<()> {
    let complaints = browser.complaints().await?;
    assert!(complaints.is_empty(), "{complaints:#?}");
    Ok(())
}

#[tokio::test]
async fn what_runs_is_seen_as_it_happens() {
    let server = server().await;
    assert_eq!(server.register(PLAYBOOK).await.status, 201);
    with_browser(async |browser| {
        // The root leads there.
        browser.driver.goto(&server.url).await?;
        browser.visible("h1").await?;
        assert_eq!(browser.driver.current_url().await?.path(), "/console/");

        // An execution appears in the list without a reload, and changes its state.
        let url = format!("{}/api/execute", server.url);
        let waiting = tokio::spawn(
            reqwest::Client::new()
                .post(url)
                .json(&json!({"path": "team/report"}))
                .send(),
        );
        has_text(browser, "table.list", "team/report").await?;
        browser.screenshot("console-1-executions").await?;
        has_text(browser, "table.list", "success").await?;
        assert_eq!(
            waiting
                .await
                .expect("no panic")
                .expect("it answers")
                .status(),
            200
        );

        // One execution: its graph, its steps, what went in and came out.
        browser.click("table.list a[data-entry]").await?;
        browser
            .visible(".graph svg .node[data-status=success]")
            .await?;
        browser.click(".graph svg .node[aria-label*=count]").await?;
        has_text(browser, ".details", "counting 3").await?;
        let details = browser.text(".details").await?;
        assert!(
            details.contains("Memory") && details.contains("CPU"),
            "{details}"
        );
        assert!(
            !details.contains("hunter2"),
            "a password is masked: {details}"
        );
        browser.screenshot("console-2-execution").await?;
        browser.click(".details button.reveal").await?;
        has_text(browser, ".details", "hunter2").await?;
        assert_no_complaints(browser).await
    })
    .await;
}

#[tokio::test]
async fn a_playbook_is_run_from_its_form_and_a_failure_leads_to_its_line() {
    let server = server().await;
    assert_eq!(server.register(PLAYBOOK).await.status, 201);
    let newer = PLAYBOOK.replace("name: Ada", "name: Grace");
    assert_eq!(server.register(&newer).await.status, 201);
    with_browser(async |browser| {
        let page = format!("{}#/playbooks/team/report", console(&server));
        browser.driver.goto(&page).await?;
        has_text(browser, "h1", "team/report").await?;
        browser.visible(".graph svg .node").await?;
        browser.screenshot("console-3-playbook").await?;

        browser.driver.goto(&format!("{page}?tab=run")).await?;
        let rows = "form.run-form input.number-input";
        browser.type_into(rows, "many").await?;
        browser.visible("form.run-form .field-error").await?;
        browser.type_into(rows, "11").await?;
        browser.screenshot("console-4-form").await?;
        browser.click("form.run-form button.primary").await?;
        has_text(browser, "h1", "failed").await?;
        has_text(browser, ".details", "too many rows").await?;
        browser.screenshot("console-5-failed").await?;
        // The traceback's frame leads to the line of the playbook's text.
        browser.click(".details a[href*='line=']").await?;
        let url = browser.driver.current_url().await?;
        let line = PLAYBOOK
            .lines()
            .position(|line| line.contains("raise"))
            .map(|at| at + 1);
        assert!(
            url.as_str()
                .contains(&format!("line={}", line.expect("it is there"))),
            "{url}"
        );
        has_text(browser, ".source-card", "raise ValueError").await?;
        browser.screenshot("console-6-line").await?;
        assert_no_complaints(browser).await
    })
    .await;
}

#[tokio::test]
async fn a_server_that_asks_for_keys_is_shown_to_who_has_one() {
    let server = Server::start_limited(&["--require-auth"]).await;
    let made = server
        .request(
            "POST",
            "/api/keys",
            Some(json!({"name": "eyes", "role": "viewer"})),
        )
        .await
        .body;
    let key = made["key"].as_str().expect("a key").to_owned();
    with_browser(async |browser| {
        browser.driver.goto(&console(&server)).await?;
        browser
            .type_into("form.sign-in input", "noetl_wrong")
            .await?;
        browser.screenshot("console-7-sign-in").await?;
        browser.click("form.sign-in button.primary").await?;
        browser.visible("form.sign-in .bad").await?;
        browser.type_into("form.sign-in input", &key).await?;
        browser.click("form.sign-in button.primary").await?;
        has_text(browser, "body", "viewer").await?;
        // A viewer is not offered what it may not do.
        browser
            .driver
            .goto(&format!("{}#/tools", console(&server)))
            .await?;
        has_text(browser, "main", "python").await?;
        browser.screenshot("console-8-tools").await?;
        let stored = browser
            .script(
                "return [localStorage.length, JSON.stringify(sessionStorage)]",
                vec![],
            )
            .await?;
        assert!(stored[0].as_i64().is_none_or(|n| n <= 1), "{stored}");
        assert!(
            stored[1].as_str().is_some_and(|s| s.contains(&key)),
            "kept in the tab alone"
        );
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_of_a_pushed_tool_writes_a_step_that_runs() {
    let server = Server::start().await;
    let schema = json!({
        "config": {
            "type": "object",
            "properties": {"n": {"type": "integer", "maximum": 100}, "op": {"type": "string"}},
            "required": ["op"],
        },
        "args": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "tags": {"type": "array", "items": {"type": "string"}}},
            "required": ["city"],
        },
    });
    let over = json!({"description": "Does <b>what</b> it is told", "schema": schema});
    let reply = push(&server, &component("1.0.0", over)).await;
    assert_eq!(reply.status, 202, "{:#}", reply.body);
    let tool = settled(&server, "acme/probe@1.0.0").await;
    assert_eq!(tool["status"], "ready", "{tool:#}");
    with_browser(async |browser| {
        let page = format!("{}#/tools", console(&server));
        browser.driver.goto(&page).await?;
        has_text(browser, ".tool-list", "Does <b>what</b> it is told").await?;
        browser.screenshot("console-9-pushed").await?;
        browser.click("a[href='#/tools/acme/probe']").await?;
        has_text(browser, ".snippet", "tool: acme/probe@1.0.0").await?;

        let fields = "form.run-form fieldset:nth-of-type(1)";
        has_text(browser, fields, "This is required.").await?;
        let n = format!("{fields} input.number-input");
        browser.type_into(&n, "101").await?;
        has_text(browser, fields, "This is more than 100.").await?;
        browser.screenshot("console-10-mistakes").await?;
        browser.type_into(&n, "7").await?;
        let op = format!("{fields} input:not(.number-input)");
        browser.type_into(&op, "echo").await?;
        let args = "form.run-form fieldset:nth-of-type(2)";
        // What YAML would take for something else stays a text.
        browser.type_into(&format!("{args} input"), "no").await?;
        browser
            .type_into(&format!("{args} textarea"), "it's\n12")
            .await?;
        has_text(browser, ".snippet", "12").await?;
        browser.screenshot("console-11-step").await?;
        assert!(!browser.shows(".field-error").await?);

        let written = browser
            .script(
                "return document.querySelector('.snippet').textContent",
                vec![],
            )
            .await?;
        let written = written.as_str().expect("a text");
        let step: String = written
            .replace("step: probe", "step: one")
            .lines()
            .map(|line| format!("  {line}\n"))
            .collect();
        let reply = server.run("test/tools", &playbook(&step), json!({})).await;
        let result = json!({"city": "no", "tags": ["it's", "12"]});
        assert_eq!(reply.body["result"], result, "{written}\n{:#}", reply.body);
        assert_no_complaints(browser).await
    })
    .await;
}

/// A loop, a step that fails and has a way for that, and `finally`.
const SHOP: &str = r#"apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: shop, path: team/shop}
workload: {prices: [3, 4]}
workflow:
  - step: start
    next: [{step: double}]
  - step: double
    tool: python
    loop: {collection: "{{ workload.prices }}", element: price}
    args: {price: "{{ price }}"}
    code: |
      def main(price): return price * 2
    vars: {total: "{{ result.data | sum }}"}
    next: [{step: pay}]
  - step: pay
    tool: python
    args: {total: "{{ vars.total }}"}
    code: |
      def main(total): raise ValueError(f"{total} is too much")
    on_error: [{step: note}]
    next: [{step: end}]
  - step: note
    tool: python
    args: {why: "{{ error.kind }}"}
    code: |
      def main(why): return why
    next: [{step: end}]
  - step: end
finally:
  - step: close
    tool: python
    code: |
      def main(): return "closed"
"#;

const CALLER: &str = r#"apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: caller, path: team/caller}
workflow:
  - step: start
    next: [{step: sell}]
  - step: sell
    tool: playbook
    path: team/shop
"#;

/// How many events a replay of [`SHOP`] steps through.
const EVENTS: usize = 13;

/// Waits until the replay shows the event of this number, from 1.
async fn at_event(browser: &Browser, number: usize) -> WebDriverResult<String> {
    let selector = ".replay-event";
    has_text(browser, selector, &format!("{number} of {EVENTS},")).await?;
    browser.text(selector).await
}

async fn press(browser: &Browser, key: Key) -> WebDriverResult<()> {
    let keys = browser.driver.action_chain().send_keys(key);
    keys.perform().await
}

fn node(step: &str, state: &str) -> String {
    format!(".graph .node[aria-label^='{step},'][data-status={state}]")
}

#[tokio::test]
async fn an_execution_that_has_ended_is_replayed_event_by_event() {
    let server = server().await;
    assert_eq!(server.register(SHOP).await.status, 201);
    let reply = server.run("team/caller", CALLER, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");
    let caller = reply.body["execution_id"].as_str().expect("an id");
    with_browser(async |browser| {
        // The execution that called it has a link to it, and it has one back.
        let page = format!("{}#/executions/{caller}", console(&server));
        browser.driver.goto(&format!("{page}?step=sell")).await?;
        has_text(browser, ".details", "Called").await?;
        browser.click(".details a[href*='/executions/']").await?;
        has_text(browser, "h1", "team/shop").await?;
        browser
            .visible(&format!(".facts a[href*='{caller}']"))
            .await?;

        // Error routes, loops and `finally` are drawn.
        browser.visible(".graph .edge.error.taken").await?;
        browser
            .visible(".graph .node.last[aria-label^='close,']")
            .await?;
        has_text(browser, ".graph", "loop").await?;

        browser
            .click(".actions button[title*='nothing is run']")
            .await?;
        let told = at_event(browser, 1).await?;
        assert!(told.contains("The execution started"), "{told}");
        has_text(browser, ".replay .note.good", "as it is recorded").await?;
        browser.visible(&node("double", "idle")).await?;
        has_text(browser, ".details", "None are set.").await?;

        // Event by event, with the keyboard.
        press(browser, Key::Right).await?;
        let told = at_event(browser, 2).await?;
        assert!(told.contains("double started, for 2 items"), "{told}");
        browser.visible(&node("double", "running")).await?;
        has_text(browser, ".details", "0 of 2").await?;
        press(browser, Key::Right).await?;
        at_event(browser, 3).await?;
        has_text(browser, ".details", "1 of 2").await?;
        browser.click(".items summary").await?;
        has_text(browser, ".items .item", "price 3").await?;
        browser.screenshot("console-12-replay-loop").await?;
        press(browser, Key::Left).await?;
        at_event(browser, 2).await?;
        has_text(browser, ".details", "0 of 2").await?;

        // And with the buttons.
        for number in 3..=7 {
            browser.click("button[aria-label=Forward]").await?;
            at_event(browser, number).await?;
        }
        browser.visible(&node("double", "success")).await?;
        browser.visible(&node("pay", "failed")).await?;
        browser.visible(&node("note", "idle")).await?;
        browser.visible(&node("close", "idle")).await?;
        browser.visible(".graph .edge.error.taken").await?;
        has_text(browser, ".details h2", "pay").await?;
        has_text(browser, ".details", "14 is too much").await?;
        has_text(browser, ".details", "total 14").await?;
        browser.screenshot("console-13-replay-failed").await?;
        browser.click("button[aria-label=Back]").await?;
        at_event(browser, 6).await?;
        browser.visible(&node("pay", "running")).await?;
        assert!(!browser.shows(".graph .edge.error.taken").await?);

        browser.click("button[aria-label='Last event']").await?;
        let told = at_event(browser, EVENTS).await?;
        assert!(told.contains("The execution ended: success"), "{told}");
        browser.visible(&node("close", "success")).await?;
        has_text(browser, ".details", "ValueError").await?;
        browser.click("button[aria-label='First event']").await?;
        at_event(browser, 1).await?;
        press(browser, Key::Left).await?;
        at_event(browser, 1).await?;

        // It plays to the end, and stops there.
        browser.click("button[aria-label='Last event']").await?;
        at_event(browser, EVENTS).await?;
        browser.click("button[aria-label=Back]").await?;
        at_event(browser, EVENTS - 1).await?;
        browser.click("button[aria-label=Play]").await?;
        at_event(browser, EVENTS).await?;
        browser.visible("button[aria-label=Play]").await?;

        browser.click(".replay-controls .quiet-button").await?;
        browser.visible(&node("close", "success")).await?;
        assert!(!browser.shows(".replay").await?);
        assert_no_complaints(browser).await
    })
    .await;
}

#[tokio::test]
async fn the_console_may_load_and_be_loaded_by_nothing_else() {
    let server = server().await;
    let reply = server.request("GET", "/console/", None).await;
    assert_eq!(
        (reply.status, reply.content_type.as_str()),
        (200, "text/html")
    );
    let policy = reply.headers["content-security-policy"]
        .to_str()
        .expect("text");
    for part in [
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(reply.headers["cache-control"], "no-cache");
    let page = reply.body.as_str().expect("text");
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "{page}"
    );
    let missing = server.request("GET", "/console/none.js", None).await;
    assert_eq!(missing.status, 404);
    for path in [
        "/console/..%2f..%2fCargo.toml",
        "/console/%2e%2e/Cargo.toml",
    ] {
        assert_eq!(server.request("GET", path, None).await.status, 404);
    }
}
