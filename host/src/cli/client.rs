//! A client of the server's HTTP API: over the network, or of an API in this
//! process, without a socket. Both take the same way through the same routes.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{Method, StatusCode, header};
use futures_util::StreamExt;
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::failure::Failure;
use super::files::File;
use super::mistakes;
use crate::secrets::Secret;
use crate::yaml::Diagnostics;

/// A server's API.
#[derive(Debug)]
pub struct Client {
    base: Url,
    /// Shown to the server.
    key: Option<Secret>,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Network(reqwest::Client),
    InProcess(axum::Router),
}

/// An answer whose body has not been read yet.
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// Whether the body is a stream of server-sent events.
    pub is_event_stream: bool,
    body: AnswerBody,
}

enum AnswerBody {
    Network(reqwest::Response),
    InProcess(BodyDataStream),
}

/// What the server calls a playbook that was registered.
#[derive(Debug, Deserialize)]
pub struct Registered {
    /// The catalog path.
    pub path: String,
    /// Counts up with each registration of a changed text.
    pub version: Value,
}

impl Client {
    /// Of the server at `base`, which `key` is shown to.
    ///
    /// # Errors
    /// `base` is not the URL of an HTTP server.
    pub fn network(base: &str, key: Option<Secret>) -> anyhow::Result<Client> {
        let wrong = || {
            Failure::usage(format!("'{base}' is not the URL of a server"))
                .hint("write it as http://127.0.0.1:8082")
        };
        let url = Url::parse(base).map_err(|_| wrong())?;
        if !["http", "https"].contains(&url.scheme()) || url.host().is_none() {
            return Err(wrong().into());
        }
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .no_proxy()
            .build()?;
        Ok(Client {
            base: url,
            key,
            transport: Transport::Network(http),
        })
    }

    /// Of an API in this process.
    pub fn in_process(router: axum::Router) -> Client {
        Client {
            base: Url::parse("http://localhost/").expect("a constant URL"),
            key: None,
            transport: Transport::InProcess(router),
        }
    }

    /// Where a route of a server on the network is, for people.
    pub fn address(&self, path: &[&str]) -> Option<String> {
        match self.transport {
            Transport::Network(_) => Some(self.url(path).to_string()),
            Transport::InProcess(_) => None,
        }
    }

    /// Whether the server answers as a noetl server does. `None`: nobody
    /// listens there.
    pub async fn is_healthy(&self) -> Option<bool> {
        let asking = self.send(Method::GET, &["health"], &[], Vec::new());
        match tokio::time::timeout(Duration::from_secs(10), asking).await {
            Ok(Ok(answer)) => {
                let health = answer.json().await;
                Some(
                    health
                        .is_ok_and(|(status, body)| status.is_success() && body["status"] == "ok"),
                )
            }
            Ok(Err(_)) => None,
            Err(_) => Some(false),
        }
    }

    /// Puts a playbook into the catalog.
    ///
    /// # Errors
    /// The server refuses it; the error has every diagnostic.
    pub async fn register(&self, file: &File) -> anyhow::Result<Registered> {
        // A header holds visible ASCII only; the name serves messages.
        let name: String = file
            .name
            .chars()
            .map(|c| {
                if c.is_ascii_graphic() || c == ' ' {
                    c
                } else {
                    '?'
                }
            })
            .collect();
        let headers = [
            ("content-type", "application/yaml"),
            ("x-noetl-file", name.as_str()),
        ];
        let body = file.text.clone().into_bytes();
        let path = ["api", "catalog", "playbooks"];
        let answer = self.send(Method::POST, &path, &headers, body).await?;
        let (status, body) = answer.json().await?;
        if !status.is_success() {
            return Err(refused(file, status, &body).into());
        }
        serde_json::from_value(body).map_err(|error| {
            Failure::new(format!("the server's answer is not understood: {error}")).into()
        })
    }

    /// Stores a credential, in place of one with the same alias.
    ///
    /// # Errors
    /// The server refuses it.
    pub async fn put_credential(&self, alias: &str, credential: &Value) -> anyhow::Result<()> {
        let body = credential.to_string().into_bytes();
        let path = ["api", "credentials", alias];
        let answer = self.send(Method::PUT, &path, &JSON, body).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        let (status, body) = answer.json().await?;
        Err(problem(status, &body).into())
    }

