//! The tools http and transform, as steps of a real server that talk to a real one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use noetl_tests::{Reply, Server, serve};
use serde_json::{Value, json};

use crate::examples::server;

/// Somebody's API. Returns its address.
async fn api() -> String {
    let asked = Arc::new(AtomicUsize::new(0));
    let flaky = move || {
        let asked = Arc::clone(&asked);
        async move {
            match asked.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => (StatusCode::SERVICE_UNAVAILABLE, "not yet").into_response(),
                _ => axum::Json(json!({"attempt": 3})).into_response(),
            }
        }
    };
    let who = async |headers: HeaderMap| {
        let of = headers.get(header::AUTHORIZATION);
        axum::Json(json!({"authorization": of.map(|value| value.to_str().unwrap_or("?"))}))
    };
    let router = Router::new()
        .route(
            "/users",
            get(async || {
                axum::Json(json!([{"name": "Ada", "age": 36}, {"name": "Bob", "age": 7}]))
            }),
        )
        .route("/flaky", get(flaky))
        .route("/who", get(who))
        .route(
            "/inside",
            get(async || {
                (
                    StatusCode::FOUND,
                    [(header::LOCATION, "http://169.254.169.254/latest")],
                )
            }),
        )
        .route(
            "/away",
            get(async || {
                (
                    StatusCode::FOUND,
                    [(header::LOCATION, "http://127.0.0.1:1/")],
                )
            }),
        );
    serve(|_| router).await
}

fn playbook(steps: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: calls, path: test/calls}}\n\
         workload: {{url: ''}}\nworkflow:\n  - step: start\n    next: [{{step: one}}]\n{steps}"
    )
}

async fn call(server: &Server, step: &str, url: &str) -> Reply {
    let text = playbook(&format!(
        "  - step: one\n    tool: http\n    url: '{{{{ workload.url }}}}'\n{step}"
    ));
    server.run("test/calls", &text, json!({"url": url})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_asks_an_api_and_the_next_one_reshapes_its_answer() {
    let api = api().await;
    let server = server(&[&api]).await;
    let text = playbook(
        "  - step: one\n    tool: http\n    url: '{{ workload.url }}/users'\n    next: [{step: two}]\n\
         \x20 - step: two\n    tool: transform\n    jq: '[.users[] | select(.age > $least) | .name]'\n\
         \x20   variables: {least: 18}\n    args: {users: '{{ one.data.body }}'}\n",
    );
    let url = format!("http://{api}");
    let reply = server.run("test/calls", &text, json!({"url": url})).await;
    assert_eq!(reply.body["result"], json!(["Ada"]), "{:#}", reply.body);

    let flaky = call(&server, "    retries: 2\n", &format!("{url}/flaky")).await;
    assert_eq!(
        flaky.body["result"]["body"],
        json!({"attempt": 3}),
        "{:#}",
        flaky.body
    );

    let missing = call(&server, "", &format!("{url}/none")).await;
    assert_eq!(
        missing.body["error"]["kind"], "http_status",
        "{:#}",
        missing.body
    );
    assert_eq!(missing.body["error"]["code"], "404");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_reaches_granted_hosts_only_and_no_redirect_leads_inside() {
    let api = api().await;
    let server = server(&[&api]).await;
    for url in [
        format!("http://{api}/inside"),
        format!("http://{api}/away"),
        "http://169.254.169.254/latest".into(),
        "http://127.0.0.1:1/".into(),
        "http://localhost:1/".into(),
        "http://[::1]/".into(),
        "http://2130706433/".into(),
        "https://example.com/".into(),
        format!("http://{api}@127.0.0.1:1/"),
    ] {
        let reply = call(&server, "", &url).await;
        let category = &reply.body["error"]["category"];
        assert!(
            category == "denied" || category == "invalid_input" || category == "failed",
            "{url}: {:#}",
            reply.body
        );
        let message = reply.body["error"]["message"].as_str().expect("a text");
        assert!(
            ["granted", "user", "host"]
                .iter()
                .any(|word| message.contains(word)),
            "{url}: {message}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_added_by_the_server_and_never_seen_by_the_tool() {
    let api = api().await;
    let server = server(&[&api]).await;
    let token = "a-token-that-is-secret";
    let put = |alias: &str, hosts: Value| {
        let body = json!({"type": "bearer", "token": token, "hosts": hosts});
        let path = format!("/api/credentials/{alias}");
        let server = &server;
        async move { server.request("PUT", &path, Some(body)).await }
    };
    assert_eq!(put("ours", json!([api])).await.status, 204);
    assert_eq!(put("theirs", json!(["api.example.com"])).await.status, 204);
    let url = format!("http://{api}/who");
    let reply = call(&server, "    auth: ours\n", &url).await;
    // Who answers can tell it; the request that the tool made had none.
    assert_eq!(
        reply.body["result"]["body"]["authorization"],
        format!("Bearer {token}"),
        "{:#}",
        reply.body
    );
    let none = call(&server, "", &url).await;
    assert_eq!(
        none.body["result"]["body"]["authorization"],
        Value::Null,
        "{:#}",
        none.body
    );
    for alias in ["theirs", "nobody-s"] {
        let reply = call(&server, &format!("    auth: {alias}\n"), &url).await;
        assert_eq!(
            reply.body["error"]["category"], "denied",
            "{:#}",
            reply.body
        );
        assert!(!reply.body.to_string().contains(token), "{:#}", reply.body);
    }
}
