//! Servers' answers, as a case has them.

use serde_json::Value;
use url::Url;

use super::scene::Scene;
use crate::capabilities::http::{Answer, Call, Error, Head, Request};
use crate::cli::judge::text;
use crate::yaml::{Entry, Kind, Node, Report, find};

/// A request that is foreseen, and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    request: Foreseen,
    answer: Foretold,
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
enum Foretold {
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
const ERRORS: [&str; 6] = [
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
                Foretold::response(report, &entry.value, &format!("{field}.response"))
            }
            (None, Some(entry)) => Foretold::error(report, &entry.value, &format!("{field}.error")),
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
    fn difference(&self, sent: &Request) -> Option<String> {
        let Request {
            method,
            url,
            headers,
            body,
            ..
        } = sent;
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

/// Answers a call of the tool.
///
/// # Errors
/// Those that the case has, that a server's rules have, and when the case does not
/// foresee the request.
pub fn call(scene: &Scene, call: Call) -> Result<Answer, Error> {
    match call {
        Call::Send(request) => send(scene, request).map(Answer::Head),
        Call::Read { body, most } => match most {
            0 => Err(Error::InvalidRequest("read at least one byte".into())),
            most => Ok(Answer::Bytes(scene.read(body, most as usize))),
        },
        Call::Close { body } => {
            scene.close(body);
            Ok(Answer::Done)
        }
    }
}

fn send(scene: &Scene, request: Request) -> Result<Head, Error> {
    let url = Url::parse(&request.url);
    let url = url.map_err(|error| Error::InvalidRequest(format!("the URL is none: {error}")))?;
    let rights = scene.rights();
    rights.http(&url).map_err(Error::Denied)?;
    if let Some(alias) = &request.credential {
        rights.credential(alias).map_err(Error::Denied)?;
    }
    let Some(next) = scene.next_exchange() else {
        scene.fault(format!(
            "the case has no answer to the request\n+ {} {}",
            request.method, request.url
        ));
        return Err(Error::Other("the case has no answer to this".into()));
    };
    if let Some(difference) = next.difference(&request) {
        scene.fault(difference);
        return Err(Error::Other("the case foresees another request".into()));
    }
    match next.answer {
        Foretold::Response {
            status,
            headers,
            body,
        } => Ok(Head {
            status,
            url: request.url,
            headers,
            body: scene.body(body),
        }),
        Foretold::Error { kind, message } => Err(match &*kind {
            "denied" => Error::Denied(message),
            "invalid_request" => Error::InvalidRequest(message),
            "connection_failed" => Error::ConnectionFailed(message),
            "timeout" => Error::Timeout(message),
            "limit" => Error::Limit(message),
            _ => Error::Other(message),
        }),
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

impl Foretold {
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
            answer: Foretold::Response {
                status: 200,
                headers: Vec::new(),
                body: Vec::new(),
            },
        }
    }

    #[test]
    fn a_request_is_held_against_what_is_foreseen() {
        let sent = |foreseen: Option<Value>, method: &str, url: &str, body: &[u8]| {
            exchange(foreseen).difference(&Request {
                method: method.into(),
                url: url.into(),
                headers: vec![("Accept".into(), "text/plain".into())],
                body: body.into(),
                ..Request::default()
            })
        };
        let bare = Request {
            method: "POST".into(),
            url: "https://a.example".into(),
            ..Request::default()
        };
        let json = Some(json!({"a": 1}));
        let url = "https://a.example/";
        assert_eq!(sent(json.clone(), "POST", url, b"{ \"a\": 1 }"), None);
        assert_eq!(sent(None, "POST", url, b"anything"), None);
        for (found, told) in [
            (sent(None, "GET", url, b""), "method"),
            (sent(None, "POST", "https://a.example/b", b""), "URL"),
            (sent(json, "POST", url, b"{}"), "body"),
            (exchange(None).difference(&bare), "header"),
        ] {
            let found = found.unwrap();
            assert!(found.contains(told), "{found}");
        }
    }
}
