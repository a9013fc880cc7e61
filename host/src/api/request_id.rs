//! A name for each request, by which its log lines, its traces and its answer are
//! found again.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;
use uuid::Uuid;

use super::answer::Problem;

/// The header that names a request, and its answer.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// What is taken from a client.
const MAX_LENGTH: usize = 128;

tokio::task_local! {
    static CURRENT: RequestId;
}

/// A request's name: visible ASCII characters.
#[derive(Debug, Clone)]
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// The one that the client gave, or else a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(HEADER).filter(|value| {
            let bytes = value.as_bytes();
            (1..=MAX_LENGTH).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
        });
        Self(given.cloned().unwrap_or_else(|| {
            HeaderValue::try_from(Uuid::now_v7().to_string()).expect("a UUID is visible")
        }))
    }

    /// The name of the request that is being answered here.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// As a text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("it is ASCII")
    }

    /// Puts it into a problem.
    pub fn name(&self, problem: Problem) -> Problem {
        problem.with("request_id", json!(self.as_str()))
    }

    /// Puts it on the answer.
    pub fn stamp(&self, mut response: Response) -> Response {
        response.headers_mut().insert(HEADER, self.0.clone());
        response
    }
}

/// Names the request, for all that follows.
pub(super) async fn assign(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let response = CURRENT.scope(id.clone(), next.run(request)).await;
    id.stamp(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_name_is_taken_and_any_other_replaced() {
        let of = |value: &[u8]| {
            let value = HeaderValue::from_bytes(value).unwrap();
            RequestId::of(&HeaderMap::from_iter([(HEADER, value)]))
        };
        let long = [b'x'; MAX_LENGTH + 1];
        for sane in [&b"a"[..], b"req-1/~!", &long[..MAX_LENGTH]] {
            assert_eq!(of(sane).as_str().as_bytes(), sane);
        }
        for strange in [&b""[..], b"a b", b"a\tb", "\u{9b}".as_bytes(), &long] {
            assert!(of(strange).as_str().parse::<Uuid>().is_ok(), "{strange:?}");
        }
        let made = RequestId::of(&HeaderMap::new());
        let version = made.as_str().parse::<Uuid>().unwrap().get_version_num();
        assert_eq!(version, 7);
    }
}
