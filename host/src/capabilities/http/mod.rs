//! `noetl:tool/http`: requests that the host sends.

mod address;
mod cache;
mod call;
mod client;
mod credential;
mod headers;
mod hop;
mod host;
pub(super) mod observed;
mod resolver;
mod target;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Response;
use reqwest::header::LOCATION;
use tokio_util::bytes::{Bytes, BytesMut};
use url::Url;

pub use call::{Answer, Call, Error, Handle, Head, Request};
pub use client::Client;
pub use credential::{Credential, CredentialSource, Login};
pub use host::Body;

use super::Scope;
use crate::limits::Limit;
use cache::{Cache, Kept, Key};
use hop::{Hop, REDIRECTS};

/// Bodies that a step can have open at the same time.
const BODIES: usize = 4;
/// The most that one call reads, in bytes.
const READ: usize = 1 << 20;

/// The step's way to HTTP servers: every call is checked here, whoever makes it.
pub struct Http {
    client: Client,
    scope: Arc<Scope>,
    requests: u64,
    bytes: u64,
    bodies: HashMap<Handle, Incoming>,
    next: Handle,
}

/// A body of which the guest has not read everything.
struct Incoming {
    /// What is here.
    bytes: Bytes,
    /// Where more comes from, and whose it is.
    rest: Option<(Url, Response)>,
}

/// An answer before the guest has a handle for it.
struct Arrived {
    status: u16,
    url: Url,
    headers: Vec<(String, String)>,
    body: Incoming,
}

impl Http {
    /// For one step: no call outlives its deadline.
    pub fn new(client: Client, scope: Arc<Scope>) -> Self {
        Self {
            client,
            scope,
            requests: 0,
            bytes: 0,
            bodies: HashMap::new(),
            next: 0,
        }
    }

    /// Does what the call says.
    ///
    /// # Errors
    /// Those of the interface.
    pub async fn call(&mut self, call: Call) -> Result<Answer, Error> {
        match call {
            Call::Send(request) => self.send(request).await.map(Answer::Head),
            Call::Read { body, most } => self.read(body, most).await.map(Answer::Bytes),
            Call::Close { body } => {
                self.bodies.remove(&body);
                Ok(Answer::Done)
            }
        }
    }

    async fn send(&mut self, request: Request) -> Result<Head, Error> {
        if request.bytes() > self.scope.limits.http_request_bytes {
            return Err(self.exceeded(Limit::HttpRequestBytes));
        }
        if self.bodies.len() >= BODIES {
            return Err(Error::Limit(format!(
                "{BODIES} answers are open, which is the most at the same time; read one to its \
                 end or drop it"
            )));
        }
        let timeout = request
            .timeout_ms
            .map(|ms| Duration::from_millis(ms.into()));
        let deadline = self.scope.deadline;
        let until = timeout.map_or(deadline, |timeout| deadline.min(Instant::now() + timeout));
        let sent = tokio::time::timeout_at(until.into(), self.exchange(request)).await;
        let arrived = sent.map_err(|_| {
            Error::Timeout(match timeout {
                Some(timeout) if until < deadline => {
                    format!(
                        "there was no answer within the request's {} ms",
                        timeout.as_millis()
                    )
                }
                _ => late(),
            })
        })??;
        self.next += 1;
        let handle = self.next;
        if !arrived.body.is_over() {
            self.bodies.insert(handle, arrived.body);
        }
        Ok(Head {
            status: arrived.status,
            url: arrived.url.into(),
            headers: arrived.headers,
            body: handle,
        })
    }

    /// Sends, and follows redirects; or finds an answer that is kept.
    async fn exchange(&mut self, request: Request) -> Result<Arrived, Error> {
        let redirects = request.redirects.min(REDIRECTS);
        let max_age = request.max_age.unwrap_or(0);
        let alias = request.credential.clone();
        let mut hop = Hop::first(request)?;
        target::allow(&self.scope, &hop.url)?;
        if let Some(alias) = &alias {
            hop.credential = Some(self.client.credential(&self.scope, alias).await?);
        }
        let key = match max_age {
            0 => None,
            _ => Key::of(&self.scope.caller.tenant, &hop),
        };
        let Some(key) = key else {
            let (url, response) = self.follow(hop, redirects).await?;
            return Arrived::new(url, response);
        };
        let client = self.client.clone();
        let max_age = Duration::from_secs(max_age.into());
        if let Some(kept) = client.cache().get(&key, max_age) {
            return self.kept(hop.url, kept);
        }
        let _turn = client.cache().turn(&key).await;
        if let Some(kept) = client.cache().get(&key, max_age) {
            return self.kept(hop.url, kept);
        }
        let asked = hop.url.clone();
        let (url, response) = self.follow(hop, redirects).await?;
        // What another host has answered is not kept: who may ask the one need not be
        // allowed to ask the other.
        let keeps = response.status() == 200 && asked == url && cache::may_keep(response.headers());
        let mut arrived = Arrived::new(url, response)?;
        if keeps {
            arrived.keep(&self.scope, client.cache(), &key).await?;
        }
        Ok(arrived)
    }

