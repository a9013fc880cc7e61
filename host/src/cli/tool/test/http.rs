//! Servers' answers, as a case has them.

use serde_json::Value;
use url::Url;

use super::cases::text;
use crate::yaml::{Entry, Kind, Node, Report, find};

/// A request that is foreseen, and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    request: Foreseen,
    /// What comes back.
    pub answer: Answer,
}

/// What a request must be; what is left out may be anything.
#[derive(Debug, Clone, Default)]
struct Foreseen {
    method: Option<String>,
    url: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

/// What the tool gets.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A response.
    Response {
        /// Such as 200.
        status: u16,
        /// Names in small letters.
        headers: Vec<(String, String)>,
        /// The whole body.
        body: Vec<u8>,
    },
    /// None: `denied`, `timeout`, `connection_failed` …
    Error {
        /// Which.
        kind: String,
        /// What it says.
        message: String,
    },
}

/// Why there can be no answer, by their names in the WIT.
pub const ERRORS: [&str; 6] = [
    "denied",
    "invalid_request",
    "connection_failed",
    "timeout",
    "limit",
    "other",
];

impl Exchange {
    /// Reads an item of a case's `http`.
    pub fn read(report: &mut Report, node: &Node, field: &str) -> Option<Self> {
        let entries = report.mapping(node, field)?;
        let known = ["request", "response", "error"];
        report.unknown_fields(entries, &known, &format!("{field}."));
        let request = match find(entries, "request") {
            Some(entry) => Foreseen::read(report, &entry.value, &format!("{field}.request")),
            None => Foreseen::default(),
        };
        let answer = match (find(entries, "response"), find(entries, "error")) {
            (Some(entry), None) => {
                Answer::response(report, &entry.value, &format!("{field}.response"))
            }
            (None, Some(entry)) => Answer::error(report, &entry.value, &format!("{field}.error")),
            _ => {
                report
                    .add(node.position, "an exchange has a `response` or an `error`")
                    .field(field)
                    .hint("such as `response: {status: 200, body: {}}`");
                return None;
            }
        };
        Some(Self { request, answer })
    }

    /// Why this is not the request that the tool sent.
    pub fn difference(
        &self,
        method: &str,
        url: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Option<String> {
        let request = &self.request;
        let differs = |what: &str, expected: &str, real: &str| {
            Some(format!(
                "the tool sent another {what}\n- {expected}\n+ {real}"
            ))
        };
        if let Some(expected) = &request.method
            && expected != method
        {
            return differs("method", expected, method);
        }
        if let Some(expected) = &request.url
            && !is_same(expected, url)
        {
            return differs("URL", expected, url);
        }
        for (name, value) in &request.headers {
            let mut sent = headers
                .iter()
                .filter(|(sent, _)| sent.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str());
            if !sent.clone().any(|sent| sent == value) {
                let real = sent.next().unwrap_or("(none)");
                return differs(&format!("header {name}"), value, real);
            }
        }
        match &request.body {
            Some(expected) if !is_body(expected, body) => differs(
                "body",
                &String::from_utf8_lossy(&bytes(expected)),
                &String::from_utf8_lossy(body),
            ),
            _ => None,
        }
    }
}

impl Foreseen {
    fn read(report: &mut Report, node: &Node, field: &str) -> Self {
        let entries = report.mapping(node, field).unwrap_or_default();
        let known = ["method", "url", "headers", "body"];
        report.unknown_fields(entries, &known, &format!("{field}."));
        Self {
            method: text(report, entries, "method", field),
            url: text(report, entries, "url", field),
            headers: headers(report, entries, field),
            body: find(entries, "body").map(|entry| entry.value.to_json()),
        }
    }
}

impl Answer {
    fn response(report: &mut Report, node: &Node, field: &str) -> Self {
        let entries = report.mapping(node, field).unwrap_or_default();
        let known = ["status", "headers", "body"];
        report.unknown_fields(entries, &known, &format!("{field}."));
        let status = match find(entries, "status") {
            None => 200,
            Some(entry) => {
                let status = entry.value.to_json().as_u64();
                match status.filter(|status| (200..=599).contains(status)) {
                    Some(status) => status as u16,
                    None => {
                        report
                            .add(
                                entry.value.position,
                                "this must be a number from 200 to 599",
                            )
                            .field(format!("{field}.status"));
                        200
                    }
                }
            }
        };
        Self::Response {
            status,
            headers: headers(report, entries, field),
            body: find(entries, "body")
                .map(|entry| bytes(&entry.value.to_json()))
                .unwrap_or_default(),
        }
    }

    /// One of [`ERRORS`] with its message: `{timeout: it took too long}`.
    fn error(report: &mut Report, node: &Node, field: &str) -> Self {
        let entries = report.mapping(node, field).unwrap_or_default();
        report.unknown_fields(entries, &ERRORS, &format!("{field}."));
        let kind = entries.first().map_or("other", |entry| &entry.key);
        Self::Error {
            kind: kind.into(),
            message: text(report, entries, kind, field).unwrap_or_default(),
        }
    }
}

fn headers(report: &mut Report, entries: &[Entry], field: &str) -> Vec<(String, String)> {
    let Some(entry) = find(entries, "headers") else {
        return Vec::new();
    };
    let field = format!("{field}.headers");
    let entries = report.mapping(&entry.value, &field).unwrap_or_default();
    let mut headers = Vec::new();
    for entry in entries {
        match &entry.value.kind {
            Kind::Text(text) => headers.push((entry.key.to_lowercase(), text.clone())),
            _ => report.wrong_kind(&entry.value, &format!("{field}.{}", entry.key), "a text"),
        }
    }
    headers
}

/// A text is a body as it is, anything else as JSON.
fn bytes(body: &Value) -> Vec<u8> {
    match body {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        json => json.to_string().into_bytes(),
    }
}

fn is_body(expected: &Value, body: &[u8]) -> bool {
    match expected {
        Value::Null | Value::String(_) => bytes(expected) == body,
        json => serde_json::from_slice::<Value>(body).is_ok_and(|body| body == *json),
    }
}

fn is_same(expected: &str, url: &str) -> bool {
    match (Url::parse(expected), Url::parse(url)) {
        (Ok(expected), Ok(url)) => expected == url,
        _ => expected == url,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn exchange(body: Option<Value>) -> Exchange {
        Exchange {
            request: Foreseen {
                method: Some("POST".into()),
                url: Some("https://a.example".into()),
                headers: vec![("accept".into(), "text/plain".into())],
                body,
            },
            answer: Answer::Response {
                status: 200,
                headers: Vec::new(),
                body: Vec::new(),
            },
        }
    }

    #[test]
    fn a_request_is_held_against_what_is_foreseen() {
        let accept = [("Accept".to_owned(), "text/plain".to_owned())];
        let sent = |body: Option<Value>, method: &str, url: &str, sent: &[u8]| {
            exchange(body).difference(method, url, &accept, sent)
        };
        let json = Some(json!({"a": 1}));
        let url = "https://a.example/";
        assert_eq!(sent(json.clone(), "POST", url, b"{ \"a\": 1 }"), None);
        assert_eq!(sent(None, "POST", url, b"anything"), None);
        for (found, told) in [
            (sent(None, "GET", url, b""), "method"),
            (sent(None, "POST", "https://a.example/b", b""), "URL"),
            (sent(json, "POST", url, b"{}"), "body"),
            (exchange(None).difference("POST", url, &[], b""), "header"),
        ] {
            let found = found.unwrap();
            assert!(found.contains(told), "{found}");
        }
    }
}