    /// Reads a JSON document.
    ///
    /// # Errors
    /// The server answers with a problem.
    pub async fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.request(Method::GET, path, None).await
    }

    /// Sends a request whose answer has a JSON document, or none.
    ///
    /// # Errors
    /// The server answers with a problem.
    pub async fn request(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let (headers, body) = match body {
            Some(body) => (&JSON[..], body.to_string().into_bytes()),
            None => (&[][..], Vec::new()),
        };
        let answer = self.send(method, path, headers, body).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let (status, body) = answer.json().await?;
        match status.is_success() {
            true => Ok(body),
            false => Err(problem(status, &body).into()),
        }
    }

    /// Sends bytes; the answer has a JSON document.
    ///
    /// # Errors
    /// The server answers with a problem.
    pub async fn upload(
        &self,
        path: &[&str],
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Value> {
        let answer = self.send(Method::POST, path, headers, body).await?;
        let (status, body) = answer.json().await?;
        match status.is_success() {
            true => Ok(body),
            false => Err(problem(status, &body).into()),
        }
    }

    /// Starts an execution whose events are wanted as they happen.
    ///
    /// # Errors
    /// The server can't be reached.
    pub async fn execute(&self, path: &str, payload: &Value) -> anyhow::Result<Answer> {
        let body = json!({"path": path, "payload": payload})
            .to_string()
            .into_bytes();
        let headers = [JSON[0], ("accept", "text/event-stream")];
        self.send(Method::POST, &["api", "execute"], &headers, body)
            .await
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let url = self.url(path);
        match &self.transport {
            Transport::Network(http) => {
                let mut request = http.request(method, url).body(body);
                if let Some(key) = &self.key {
                    request = request.bearer_auth(key.expose());
                }
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let response = request
                    .send()
                    .await
                    .map_err(|error| self.unreachable(&error))?;
                Ok(Answer {
                    status: response.status(),
                    is_event_stream: is_event_stream(response.headers()),
                    body: AnswerBody::Network(response),
                })
            }
            Transport::InProcess(router) => {
                let uri = &url[url::Position::BeforePath..url::Position::AfterQuery];
                let mut request = axum::http::Request::builder().method(method).uri(uri);
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let request = request.body(Body::from(body))?;
                let Ok(response) = router.clone().oneshot(request).await;
                Ok(Answer {
                    status: response.status(),
                    is_event_stream: is_event_stream(response.headers()),
                    body: AnswerBody::InProcess(response.into_body().into_data_stream()),
                })
            }
        }
    }

    /// Where a route is. A segment that begins with `?` is the query.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        let (path, query) = match path.split_last() {
            Some((last, before)) if last.starts_with('?') => (before, Some(&last[1..])),
            _ => (path, None),
        };
        url.set_query(query);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let base = self.base.as_str().trim_end_matches('/');
        if error.is_connect() {
            Failure::new(format!("no server answers on {base}"))
                .hint("start one with 'noetl serve', or name another with --server")
        } else {
            Failure::new(format!("the connection to {base} failed: {error}"))
        }
    }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

impl Answer {
    /// The next bytes of the body; none at its end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn chunk(&mut self) -> anyhow::Result<Option<Bytes>> {
        match &mut self.body {
            AnswerBody::Network(response) => Ok(response.chunk().await?),
            AnswerBody::InProcess(stream) => Ok(stream.next().await.transpose()?),
        }
    }

    /// The whole body as JSON, with the status.
    ///
    /// # Errors
    /// The connection broke, or the body is not JSON.
    pub async fn json(mut self) -> anyhow::Result<(StatusCode, Value)> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            bytes.extend_from_slice(&chunk);
        }
        let status = self.status;
        let body = serde_json::from_slice(&bytes).map_err(|_| {
            let text = String::from_utf8_lossy(&bytes);
            let start: String = text.chars().take(200).collect();
            Failure::new(format!("the server answered {status} and no JSON: {start}"))
                .hint("is it a noetl server? name another with --server")
        })?;
        Ok((status, body))
    }
}

