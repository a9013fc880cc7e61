//! HTTP, through the host's own client.
//!
//! ```
//! use std::time::Duration;
//! use noetl_tool::http;
//! # use noetl_tool::testing::{Answer, Host};
//! # use serde_json::{Value, json};
//! # let host = Host::new();
//! # host.http("GET https://api.example.com/users?name=Ada+L.", Answer::json(json!([{"id": 1}])));
//! # host.http("POST https://api.example.com/users", Answer::status(201));
//!
//! let users: Vec<Value> = http::get("https://api.example.com/users")
//!     .query("name", "Ada L.")
//!     .credential("example_api")
//!     .timeout(Duration::from_secs(5))
//!     .send()?
//!     .json()?;
//!
//! let answer = http::post("https://api.example.com/users")
//!     .json(&json!({"name": "Grace"}))
//!     .send()?;
//! assert_eq!(answer.status, 201);
//! # assert_eq!(users, [json!({"id": 1})]);
//! # Ok::<(), noetl_tool::Error>(())
//! ```
//!
//! The host connects only to what the tool's `tool.toml` asks for and its tenant was
//! granted. A status such as 404 is an answer, not an error.

use std::time::Duration;

use form_urlencoded::Serializer;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend;
use crate::bindings::noetl::tool::http;

pub use http::Error;

/// The longest body that [`Response::json`] and [`Response::text`] take, in bytes.
pub const BODY_LIMIT: usize = 4 << 20;
/// Bytes that are asked for at once.
const CHUNK: u32 = 64 << 10;

/// A GET request.
pub fn get(url: impl Into<String>) -> Request {
    Request::new("GET", url)
}

/// A POST request.
pub fn post(url: impl Into<String>) -> Request {
    Request::new("POST", url)
}

/// A PUT request.
pub fn put(url: impl Into<String>) -> Request {
    Request::new("PUT", url)
}

/// A PATCH request.
pub fn patch(url: impl Into<String>) -> Request {
    Request::new("PATCH", url)
}

/// A DELETE request.
pub fn delete(url: impl Into<String>) -> Request {
    Request::new("DELETE", url)
}

/// What to send.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "nothing is sent without `send`"]
pub struct Request {
    request: http::Request,
    /// A value that could not be written as JSON.
    unfit: Option<String>,
}

impl Request {
    /// A request to an absolute URL with `http:` or `https:`.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        let request = http::Request {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            credential: None,
            timeout_ms: None,
            redirects: 0,
            max_age: None,
        };
        Self {
            request,
            unfit: None,
        }
    }

    /// Adds a header. Names may stand several times. The host sets `host`,
    /// `content-length` and what belongs to the connection; it refuses those here.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a parameter to the URL, encoded.
    pub fn query(mut self, name: &str, value: impl AsRef<str>) -> Self {
        let pair = form(&[(name, value.as_ref())]);
        let url = &mut self.request.url;
        let end = url.find('#').unwrap_or(url.len());
        let mark = match url[..end].find('?') {
            None => "?",
            Some(at) if at + 1 == end => "",
            Some(_) => "&",
        };
        url.insert_str(end, &format!("{mark}{pair}"));
        self
    }

    /// The body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = body.into();
        self
    }

    /// A JSON body, with its content type unless the request has one.
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.typed("application/json").body(body),
            Err(error) => {
                self.unfit = Some(format!("the body can't be written as JSON: {error}"));
                self
            }
        }
    }

    /// A form as a body, with its content type unless the request has one.
    pub fn form<N: AsRef<str>, V: AsRef<str>>(self, pairs: &[(N, V)]) -> Self {
        self.typed("application/x-www-form-urlencoded")
            .body(form(pairs))
    }

    fn typed(self, content_type: &str) -> Self {
        let headers = &self.request.headers;
        match headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            true => self,
            false => self.header("content-type", content_type),
        }
    }

    /// The alias of a credential that the host adds to the request: a bearer token,
    /// a name with a password, or a header. The tool does not see it.
    pub fn credential(mut self, alias: impl Into<String>) -> Self {
        self.request.credential = Some(alias.into());
        self
    }

    /// How long the answer's head may take. The step's own time goes on.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout_ms = Some(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// Redirects that are followed. Without this, none.
    pub fn redirects(mut self, most: u32) -> Self {
        self.request.redirects = most;
        self
    }

    /// An answer to the same GET that the host has kept for this tenant will do if
    /// it is not older, in seconds. Only answers with status 200 to requests without
    /// a credential are kept.
    pub fn max_age(mut self, seconds: u32) -> Self {
        self.request.max_age = Some(seconds);
        self
    }

    /// Sends it and waits for the head of the answer. The same request can be sent
    /// again.
    ///
    /// # Errors
    /// If it is not granted or can't be sent, if there is no connection, or if it
    /// took too long.
    pub fn send(&self) -> Result<Response, Error> {
        if let Some(unfit) = &self.unfit {
            return Err(Error::InvalidRequest(unfit.clone()));
        }
        let answer = backend::send(&self.request)?;
        Ok(Response {
            status: answer.status,
            url: answer.url,
            headers: answer.headers,
            body: answer.body,
        })
    }
}

/// Names and values as a URL's query or a form's body.
fn form<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// An answer: its head, and the rest as it comes.
#[derive(Debug)]
pub struct Response {
    /// The status, such as 200.
    pub status: u16,
    /// Where the answer is from, after redirects.
    pub url: String,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    body: backend::Body,
}

impl Response {
    /// Whether the status is from 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, in small letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| &**value)
    }

    /// The next bytes of the body, as many as are there; none at its end.
    ///
    /// # Errors
    /// If the connection broke, or took too long.
    pub fn chunk(&mut self) -> Result<Vec<u8>, Error> {
        self.body.read(CHUNK)
    }

    /// The rest of the body, if it has at most so many bytes.
    ///
    /// # Errors
    /// [`Error::Limit`] if it has more, and those of [`chunk`](Self::chunk).
    pub fn read_all(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(body);
            }
            body.extend(chunk);
            if body.len() > limit {
                return Err(Error::Limit(format!(
                    "the answer from {} has more than {limit} bytes",
                    self.url
                )));
            }
        }
    }

    /// The rest of the body as a text of at most [`BODY_LIMIT`] bytes.
    ///
    /// # Errors
    /// [`Error::Other`] if it is not UTF-8, and those of [`read_all`](Self::read_all).
    pub fn text(mut self) -> Result<String, Error> {
        String::from_utf8(self.read_all(BODY_LIMIT)?)
            .map_err(|_| Error::Other(format!("the answer from {} is not UTF-8", self.url)))
    }

    /// The rest of the body, of at most [`BODY_LIMIT`] bytes, from JSON.
    ///
    /// # Errors
    /// [`Error::Other`] if it is not JSON of this type, with the field's name, and
    /// those of [`read_all`](Self::read_all).
    pub fn json<T: DeserializeOwned>(mut self) -> Result<T, Error> {
        let body = self.read_all(BODY_LIMIT)?;
        let mut reader = serde_json::Deserializer::from_slice(&body);
        serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            Error::Other(crate::call::located(
                &format!("the answer from {}, status {}", self.url, self.status),
                &error,
            ))
        })
    }
}
