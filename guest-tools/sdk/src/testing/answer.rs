use std::collections::VecDeque;

use serde::Serialize;

use crate::http;

/// An answer to an HTTP request.
#[derive(Debug, Clone)]
#[must_use]
pub struct Answer {
    pub(crate) answer: Result<Head, http::Error>,
}

#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub status: u16,
    /// That of the request, if there is none.
    pub url: Option<String>,
    pub headers: Vec<(String, String)>,
    pub chunks: VecDeque<Result<Vec<u8>, http::Error>>,
}

impl Answer {
    /// An answer with this status, and nothing else.
    pub fn status(status: u16) -> Self {
        Self {
            answer: Ok(Head {
                status,
                url: None,
                headers: Vec::new(),
                chunks: VecDeque::new(),
            }),
        }
    }

    /// Status 200 with JSON.
    ///
    /// # Panics
    /// If the value can't be written as JSON.
    pub fn json(value: impl Serialize) -> Self {
        Self::status(200)
            .with_header("content-type", "application/json")
            .with_chunk(serde_json::to_vec(&value).expect("the answer is JSON"))
    }

    /// Status 200 with a text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::status(200)
            .with_header("content-type", "text/plain")
            .with_chunk(text.into())
    }

    /// No answer.
    pub fn error(error: http::Error) -> Self {
        Self { answer: Err(error) }
    }

    /// The same with another status.
    pub fn with_status(self, status: u16) -> Self {
        self.with(|head| head.status = status)
    }

    /// The same with one more header.
    pub fn with_header(self, name: &str, value: impl Into<String>) -> Self {
        self.with(|head| head.headers.push((name.to_lowercase(), value.into())))
    }

    /// The same with more bytes, which come after the others.
    pub fn with_chunk(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(|head| head.chunks.push_back(Ok(bytes.into())))
    }

    /// The same, whose body breaks off after its bytes.
    pub fn with_break(self, error: http::Error) -> Self {
        self.with(|head| head.chunks.push_back(Err(error)))
    }

    /// The same from another URL, as after redirects.
    pub fn with_url(self, url: impl Into<String>) -> Self {
        self.with(|head| head.url = Some(url.into()))
    }

    fn with(mut self, change: impl FnOnce(&mut Head)) -> Self {
        if let Ok(head) = &mut self.answer {
            change(head);
        }
        self
    }
}