fn is_event_stream(headers: &header::HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

/// Why a file was not registered.
fn refused(file: &File, status: StatusCode, body: &Value) -> Failure {
    match Diagnostics::deserialize(&body["errors"]) {
        Ok(mut diagnostics) if !diagnostics.0.is_empty() => {
            // The name that went with it may have lost characters on its way.
            for diagnostic in &mut diagnostics.0 {
                diagnostic.file.clone_from(&file.name);
            }
            mistakes::failure(file, &diagnostics)
        }
        _ => problem(status, body),
    }
}

/// The error of a problem document (RFC 9457): what it says, and each of its
/// diagnostics on a line of its own.
pub fn problem(status: StatusCode, body: &Value) -> Failure {
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    let diagnostics = body["errors"].as_array().map_or(&[][..], Vec::as_slice);
    // With diagnostics, the detail is their text once more.
    let detail = text("detail").filter(|_| diagnostics.is_empty());
    let mut message = detail
        .or(text("title"))
        .map_or_else(|| format!("the server answered {status}"), str::to_string);
    for diagnostic in diagnostics {
        message.push('\n');
        message.push_str(&diagnostic_line(diagnostic));
    }
    let failure = Failure::new(message);
    match text("hint") {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// `file:line:column: step 'x', field 'y': message` and its hint.
fn diagnostic_line(diagnostic: &Value) -> String {
    let text = |name: &str| diagnostic[name].as_str().filter(|text| !text.is_empty());
    let mut line = text("file").unwrap_or_default().to_string();
    for name in ["line", "column"] {
        if let Some(number) = diagnostic[name].as_u64() {
            line.push_str(&format!(":{number}"));
        }
    }
    let place: Vec<String> = ["step", "field"]
        .into_iter()
        .filter_map(|name| Some(format!("{name} '{}'", text(name)?)))
        .collect();
    if !place.is_empty() {
        line.push_str(&format!(": {}", place.join(", ")));
    }
    line.push_str(&format!(": {}", text("message").unwrap_or_default()));
    if let Some(hint) = text("hint") {
        line.push_str(&format!("\n  hint: {hint}"));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(base: &str) -> anyhow::Result<Client> {
        crate::tls::choose_provider();
        Client::network(base, None)
    }

    #[test]
    fn a_problem_shows_every_diagnostic() {
        let body = json!({"title": "The playbook has mistakes", "detail": "login.yaml:3:7: and so on", "errors": [
            {"file": "login.yaml", "line": 3, "column": 7, "step": "start", "field": "next", "message": "no step 'ned'", "hint": "did you mean 'end'?"},
            {"file": "login.yaml", "line": 9, "message": "unknown tool"}
        ]});
        let failure = problem(StatusCode::UNPROCESSABLE_ENTITY, &body);
        assert_eq!(
            failure.to_string(),
            "The playbook has mistakes\n\
             login.yaml:3:7: step 'start', field 'next': no step 'ned'\n  hint: did you mean 'end'?\n\
             login.yaml:9: unknown tool"
        );
    }

    #[test]
    fn a_body_that_is_no_problem_still_tells_the_status() {
        let failure = problem(StatusCode::BAD_GATEWAY, &Value::Null);
        assert_eq!(failure.to_string(), "the server answered 502 Bad Gateway");
    }

    #[test]
    fn path_segments_are_escaped_and_a_base_path_is_kept() {
        let client = network("http://localhost:1/noetl/").unwrap();
        let address = client.address(&["api", "credentials", "a/b?"]).unwrap();
        assert_eq!(address, "http://localhost:1/noetl/api/credentials/a%2Fb%3F");
    }

    #[test]
    fn what_is_no_server_url_is_refused() {
        for base in ["localhost:8082", "ftp://host", "", "host"] {
            assert!(network(base).is_err(), "{base}");
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_told_from_a_stranger() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let nobody = network(&format!("http://127.0.0.1:{port}")).unwrap();
        assert_eq!(nobody.is_healthy().await, None);

        let stranger = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = stranger.local_addr().unwrap();
        let routes = axum::Router::new().route("/health", axum::routing::get(|| async { "hello" }));
        tokio::spawn(async move { axum::serve(stranger, routes).await });
        let client = network(&format!("http://{address}")).unwrap();
        assert_eq!(client.is_healthy().await, Some(false));
    }
}
