//! Reads request bodies, within bounds.

use std::sync::Arc;

use axum::body::{Body, BodyDataStream};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::answer::Problem;
use super::connections::Connection;
use super::limits::HttpLimits;

/// What is read of a body that is too large, as a multiple of the limit: a
/// client that is still sending when the connection closes does not get to see
/// the answer.
const DRAINED: usize = 16;
/// A body up to this size needs no share of what bodies may take together.
const SMALL_BYTES: usize = 64 << 10;

/// Reads bodies.
#[derive(Clone)]
pub(super) struct Bodies {
    limits: HttpLimits,
    room: Arc<Semaphore>,
}

impl Bodies {
    pub(super) fn new(limits: HttpLimits) -> Self {
        Self {
            limits,
            room: Arc::new(Semaphore::new(limits.bodies_bytes)),
        }
    }

    async fn read(
        &self,
        body: Body,
        body_bytes: usize,
    ) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), Problem> {
        let body_time = self.limits.body_time;
        let deadline = Instant::now() + body_time;
        let mut chunks = body.into_data_stream();
        let mut bytes = Vec::new();
        let mut share = None;
        let mut total = 0;
        while let Some(chunk) = next(&mut chunks, deadline)
            .await
            .map_err(|late| match late {
                Late::TimeOver => Problem::too_slow(format!(
                    "the body did not arrive within body-time = {} s",
                    body_time.as_secs()
                )),
                Late::BrokenOff(e) => Problem::bad_request(format!("the body broke off: {e}")),
            })?
        {
            total += chunk.len();
            if total <= body_bytes {
                self.take_share(&mut share, total)
                    .map_err(|problem| *problem)?;
                bytes.extend_from_slice(&chunk);
            } else if total > body_bytes.saturating_mul(DRAINED) {
                break;
            }
        }
        if total > body_bytes {
            let detail =
                format!("the body is larger than {body_bytes} bytes, the most that is taken");
            return Err(Problem::unreadable(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        Ok((bytes, share))
    }

    /// Makes `share` pay for a body of `total` bytes.
    fn take_share(
        &self,
        share: &mut Option<OwnedSemaphorePermit>,
        total: usize,
    ) -> Result<(), Box<Problem>> {
        let paid = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = total.saturating_sub(SMALL_BYTES).saturating_sub(paid);
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        if missing == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.room)
            .try_acquire_many_owned(missing)
            .map_err(|_| {
                Box::new(Problem::overloaded(format!(
                    "the bodies of all requests at hand take {} bytes, the server's limit; try again later",
                    self.limits.bodies_bytes
                )))
            })?;
        match share {
            Some(share) => share.merge(more),
            None => *share = Some(more),
        }
        Ok(())
    }
}

enum Late {
    TimeOver,
    BrokenOff(axum::Error),
}

async fn next(
    chunks: &mut BodyDataStream,
    deadline: Instant,
) -> Result<Option<axum::body::Bytes>, Late> {
    match timeout_at(deadline, chunks.next()).await {
        Err(_) => Err(Late::TimeOver),
        Ok(chunk) => chunk.transpose().map_err(Late::BrokenOff),
    }
}

/// Reads the whole body before the route sees the request, or refuses it.
pub(super) async fn read(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let most = match parts.uri.path() == super::tools::PATH {
        true => bodies.limits.component_bytes,
        false => bodies.limits.body_bytes,
    };
    let (bytes, _share) = match bodies.read(body, most).await {
        Ok(read) => read,
        Err(problem) => {
            // The rest of the body is not read: nothing else can follow on the
            // connection, and a client must not try.
            let mut response = problem.into_response();
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
            return response;
        }
    };
    if let Some(connection) = parts.extensions.get::<Connection>() {
        connection.serve();
    }
    next.run(Request::from_parts(parts, Body::from(bytes)))
        .await
}
