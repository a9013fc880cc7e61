//! Against a real server on this machine, by names that it is not told.

mod credentials;
mod doors;
mod kept;
mod limits;
mod names;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::extract::{Request as Asked, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response as Given};

use super::resolver::Lookup;
use super::*;
use crate::grants::{Allowed, Caller, Grant};
use crate::limits::Limits;
use crate::secrets::Secret;
use crate::tool::{Capabilities, Hosts};

/// A server, what it was asked, and how its clients find it.
struct Server {
    address: SocketAddr,
    seen: Seen,
    client: Client,
    grant: Grant,
    limits: Limits,
    time: Duration,
    capabilities: Option<Capabilities>,
    credentials: Option<Vec<String>>,
    names: Arc<Names>,
}

type Seen = Arc<Mutex<Vec<(String, HeaderMap, Vec<u8>)>>>;

/// What names lead to; each list is for one look-up, and the last one stays.
#[derive(Default)]
struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let mut answers = self.answers.lock().unwrap();
        match answers.get_mut(name) {
            Some(lists) if lists.len() > 1 => Ok(lists.remove(0)),
            Some(lists) => Ok(lists[0].clone()),
            None => Err(io::Error::other("no such name")),
        }
    }
}

/// The tenant `t` has `api` for the server's own address.
struct Source(Mutex<HashMap<String, Credential>>);

#[async_trait]
impl CredentialSource for Source {
    async fn find(&self, tenant: &str, alias: &str) -> anyhow::Result<Option<Credential>> {
        let found = self.0.lock().unwrap().get(alias).cloned();
        Ok(found.filter(|_| tenant == "t"))
    }
}

