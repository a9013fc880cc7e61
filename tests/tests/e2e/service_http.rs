//! HTTP as hostile clients speak it, over sockets.

use std::io;
use std::time::Duration;

use futures_util::future::join_all;
use noetl_tests::{Server, server};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address())
        .await
        .expect("the server accepts")
}

/// Sends `bytes` and reads until the server closes.
async fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = connect(server).await;
    // The server may refuse before it has read everything.
    stream.write_all(bytes).await.ok();
    rest(&mut stream).await
}

/// What the server still sends until it closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer));
    read.await.expect("the server closes the connection").ok();
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answer: &str) -> Vec<&str> {
    // An answer may follow another one's body without a line break.
    answer
        .split("HTTP/1.")
        .skip(1)
        .filter_map(|rest| rest.split(' ').nth(1))
        .filter(|word| word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit()))
        .collect()
}

const CLOSE: &str = "Host: localhost\r\nConnection: close\r\n";

async fn healthy(server: &Server) {
    let health = server.request("GET", "/health", None).await;
    assert_eq!(health.body, json!({"status": "ok"}));
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let server = server().await;
    let long = "a".repeat(40_000);
    let many = "X-A: b\r\n".repeat(101);
    let post = "POST /api/execute HTTP/1.1\r\nHost: localhost\r\n";
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "two lengths",
            format!("{post}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}").into(),
            "400",
        ),
        (
            "a list of lengths",
            format!("{post}Content-Length: 2, 3\r\n\r\n{{}}").into(),
            "400",
        ),
        (
            "a negative length",
            format!("{post}Content-Length: -1\r\n\r\n").into(),
            "400",
        ),
        (
            "a signed length",
            format!("{post}Content-Length: +2\r\n\r\n{{}}").into(),
            "400",
        ),
        (
            "a huge length",
            format!("{post}Content-Length: 99999999999999999999\r\n\r\n").into(),
            "400",
        ),
        (
            "another coding",
            format!("{post}Transfer-Encoding: gzip\r\n\r\n").into(),
            "400",
        ),
        (
            "chunked, and then another",
            format!("{post}Transfer-Encoding: chunked, gzip\r\n\r\n").into(),
            "400",
        ),
        (
            "chunked in HTTP/1.0",
            b"POST /api/execute HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
            "400",
        ),
        (
            "a blank before the colon",
            format!("{post}Content-Length : 2\r\n\r\n{{}}").into(),
            "400",
        ),
        (
            "a folded field",
            format!("{post}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n").into(),
            "400",
        ),
        ("no colon", format!("{post}nonsense\r\n\r\n").into(), "400"),
        (
            "NUL in a field",
            format!("{post}X-A: b\0c\r\n\r\n").into(),
            "400",
        ),
        (
            "NUL in the path",
            b"GET /hea\0lth HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            "400",
        ),
        (
            "a blank in the path",
            b"GET /hea lth HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            "400",
        ),
        (
            "a bare CR",
            b"GET /health HTTP/1.1\rHost: localhost\r\n\r\n".to_vec(),
            "400",
        ),
        (
            "a method of no letters",
            b"G@T /health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
            "400",
        ),
        ("HTTP/0.9", b"GET /health\r\n\r\n".to_vec(), "400"),
        (
            "HTTP/9.9",
            b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n".to_vec(),
            "400",
        ),
        (
            "TLS",
            vec![
                0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03,
            ],
            "400",
        ),
        (
            "a long URL",
            format!("GET /{long} HTTP/1.1\r\n{CLOSE}\r\n").into(),
            "431",
        ),
        (
            "a long field",
            format!("GET /health HTTP/1.1\r\n{CLOSE}X-A: {long}\r\n\r\n").into(),
            "431",
        ),
        (
            "many fields",
            format!("GET /health HTTP/1.1\r\n{CLOSE}{many}\r\n").into(),
            "431",
        ),
        ("a head without end", vec![b'a'; 1 << 20], "4"),
    ];
    for (what, bytes, status) in cases {
        let answer = exchange(&server, &bytes).await;
        let got = statuses(&answer);
        assert!(
            got.len() == 1 && got[0].starts_with(status),
            "{what}: {got:?} {answer}"
        );
        assert!(!answer.contains("200 OK"), "{what}: {answer}");
    }
    // HTTP/2 is not spoken, and its client would not understand an answer.
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    assert_eq!(exchange(&server, preface).await, "");
    healthy(&server).await;
}

