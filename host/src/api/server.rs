//! HTTP/1.1 over TCP, with clients that may be slow, many or hostile.
//!
//! HTTP/2 is not spoken: clients of a JSON API do well without, and its
//! multiplexing is one more thing to bound.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::answer::Problem;
use super::connections::{Connection, Connections};
use super::limits::HttpLimits;
use super::patience::Patience;
use super::request_id::RequestId;

/// Serves until `stopping` ends, and then until the requests at hand are
/// answered.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    stopping: impl Future<Output = ()>,
) {
    let connections = Connections::new(limits.connections);
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let graceful = GracefulShutdown::new();
    let mut stopping = std::pin::pin!(stopping);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopping => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) if is_of_the_connection(&error) => continue,
            Err(error) => {
                // No more file descriptors, or no memory: that may pass.
                tracing::error!(%error, "can't accept connections");
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        // Small answers must not wait for the acknowledgement of earlier ones.
        stream.set_nodelay(true).ok();
        match connections.open() {
            Some(connection) => {
                let router = router.clone();
                tokio::spawn(converse(
                    stream,
                    connection,
                    router,
                    limits,
                    graceful.watcher(),
                ));
            }
            None => refuse(stream, &refusals, limits.connections),
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

async fn converse(
    stream: TcpStream,
    connection: Connection,
    router: Router,
    limits: HttpLimits,
    watcher: Watcher,
) {
    let io = TokioIo::new(Patience::new(
        stream,
        connection.clone(),
        limits.answer_time,
    ));
    let serving = connection.clone();
    let service = service_fn(move |request| answer(router.clone(), serving.clone(), request));
    let http = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_header_size(limits.head_bytes)
        .serve_connection(io, service);
    tokio::select! {
        ended = watcher.watch(http) => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke off");
            }
        }
        () = connection.closing() => {}
    }
}

async fn answer(
    router: Router,
    connection: Connection,
    request: hyper::Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    let response = match names_one_host(&request) {
        true => {
            request.extensions_mut().insert(connection.clone());
            router.oneshot(request).await?
        }
        false => {
            let problem =
                Problem::bad_request("an HTTP/1.1 request has exactly one Host header field");
            let id = RequestId::of(request.headers());
            id.stamp(id.name(problem).into_response())
        }
    };
    Ok(response.map(|body| {
        Body::new(Answer {
            body,
            _answered: Answered(connection),
        })
    }))
}

/// What RFC 9112 demands, and what hyper leaves to the service.
fn names_one_host(request: &Request) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || hosts == 0 && request.version() < Version::HTTP_11
}

/// An answer's body, with which the connection's work ends.
struct Answer {
    body: Body,
    _answered: Answered,
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Answered(Connection);

impl Drop for Answered {
    fn drop(&mut self) {
        self.0.answered();
    }
}

/// Connections that are told at once that there is no room. Past them, they are
/// closed without a word.
const REFUSALS: usize = 128;
const REFUSAL_TIME: Duration = Duration::from_secs(2);

fn refuse(mut stream: TcpStream, refusals: &Arc<Semaphore>, limit: usize) {
    let Ok(permit) = Arc::clone(refusals).try_acquire_owned() else {
        return;
    };
    let problem = Problem::overloaded(format!(
        "{limit} requests are being served, the server's limit connections = {limit}; try again later"
    ));
    let id = RequestId::of(&HeaderMap::new());
    let text = id.name(problem).to_json().to_string();
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\nx-request-id: {}\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}",
        id.as_str(),
        text.len()
    );
    tokio::spawn(async move {
        let _permit = permit;
        let refusing = async {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
            // Closed with something unread, the answer would be lost with it.
            let mut unread = [0; 4096];
            while stream.read(&mut unread).await? > 0 {}
            io::Result::Ok(())
        };
        timeout(REFUSAL_TIME, refusing).await.ok();
    });
}