/// `/echo` tells the request; `/to?status=…&url=…` redirects; others are plain.
async fn answer(State(seen): State<Seen>, asked: Asked) -> Given {
    let (head, body) = asked.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let line = format!("{} {}", head.method, head.uri);
    seen.lock()
        .unwrap()
        .push((line.clone(), head.headers, body.to_vec()));
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect();
    match head.uri.path() {
        "/echo" => line.into_response(),
        "/to" => {
            let status = StatusCode::from_u16(query["status"].parse().unwrap()).unwrap();
            (status, [("location", query["url"].clone())], "moved").into_response()
        }
        "/loop" => (StatusCode::FOUND, [("location", "/loop")]).into_response(),
        "/bytes" => vec![b'x'; query["n"].parse().unwrap()].into_response(),
        "/head" => {
            let long = "x".repeat(query["n"].parse().unwrap());
            [("x-long", long)].into_response()
        }
        "/no-store" => ([("cache-control", "no-store")], "new").into_response(),
        "/silent" => std::future::pending().await,
        "/hangs" => {
            let first = futures_util::stream::once(async { Ok::<_, io::Error>("first") });
            let never = futures_util::stream::pending();
            let body = futures_util::StreamExt::chain(first, never);
            axum::body::Body::from_stream(body).into_response()
        }
        "/gzip" => ([("content-encoding", "gzip")], "not gzip").into_response(),
        "/empty" => StatusCode::NO_CONTENT.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

impl Server {
    async fn start() -> Self {
        Self::with(Arc::new(Source(Mutex::default()))).await
    }

    async fn with(source: Arc<Source>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Seen::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let names = Arc::new(Names::default());
        let mut server = Self {
            address,
            seen,
            client: Client::with(source, names.clone()),
            grant: Grant {
                credentials: Allowed::All,
                ..Grant::nothing()
            },
            limits: Limits::default(),
            time: Duration::from_secs(60),
            capabilities: None,
            credentials: None,
            names,
        };
        let literal = address.to_string();
        server.grants(&[&literal]);
        server
    }

    /// What else the tenant may talk to.
    fn grants(&mut self, hosts: &[&str]) {
        let hosts = hosts.iter().map(|host| host.parse().unwrap());
        self.grant.hosts.extend(hosts);
    }

    /// A name leads to these addresses: each list for one look-up, the last one for
    /// ever.
    fn names(&self, name: &str, lists: &[&[&str]]) {
        let list = |list: &&[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect();
        let lists = lists.iter().map(list).collect();
        self.names
            .answers
            .lock()
            .unwrap()
            .insert(name.into(), lists);
    }

    fn step(&self) -> Http {
        self.step_of("t")
    }

    fn step_of(&self, tenant: &str) -> Http {
        let scope = Scope {
            caller: Caller {
                tenant: tenant.into(),
                playbook: "tests/http".into(),
                step: "send".into(),
                execution_id: None,
            },
            grant: Arc::new(self.grant.clone()),
            capabilities: self.capabilities.clone().map(Arc::new),
            credentials: self.credentials.clone().map(Arc::from),
            limits: self.limits,
            deadline: Instant::now() + self.time,
        };
        Http::new(self.client.clone(), Arc::new(scope))
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The path of an answer that leads to `url`.
    fn to(status: u16, url: &str) -> String {
        let url: String = url::form_urlencoded::byte_serialize(url.as_bytes()).collect();
        format!("/to?status={status}&url={url}")
    }

    /// What the server was asked, by method and path.
    fn lines(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|(line, ..)| line.clone())
            .collect()
    }

    fn last(&self) -> (String, HeaderMap, Vec<u8>) {
        self.seen
            .lock()
            .unwrap()
            .last()
            .expect("it was asked")
            .clone()
    }
}

fn get(url: impl Into<String>) -> Request {
    Request {
        method: "GET".into(),
        url: url.into(),
        ..Request::default()
    }
}

async fn send(step: &mut Http, request: Request) -> Result<Head, Error> {
    match step.call(Call::Send(request)).await? {
        Answer::Head(head) => Ok(head),
        _ => panic!("not a head"),
    }
}

async fn read(step: &mut Http, body: Handle, most: u32) -> Result<Vec<u8>, Error> {
    match step.call(Call::Read { body, most }).await? {
        Answer::Bytes(bytes) => Ok(bytes),
        _ => panic!("no bytes"),
    }
}

/// The whole of a body.
async fn all(step: &mut Http, body: Handle) -> Result<Vec<u8>, Error> {
    let mut whole = Vec::new();
    loop {
        let bytes = read(step, body, 1 << 16).await?;
        if bytes.is_empty() {
            return Ok(whole);
        }
        whole.extend(bytes);
    }
}

/// The text of the answer to a GET.
async fn text(step: &mut Http, url: impl Into<String>) -> Result<String, Error> {
    let head = send(step, get(url)).await?;
    let body = all(step, head.body).await?;
    Ok(String::from_utf8(body).unwrap())
}

fn denied<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Denied(why)) => why,
        other => panic!("not denied: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_arrives_as_it_was_and_so_does_its_answer() {
    let server = Server::start().await;
    let mut step = server.step();
    let request = Request {
        method: "POST".into(),
        headers: vec![
            ("X-One".into(), "1".into()),
            ("x-two".into(), "zwei ü".into()),
        ],
        body: b"\x00body".into(),
        ..get(server.url("/echo?a=b#c"))
    };
    let head = send(&mut step, request).await.unwrap();
    assert_eq!((head.status, head.url), (200, server.url("/echo?a=b")));
    let kind = (
        "content-type".to_owned(),
        "text/plain; charset=utf-8".to_owned(),
    );
    assert!(head.headers.contains(&kind), "{:?}", head.headers);
    assert_eq!(all(&mut step, head.body).await.unwrap(), b"POST /echo?a=b");
    let (_, headers, body) = server.last();
    assert_eq!(body, b"\x00body");
    assert_eq!(headers["x-one"], "1");
    assert_eq!(headers["x-two"].as_bytes(), "zwei ü".as_bytes());
    assert_eq!(headers["host"], server.address.to_string());
    assert_eq!(headers["content-length"], "5");
    assert!(
        headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("noetl/")
    );
    assert!(!headers.contains_key("accept-encoding") && !headers.contains_key("referer"));

    let head = send(&mut step, get(server.url("/nothing"))).await.unwrap();
    assert_eq!(head.status, 404);
    let text = text(&mut step, server.url("/gzip")).await.unwrap();
    assert_eq!(text, "not gzip", "it is handed on as it came");
}

#[tokio::test]
async fn a_body_is_read_as_it_comes() {
    let server = Server::start().await;
    let mut step = server.step();
    let head = send(&mut step, get(server.url("/hangs"))).await.unwrap();
    assert_eq!(read(&mut step, head.body, 3).await.unwrap(), b"fir");
    assert_eq!(read(&mut step, head.body, 3).await.unwrap(), b"st");
    let none = read(&mut step, head.body, 0).await;
    assert!(matches!(none, Err(Error::InvalidRequest(_))), "{none:?}");

    let head = send(&mut step, get(server.url("/empty"))).await.unwrap();
    assert_eq!(head.status, 204);
    for _ in 0..2 {
        assert!(read(&mut step, head.body, 9).await.unwrap().is_empty());
    }
    assert!(
        read(&mut step, 4711, 9).await.unwrap().is_empty(),
        "it has no such body"
    );
}
