//! What becomes of NoETL's constructs: every case of `tests/compatibility` on a real server,
//! and the document that is made of what was seen.

mod case;
mod document;
mod run;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use noetl_tests::{root, serve};
use serde_json::{Value, json};

const DOCUMENT: &str = "docs/compatibility.md";

/// A server that tells what it was asked, and one that fails at first. Returns its address.
async fn api() -> String {
    let asked = Arc::new(AtomicUsize::new(0));
    let flaky = move || {
        let attempt = asked.fetch_add(1, Ordering::Relaxed) + 1;
        async move {
            match attempt {
                3.. => axum::Json(json!({"attempt": attempt})).into_response(),
                _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        }
    };
    let echo = async |method: Method, uri: Uri, body: String| {
        let body: Value = serde_json::from_str(&body).unwrap_or_default();
        axum::Json(json!({"method": method.as_str(), "query": uri.query(), "body": body}))
    };
    let router = Router::new()
        .route("/things", any(echo))
        .route("/flaky", get(flaky));
    serve(|_| router).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_construct_of_noetl_does_what_its_case_says() {
    let api = api().await;
    let server = crate::examples::server(&[&api]).await;
    let mut all = Vec::new();
    let mut wrong = Vec::new();
    for (name, case) in case::all() {
        let seen = run::run(&server, &api, &name, &case).await;
        let faults = run::faults(&case, &seen);
        wrong.extend(faults.iter().map(|fault| format!("{name}: {fault}")));
        all.push((name, case, seen));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let text = document::document(&all);
    let file = root().join(DOCUMENT);
    if std::env::var_os("NOETL_BLESS").is_some() {
        std::fs::write(&file, &text).expect("it can be written");
    }
    let known = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        known == text,
        "{DOCUMENT} is not what was seen; NOETL_BLESS=1 writes it anew"
    );
}
