use std::time::Duration;

use noetl_tool::http::Error as HttpError;
use noetl_tool::serde_json::{Value, json};
use noetl_tool::testing::{Answer, Host, describe, run_text};
use noetl_tool::{Error, Failure};

use crate::Tool;

const URL: &str = "https://api.example.com/things";

fn get() -> String {
    format!("GET {URL}")
}

fn failure(result: Result<Value, Error>) -> Failure {
    match result {
        Err(Error::Failed(failure)) => failure,
        other => panic!("{other:?} is no failure"),
    }
}

fn refused(config: Value) -> String {
    match Host::new().run(Tool, config, json!({})) {
        Err(Error::InvalidInput(message)) => message,
        other => panic!("{other:?} is not refused"),
    }
}

#[test]
fn an_answer_is_data() {
    let host = Host::new();
    host.http(
        get(),
        Answer::json(json!({"a": 1}))
            .with_header("X-B", "1")
            .with_header("x-b", "2"),
    );
    assert_eq!(
        host.run(Tool, json!({"url": URL}), json!({})),
        Ok(json!({
            "status": 200,
            "headers": {"content-type": "application/json", "x-b": "1, 2"},
            "url": URL,
            "body": {"a": 1},
        }))
    );
    let sent = &host.requests()[0];
    assert_eq!(
        (sent.redirects, sent.timeout_ms, sent.credential.as_deref()),
        (5, Some(30_000), None)
    );
}

#[test]
fn a_body_is_json_text_or_bytes() {
    let body = |answer: Answer| {
        let host = Host::new();
        host.http(get(), answer);
        host.run(Tool, json!({"url": URL}), json!({})).unwrap()["body"].clone()
    };
    let typed = |content_type: &str, bytes: &[u8]| {
        Answer::status(200)
            .with_header("content-type", content_type)
            .with_chunk(bytes)
    };
    assert_eq!(
        body(typed("application/problem+json; charset=utf-8", b"[1]")),
        json!([1])
    );
    assert_eq!(body(typed("application/json", b"{")), "{");
    assert_eq!(body(typed("text/plain", b"[1]")), "[1]");
    assert_eq!(
        body(typed("image/png", b"\xff\x00")),
        json!({"base64": "/wA="})
    );
    assert_eq!(body(Answer::status(204)), Value::Null);
}

