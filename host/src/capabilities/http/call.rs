//! The interface's calls as values.

use serde::{Deserialize, Serialize};

/// The body of an answer to one step. Means nothing to any other.
pub type Handle = u32;

/// A call of `noetl:tool/http`.
#[derive(Debug, Serialize, Deserialize)]
pub enum Call {
    /// `send`; answered with a head.
    Send(Request),
    /// `body.read`; answered with bytes.
    Read {
        /// Which one.
        body: Handle,
        /// How many bytes at most.
        most: u32,
    },
    /// The guest dropped the body.
    Close {
        /// Which one.
        body: Handle,
    },
}

/// What to send.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: String,
    /// An absolute URL.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
    /// The alias of a credential to add.
    pub credential: Option<String>,
    /// How long to wait for the answer's head, in milliseconds.
    pub timeout_ms: Option<u32>,
    /// How many redirects to follow.
    pub redirects: u32,
    /// How old a kept answer may be, in seconds.
    pub max_age: Option<u32>,
}

/// What a [`Call`] gives if it does not fail.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// The head of an answer.
    Head(Head),
    /// The next bytes of a body; none at its end.
    Bytes(Vec<u8>),
    /// Nothing more to say.
    Done,
}

/// The head of an answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// Where the answer is from, after redirects.
    pub url: String,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// The handle of its body.
    pub body: Handle,
}

/// Why there is no answer; the words are for people, and have no secret in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Error {
    /// The host, its address or the credential is not granted.
    Denied(String),
    /// The request can't be sent as it is.
    InvalidRequest(String),
    /// No connection, or it broke, or TLS failed.
    ConnectionFailed(String),
    /// The request's time or the step's was over.
    Timeout(String),
    /// A limit of the step was reached.
    Limit(String),
    /// Anything else.
    Other(String),
}

impl Call {
    /// Whether something outside may be another afterwards.
    pub(crate) fn has_effect(&self) -> bool {
        match self {
            Self::Send(request) => !matches!(&*request.method, "GET" | "HEAD"),
            Self::Read { .. } | Self::Close { .. } => false,
        }
    }
}
