//! Reads request bodies, within bounds.

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use super::answer::Problem;

/// A request's body, in bytes, at most.
const MAX_BYTES: usize = 4 << 20;
/// What is read of a larger one: a client that is still sending when the
/// connection closes does not get to see the answer.
const DRAINED_BYTES: usize = 64 << 20;

/// Reads the whole body before the route sees the request, or refuses it.
pub(super) async fn read(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    let mut total = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(e) => {
                return Problem::bad_request(format!("the body broke off: {e}")).into_response();
            }
        };
        total += chunk.len();
        if total <= MAX_BYTES {
            bytes.extend_from_slice(&chunk);
        } else if total > DRAINED_BYTES {
            break;
        }
    }
    if total > MAX_BYTES {
        let detail = format!("the body is larger than {MAX_BYTES} bytes, the most that is taken");
        return Problem::unreadable(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes)))
        .await
}