#[test]
fn no_digit_is_lost() {
    let digits = "123456789012345678901234567890.10";
    let host = Host::new();
    host.http(
        format!("POST {URL}"),
        Answer::status(200)
            .with_header("content-type", "application/json")
            .with_chunk(digits),
    );
    let config = format!(r#"{{"url": "{URL}"}}"#);
    let data = run_text(Tool, &config, &format!(r#"{{"json": {{"n": {digits}}}}}"#)).unwrap();
    assert!(data.contains(&format!(r#""body":{digits}"#)), "{data}");
    let sent = &host.requests()[0];
    assert_eq!(sent.body, format!(r#"{{"n": {digits}}}"#).into_bytes());
}

#[test]
fn a_request_has_what_the_step_says() {
    let host = Host::new();
    host.http(
        "PUT https://api.example.com/things?a=1&page=2&q=x+%26+y&tag=a&tag=b",
        Answer::status(200),
    );
    let config = json!({
        "url": format!("{URL}?a=1"),
        "method": "put",
        "headers": {"accept": "text/csv", "x-n": 1, "x-none": null},
        "auth": "api",
        "timeout": "1.5s",
        "redirects": 0,
        "form": {"name": "Ada L.", "age": 36},
    });
    let args = json!({"params": {"q": "x & y", "page": 2, "tag": ["a", "b"], "none": null}});
    host.run(Tool, config, args).unwrap();
    let sent = &host.requests()[0];
    let headers: Vec<_> = sent.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(
        headers,
        [
            ("accept", "text/csv"),
            ("x-n", "1"),
            ("content-type", "application/x-www-form-urlencoded")
        ]
    );
    assert_eq!(sent.body, b"age=36&name=Ada+L.");
    assert_eq!(
        (sent.redirects, sent.timeout_ms, sent.credential.as_deref()),
        (0, Some(1_500), Some("api"))
    );
}

#[test]
fn args_count_more_than_the_step() {
    let host = Host::new();
    host.http(get(), Answer::text("found"));
    let config = json!({"url": "https://other.example.com/"});
    let data = host.run(Tool, config, json!({"url": URL})).unwrap();
    assert_eq!(data["body"], "found");
}

#[test]
fn what_can_be_no_request_is_refused() {
    assert_eq!(refused(json!({})), "the step: missing field `url`");
    assert!(
        refused(json!({"url": URL, "metod": "GET"})).starts_with("the step.metod: unknown field")
    );
    assert_eq!(
        refused(json!({"url": URL, "json": 1, "body": "1"})),
        "a request has one body: give `json`, `body` or `form`"
    );
    assert_eq!(
        refused(json!({"url": URL, "params": {"a": {"b": 1}}})),
        r#"params.a: {"b":1} is no text, number or list of those"#
    );
    assert_eq!(
        refused(json!({"url": URL, "timeout": "soon"})),
        r#"the step.timeout: "soon" is no time; write `5s`, `500ms`, `1m` or seconds"#
    );
    assert_eq!(
        refused(json!({"url": URL, "expect": [200, "3xx"]})),
        r#"the step.expect[1]: "3xx" is no status; write one such as 404, or a range such as `200-299`"#
    );
    assert_eq!(
        refused(json!({"url": URL, "retries": 11})),
        "retries: 11 is too many, 10 are the most"
    );
}

#[test]
fn a_status_that_is_not_expected_fails() {
    let host = Host::new();
    let answer = Answer::text("x".repeat(2000)).with_status(404);
    host.http(format!("{}?key=secret", get()), answer);
    let config = json!({"url": URL, "params": {"key": "secret"}});
    let failure = failure(host.run(Tool, config, json!({})));
    assert_eq!(failure.kind, "http_status");
    assert_eq!(failure.code.as_deref(), Some("404"));
    assert_eq!(
        failure.message,
        "GET https://api.example.com/things answered with status 404"
    );
    assert_eq!(
        failure.details,
        Some(json!({"status": 404, "url": URL, "body": "x".repeat(1024)}))
    );
}

#[test]
fn a_status_that_is_expected_is_an_answer() {
    let host = Host::new();
    host.http(get(), Answer::status(404));
    host.http(get(), Answer::status(503));
    let config = json!({"url": URL, "expect": ["200-299", 404, "503"], "retries": 1});
    for status in [404, 503] {
        let data = host.run(Tool, config.clone(), json!({})).unwrap();
        assert_eq!(data["status"], status);
    }
}

#[test]
fn what_passes_is_sent_again_after_twice_the_time() {
    let host = Host::new();
    host.http(
        get(),
        Answer::error(HttpError::ConnectionFailed("no route".into())),
    );
    host.http(get(), Answer::error(HttpError::Timeout("too long".into())));
    host.http(get(), Answer::status(503));
    host.http(get(), Answer::status(429).with_header("retry-after", "2"));
    host.http(get(), Answer::json(json!("done")));
    let data = host.run(Tool, json!({"url": URL, "retries": 4}), json!({}));
    assert_eq!(data.unwrap()["body"], "done");
    assert_eq!(
        host.slept(),
        [100, 200, 400, 2000].map(Duration::from_millis)
    );
    assert_eq!(
        host.logged()[0],
        "warn: no route; sent again in 100 ms (1 of 4)"
    );
}

#[test]
fn the_last_failure_counts() {
    let host = Host::new();
    host.http(get(), Answer::status(502));
    host.http(get(), Answer::status(504));
    let failed = host.run(Tool, json!({"url": URL, "retries": 1}), json!({}));
    assert_eq!(failure(failed).code.as_deref(), Some("504"));

    let host = Host::new();
    host.http(
        get(),
        Answer::error(HttpError::Denied("not granted".into())),
    );
    let denied = host.run(Tool, json!({"url": URL, "retries": 3}), json!({}));
    assert_eq!(denied, Err(Error::denied("not granted")));
}

#[test]
fn a_server_that_wants_too_long_a_wait_is_left() {
    let host = Host::new();
    let answer = Answer::status(503).with_header("retry-after", "60");
    host.http(get(), answer);
    let config = json!({"url": URL, "retries": 3, "timeout": 5});
    assert_eq!(
        failure(host.run(Tool, config, json!({}))).code.as_deref(),
        Some("503")
    );
    assert!(host.slept().is_empty());
}

#[test]
fn work_is_not_done_twice_unless_told_so() {
    let host = Host::new();
    host.http(format!("POST {URL}"), Answer::status(503));
    let config = json!({"url": URL, "json": {}, "retries": 1});
    assert_eq!(
        failure(host.run(Tool, config, json!({}))).code.as_deref(),
        Some("503")
    );

    let host = Host::new();
    host.http(format!("POST {URL}"), Answer::status(503));
    host.http(format!("POST {URL}"), Answer::status(201));
    let config = json!({"url": URL, "json": {}, "retries": 1, "retry_all": true});
    assert_eq!(host.run(Tool, config, json!({})).unwrap()["status"], 201);
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let host = Host::new();
    host.http(get(), Answer::text("1234").with_chunk("56"));
    let config = json!({"url": URL, "max_bytes": 5});
    assert_eq!(
        host.run(Tool, config, json!({})),
        Err(Error::limit(format!(
            "the answer from {URL} has more than 5 bytes"
        )))
    );
}

#[test]
fn a_body_is_read_line_by_line() {
    let read = |answer: Answer, config: Value| {
        let host = Host::new();
        host.http(get(), answer);
        let data = host.run(Tool, config, json!({}))?;
        Ok::<_, Error>((data["body"].clone(), data["complete"].clone()))
    };
    let chunks = Answer::text("{\"a\"")
        .with_chunk(": 1}\r\n\n[2")
        .with_chunk("]");
    assert_eq!(
        read(chunks.clone(), json!({"url": URL, "stream": "ndjson"})),
        Ok((json!([{"a": 1}, [2]]), json!(true)))
    );
    assert_eq!(
        read(chunks.clone(), json!({"url": URL, "stream": "lines"})),
        Ok((json!(["{\"a\": 1}", "", "[2]"]), json!(true)))
    );
    // What comes after the last line that is wanted is not waited for.
    let endless = chunks.with_break(HttpError::Other("it was read on".into()));
    assert_eq!(
        read(
            endless.clone(),
            json!({"url": URL, "stream": "lines", "max_lines": 1})
        ),
        Ok((json!(["{\"a\": 1}"]), json!(false)))
    );
    assert!(read(endless, json!({"url": URL, "stream": "lines"})).is_err());
    assert_eq!(
        read(
            Answer::text("1\nx"),
            json!({"url": URL, "stream": "ndjson"})
        ),
        Err(Error::failed("http_body", "line 2 of the body is no JSON"))
    );
    assert_eq!(
        read(
            Answer::text("1\n2\n"),
            json!({"url": URL, "stream": "lines", "max_lines": 2})
        ),
        Ok((json!(["1", "2"]), json!(true)))
    );
}

#[test]
fn the_schemas_tell_the_fields() {
    let schemas = describe(Tool);
    let properties = &schemas["config"]["properties"];
    assert_eq!(properties["url"]["type"], "string");
    assert_eq!(properties["redirects"]["default"], 5);
    assert_eq!(
        schemas["result"]["required"],
        json!(["status", "headers", "url", "body"])
    );
}