#[tokio::test]
async fn what_is_http_gets_one_answer() {
    let server = server().await;
    let cases = [
        (
            "no host",
            "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n",
            "400",
        ),
        (
            "two hosts",
            "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
            "400",
        ),
        ("HTTP/1.0 needs none", "GET /health HTTP/1.0\r\n\r\n", "200"),
        (
            "the absolute form",
            &format!("GET http://elsewhere/health HTTP/1.1\r\n{CLOSE}\r\n"),
            "200",
        ),
        (
            "an unknown method",
            &format!("BREW /health HTTP/1.1\r\n{CLOSE}\r\n"),
            "405",
        ),
        (
            "CONNECT",
            &format!("CONNECT elsewhere:80 HTTP/1.1\r\n{CLOSE}\r\n"),
            "404",
        ),
        (
            "OPTIONS *",
            &format!("OPTIONS * HTTP/1.1\r\n{CLOSE}\r\n"),
            "404",
        ),
        (
            "an upgrade",
            "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close, upgrade\r\nUpgrade: h2c\r\n\r\n",
            "200",
        ),
        (
            "dots",
            &format!("GET /api/catalog/playbooks/../../../etc/passwd HTTP/1.1\r\n{CLOSE}\r\n"),
            "404",
        ),
        (
            "escaped dots",
            &format!("GET /api/catalog/playbooks/%2e%2e%2fetc%2fpasswd HTTP/1.1\r\n{CLOSE}\r\n"),
            "404",
        ),
        (
            "an escaped NUL",
            &format!("GET /api/catalog/playbooks/a%00b HTTP/1.1\r\n{CLOSE}\r\n"),
            "400",
        ),
        (
            "bad UTF-8",
            &format!("GET /api/catalog/playbooks/%ff%fe HTTP/1.1\r\n{CLOSE}\r\n"),
            "400",
        ),
        (
            "bad escapes",
            &format!("GET /api/catalog/playbooks/%zz HTTP/1.1\r\n{CLOSE}\r\n"),
            "404",
        ),
        (
            "NUL in a body",
            &format!(
                "POST /api/execute HTTP/1.1\r\n{CLOSE}Content-Type: application/json\r\nContent-Length: 18\r\n\r\n{{\"path\":\"a\\u0000\"}}"
            ),
            "404",
        ),
        (
            "a broken chunk",
            &format!(
                "POST /api/execute HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\nZZ\r\n"
            ),
            "400",
        ),
        (
            "a huge chunk",
            &format!(
                "POST /api/execute HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"
            ),
            "400",
        ),
    ];
    for (what, request, status) in cases {
        let answer = exchange(&server, request.as_bytes()).await;
        assert_eq!(statuses(&answer), [status], "{what}: {answer}");
    }
    healthy(&server).await;
}

#[tokio::test]
async fn no_request_hides_in_another() {
    let server = server().await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for head in [
        // Both framings: it is chunked, and nothing follows on this connection.
        "POST /api/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /api/execute HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 40\r\n\r\n0\r\n\r\n",
        // A body that is refused: what comes after it is not read as a request.
        &format!(
            "POST /api/execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
            500 << 20
        ),
    ] {
        let mut stream = connect(&server).await;
        stream
            .write_all(format!("{head}{hidden}").as_bytes())
            .await
            .expect("it is sent");
        stream.shutdown().await.expect("no more is sent");
        let answer = rest(&mut stream).await;
        assert!(statuses(&answer).len() <= 1, "{head}: {answer}");
        assert!(!answer.contains("no such route"), "{head}: {answer}");
    }
    healthy(&server).await;
}

#[tokio::test]
async fn slow_clients_are_cut_off_and_others_are_served() {
    let server = Server::start_limited(&["--head-time", "1", "--body-time", "1"]).await;
    let mut heads = Vec::new();
    for _ in 0..200 {
        let mut stream = connect(&server).await;
        stream
            .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            .await
            .expect("it is sent");
        heads.push(stream);
    }
    let mut body = connect(&server).await;
    body.write_all(b"POST /api/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
        .await
        .expect("it is sent");
    let mut idle = connect(&server).await;
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .expect("it is sent");
    healthy(&server).await;

    let answer = rest(&mut body).await;
    assert_eq!(statuses(&answer), ["408"], "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(answer.contains("body-time = 1 s"), "{answer}");
    assert_eq!(
        statuses(&rest(&mut idle).await),
        ["200"],
        "then it is closed"
    );
    for mut stream in heads {
        assert_eq!(rest(&mut stream).await, "", "closed without an answer");
    }
    healthy(&server).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let server = Server::start_limited(&["--answer-time", "1"]).await;
    let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: large, path: test/large}
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: python
    code: |
      def main(): return {'text': 'x' * 8000000}
";
    let reply = server.run("test/large", yaml, json!({})).await;
    assert_eq!(reply.body["text"].as_str().map(str::len), Some(8_000_000));

    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let mut stream = socket
        .connect(server.address().parse().expect("an address"))
        .await
        .expect("the server accepts");
    let body = r#"{"path": "test/large"}"#;
    let request = format!(
        "POST /api/execute HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is sent");
    // Until the server has given up on the answer.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut read = 0;
    let mut buffer = vec![0; 65536];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        read += count;
    }
    assert!(read > 0 && read < 16_000_000, "{read} bytes of the answer");
    healthy(&server).await;
}