    fn kept(&mut self, url: Url, kept: Kept) -> Result<Arrived, Error> {
        self.count_request()?;
        Ok(Arrived {
            status: 200,
            url,
            headers: kept.headers,
            body: Incoming {
                bytes: kept.body,
                rest: None,
            },
        })
    }

    /// The answer at the end of the redirects, and where it is from.
    async fn follow(&mut self, mut hop: Hop, mut left: u32) -> Result<(Url, Response), Error> {
        loop {
            self.count_request()?;
            let response = self.client.send(&self.scope, &hop).await?;
            let next = match left {
                0 => None,
                _ => hop.next(response.status(), response.headers().get(LOCATION))?,
            };
            let Some(next) = next else {
                return Ok((hop.url, response));
            };
            left -= 1;
            hop = next;
        }
    }

    async fn read(&mut self, handle: Handle, most: u32) -> Result<Vec<u8>, Error> {
        if most == 0 {
            return Err(Error::InvalidRequest("read at least one byte".into()));
        }
        // One that is over, or that broke, is not there any more.
        let Some(mut body) = self.bodies.remove(&handle) else {
            return Ok(Vec::new());
        };
        let deadline = self.scope.deadline.into();
        let more = tokio::time::timeout_at(deadline, body.fill(&self.scope)).await;
        more.map_err(|_| Error::Timeout(late()))??;
        let most = (most as usize).min(READ).min(body.bytes.len());
        let read = body.bytes.split_to(most);
        self.bytes += read.len() as u64;
        if self.bytes > self.scope.limits.http_bytes {
            return Err(self.exceeded(Limit::HttpBytes));
        }
        if !body.is_over() {
            self.bodies.insert(handle, body);
        }
        Ok(read.into())
    }

    fn count_request(&mut self) -> Result<(), Error> {
        self.requests += 1;
        if self.requests > self.scope.limits.http_requests {
            return Err(self.exceeded(Limit::HttpRequests));
        }
        Ok(())
    }

    fn exceeded(&self, limit: Limit) -> Error {
        Error::Limit(self.scope.limits.exceeded(limit))
    }
}

impl Request {
    fn bytes(&self) -> u64 {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        (self.url.len() + headers + self.body.len()) as u64
    }
}

impl Arrived {
    fn new(url: Url, response: Response) -> Result<Self, Error> {
        let headers = headers::of_answer(response.headers()).map_err(Error::Other)?;
        let is_empty = response.content_length() == Some(0);
        Ok(Self {
            status: response.status().as_u16(),
            headers,
            body: Incoming {
                bytes: Bytes::new(),
                rest: (!is_empty).then(|| (url.clone(), response)),
            },
            url,
        })
    }

    /// Reads the body, and keeps it unless it is too long.
    async fn keep(&mut self, scope: &Scope, cache: &Cache, key: &Key) -> Result<(), Error> {
        let since = Instant::now();
        let mut read = BytesMut::new();
        while !self.body.is_over() && read.len() <= cache::BODY_BYTES {
            self.body.fill(scope).await?;
            read.extend_from_slice(&std::mem::take(&mut self.body.bytes));
        }
        self.body.bytes = read.freeze();
        if self.body.rest.is_none() {
            let kept = Kept {
                headers: self.headers.clone(),
                body: self.body.bytes.clone(),
                since,
            };
            cache.put(key.clone(), kept);
        }
        Ok(())
    }
}

impl Incoming {
    fn is_over(&self) -> bool {
        self.bytes.is_empty() && self.rest.is_none()
    }

    /// Waits until there is something to read, or nothing any more.
    async fn fill(&mut self, scope: &Scope) -> Result<(), Error> {
        while self.bytes.is_empty()
            && let Some((url, response)) = &mut self.rest
        {
            let chunk = response.chunk().await;
            match chunk.map_err(|error| client::failed(scope, url, &error))? {
                Some(chunk) => self.bytes = chunk,
                None => self.rest = None,
            }
        }
        Ok(())
    }
}

fn late() -> String {
    "the step's time was over before the answer was there".into()
}
