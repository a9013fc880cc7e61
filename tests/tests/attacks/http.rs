//! Attacks over HTTP: playbooks, tokens, and whatever bytes.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use noetl_tests::Server;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::case::{Case, Kind};
use crate::expand;
use crate::expect::Outcome;
use crate::world::{LOGIN, outcome, text};

/// Registers and executes a playbook, or logs in with a token.
pub async fn playbook(server: &Server, case: &Case) -> Outcome {
    if case.kind == Kind::Token {
        let payload = json!({"auth0_token": login_token(case)});
        return executed(server, LOGIN, payload).await;
    }
    let reply = server.register(&playbook_text(case)).await;
    if reply.status != 201 {
        return outcome(reply.status, &reply.body);
    }
    let path = text(&reply.body["path"]);
    executed(server, &path, expand::value(&json!(case.payload))).await
}

/// The answer, and with it all that is kept of the execution.
async fn executed(server: &Server, path: &str, payload: Value) -> Outcome {
    let reply = server.execute(path, payload).await;
    let mut outcome = outcome(reply.status, &reply.body);
    if let Some(id) = reply.body["execution_id"].as_str() {
        let record = server
            .request("GET", &format!("/api/executions/{id}"), None)
            .await;
        let events = text(&record.body["events"]);
        outcome.seen.push('\n');
        outcome.seen.push_str(&events);
    }
    outcome
}

/// The case's playbook, which is registered under `attacks/NAME`.
pub fn playbook_text(case: &Case) -> String {
    if let Some(text) = &case.text {
        return expand::text(text);
    }
    let indented = |text: &str| {
        let text = expand::text(text);
        text.split('\n').fold(String::new(), |mut out, line| {
            let _ = writeln!(out, "      {line}");
            out
        })
    };
    let step = match (&case.code, &case.query) {
        (Some(code), None) => format!("    tool: python\n    code: |\n{}", indented(code)),
        (None, Some(query)) => {
            let alias = case.credential.as_deref().unwrap_or("pg_demo");
            let auth = json!({"type": "postgres", "credential": alias});
            format!(
                "    tool: postgres\n    auth: {auth}\n    query: |\n{}",
                indented(query)
            )
        }
        _ => panic!("{}: a playbook has text, code or query", case.name),
    };
    let args = match case.args.is_empty() {
        true => String::new(),
        false => format!("    args: {}\n", expand::value(&json!(case.args))),
    };
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\n\
         metadata: {{name: {name}, path: attacks/{name}}}\n\
         workload: {workload}\n\
         workflow:\n  - step: start\n    next: [{{step: attack}}]\n  - step: attack\n{step}{args}",
        name = case.name,
        workload = expand::value(&json!(case.workload)),
    )
}

fn login_token(case: &Case) -> String {
    match (&case.token, &case.claims) {
        (Some(token), None) => expand::text(token),
        (None, Some(claims)) => {
            let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            let head = part(br#"{"alg":"RS256","typ":"JWT"}"#);
            format!("{head}.{}.{}", part(&expand::bytes(claims)), part(b"x"))
        }
        _ => panic!("{}: a token is given as `token` or as `claims`", case.name),
    }
}

/// Sends bytes to the server's port; the answers, until it closes.
pub async fn request(server: &Server, case: &Case) -> Outcome {
    let address = server.url.strip_prefix("http://").expect("an HTTP address");
    let bytes = match (&case.bytes, &case.head) {
        (Some(bytes), None) => expand::bytes(bytes),
        (None, Some(head)) => with_head(address, head, case.body.as_deref()),
        _ => panic!("{}: a request is given as `bytes` or as `head`", case.name),
    };
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The server may close before it has read all.
    let (mut read, mut write) = stream.split();
    let send = async {
        let _ = write.write_all(&bytes).await;
    };
    let mut answer = Vec::new();
    let receive = async {
        let _ = read.read_to_end(&mut answer).await;
    };
    tokio::join!(send, receive);
    let seen = String::from_utf8_lossy(&answer).into_owned();
    let heads: Vec<&str> = seen
        .match_indices("HTTP/1.")
        .filter_map(|(at, _)| seen.get(at + 9..at + 12))
        .collect();
    let body = seen.rsplit_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let last = heads.last().and_then(|status| status.parse().ok());
    let answered = outcome(last.unwrap_or(0), &body);
    Outcome {
        answers: Some(heads.len()),
        seen,
        ..answered
    }
}

/// A whole request from what is peculiar about it.
fn with_head(address: &str, head: &str, body: Option<&str>) -> Vec<u8> {
    let head = String::from_utf8_lossy(&expand::bytes(head)).into_owned();
    let body = expand::bytes(body.unwrap_or_default());
    let lines: Vec<&str> = head.lines().collect();
    let has = |name: &str| {
        let header = |line: &&str| line.to_ascii_lowercase().starts_with(name);
        lines.iter().skip(1).any(header)
    };
    let mut bytes = lines.join("\r\n");
    for (name, value) in [
        ("host", address.to_owned()),
        ("connection", "close".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("content-length", body.len().to_string()),
    ] {
        if !has(name) {
            let _ = write!(bytes, "\r\n{name}: {value}");
        }
    }
    bytes.push_str("\r\n\r\n");
    let mut bytes = bytes.into_bytes();
    bytes.extend(body);
    bytes
}