#[tokio::test]
async fn a_connection_that_waits_makes_room_for_one_that_works() {
    let server = Server::start_limited(&["--connections", "20"]).await;
    let mut silent = Vec::new();
    for _ in 0..60 {
        let mut stream = connect(&server).await;
        stream.write_all(b"GET /health").await.ok();
        silent.push(stream);
    }
    for _ in 0..5 {
        let request = format!("GET /health HTTP/1.1\r\n{CLOSE}\r\n");
        let fresh = exchange(&server, request.as_bytes()).await;
        assert_eq!(statuses(&fresh), ["200"]);
    }
    for mut stream in silent.drain(..40) {
        assert_eq!(rest(&mut stream).await, "", "it made room");
    }
}

#[tokio::test]
async fn with_every_connection_at_work_a_further_one_is_told_so() {
    let server = Server::start_limited(&["--connections", "3"]).await;
    let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: sleep, path: test/sleep}
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: python
    code: |
      import time
      def main():
          time.sleep(4)
          return {'slept': True}
";
    assert_eq!(server.register(yaml).await.status, 201);
    let body = r#"{"path": "test/sleep"}"#;
    let request = format!(
        "POST /api/execute HTTP/1.1\r\n{CLOSE}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut store = server.store.connect().await;
    let count = "SELECT count(*) FROM executions WHERE status = 'running'";
    let mut working = Vec::new();
    // One after the other: the connection of `register` makes room for the last, and
    // until it is at work, a new one could have to make room instead.
    for at_work in 1..=3 {
        let mut stream = connect(&server).await;
        stream.write_all(request.as_bytes()).await.expect("sent");
        working.push(stream);
        while noetl_tests::scalar::<i64>(&mut store, count).await < at_work {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let answer = exchange(&server, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(statuses(&answer), ["503"], "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    let (_, problem) = answer.split_once("\r\n\r\n").expect("a body");
    let problem: Value = serde_json::from_str(problem).expect("a problem");
    assert_eq!(problem["type"], "urn:noetl:problem:overloaded");
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|d| d.contains("connections = 3"))
    );
    for mut stream in working {
        let answer = rest(&mut stream).await;
        assert!(answer.contains(r#""slept":true"#), "{answer}");
    }
    healthy(&server).await;
}

/// As many files as this process may open.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("it can be raised");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_connections_at_once_are_answered() {
    raise_file_limit();
    let server = server().await;
    let answers = join_all((0..2000).map(|_| async {
        let mut stream = TcpStream::connect(server.address()).await?;
        stream
            .write_all(format!("GET /health HTTP/1.1\r\n{CLOSE}\r\n").as_bytes())
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        io::Result::Ok(answer)
    }))
    .await;
    let count = |status: &str| {
        let has =
            |answer: &&io::Result<String>| answer.as_ref().is_ok_and(|a| statuses(a) == [status]);
        answers.iter().filter(has).count()
    };
    // Past its limit the server answers those that work, and lets others go.
    assert!(count("200") >= 1000, "{} answers", count("200"));
    healthy(&server).await;
}

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let server = server().await;
    let json_type = "application/json";
    let deep = format!(
        r#"{{"path": "x", "payload": {{"a": {}{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let long_path = format!(r#"{{"path": "{}"}}"#, "a/".repeat(1_000_000));
    let long_name = format!("/api/credentials/{}", "a".repeat(30_000));
    for (method, path, body, status) in [
        ("POST", "/api/execute", deep, 400),
        ("POST", "/api/execute", long_path, 404),
        ("PUT", long_name.as_str(), "{}".to_owned(), 422),
        ("POST", "/api/execute", " ".repeat(5 << 20), 413),
    ] {
        let reply = server.send(method, path, json_type, body).await;
        assert_eq!(
            reply.status,
            status,
            "{method}: {:.300}",
            reply.body.to_string()
        );
        assert_eq!(reply.content_type, "application/problem+json");
        assert!(reply.body.to_string().len() < 100_000);
    }
    let reply = server.register(&"[".repeat(1 << 20)).await;
    assert_eq!(reply.status, 422);
    healthy(&server).await;
}
