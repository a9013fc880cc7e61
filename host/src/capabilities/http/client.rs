//! The connections to HTTP servers, for all steps.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lru::LruCache;
use reqwest::redirect::Policy;
use url::Url;

use super::cache::Cache;
use super::credential::{CredentialSource, Named};
use super::hop::Hop;
use super::resolver::{Checked, Lookup, NotPublic, System};
use super::{Error, target};
use crate::capabilities::Scope;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that nobody uses is closed after this long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Connections of one tenant to one host that are kept though nobody uses them.
const IDLE_CONNECTIONS: usize = 8;
/// Tenants, each with a set of addresses, whose connections are kept.
const CLIENTS: NonZeroUsize = NonZeroUsize::new(128).unwrap();

/// What all steps talk to HTTP servers through. Clones share it.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    source: Arc<dyn CredentialSource>,
    lookup: Arc<dyn Lookup>,
    clients: Mutex<LruCache<Reach, reqwest::Client>>,
    cache: Cache,
}

/// Whose connections they are, and where to. Some servers tie a login to its
/// connection, so tenants share none; nor do they share what was connected to only
/// because somebody's grant has the address in it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Reach {
    tenant: String,
    granted: Vec<IpAddr>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// No connection yet; each is made when a step first needs it.
    pub fn new(source: Arc<dyn CredentialSource>) -> Self {
        Self::with(source, Arc::new(System))
    }

    /// The same, with somebody else to look up names.
    pub(super) fn with(source: Arc<dyn CredentialSource>, lookup: Arc<dyn Lookup>) -> Self {
        Self {
            inner: Arc::new(Inner {
                source,
                lookup,
                clients: Mutex::new(LruCache::new(CLIENTS)),
                cache: Cache::default(),
            }),
        }
    }

    pub(super) fn cache(&self) -> &Cache {
        &self.inner.cache
    }

    /// The credential that a step names.
    ///
    /// # Errors
    /// If there is none, or the step may not use it: they look alike.
    pub(super) async fn credential(&self, scope: &Scope, alias: &str) -> Result<Named, Error> {
        let denied = || {
            scope.caller.denied("credential", alias);
            Error::Denied(format!(
                "there is no credential `{alias}` for HTTP, or this step may not use it"
            ))
        };
        if !scope.may_use(alias) {
            return Err(denied());
        }
        let tenant = &*scope.caller.tenant;
        let found = self.inner.source.find(tenant, alias).await;
        let found = found.map_err(|error| {
            let error = format!("{error:#}");
            tracing::error!(tenant, alias, error, "a credential could not be looked up");
            Error::Other(format!(
                "the credential `{alias}` could not be looked up; the server's log says why"
            ))
        })?;
        let alias = alias.to_owned();
        found
            .map(|credential| Named { alias, credential })
            .ok_or_else(denied)
    }

    /// Sends a request to where the step may go, and waits for the head of the answer.
    ///
    /// # Errors
    /// If the step may not go there, or there is no answer.
    pub(super) async fn send(&self, scope: &Scope, hop: &Hop) -> Result<reqwest::Response, Error> {
        target::allow(scope, &hop.url)?;
        let mut headers = hop.headers.clone();
        if let Some(credential) = &hop.credential {
            credential.add_to(&mut headers, &hop.url)?;
        }
        let client = self.connections(scope, &hop.url)?;
        let mut request = client
            .request(hop.method.clone(), hop.url.clone())
            .headers(headers);
        if !hop.body.is_empty() {
            request = request.body(hop.body.clone());
        }
        request
            .send()
            .await
            .map_err(|error| failed(scope, &hop.url, &error))
    }

    /// The tenant's connections that may lead to the URL.
    fn connections(&self, scope: &Scope, url: &Url) -> Result<reqwest::Client, Error> {
        let reach = Reach {
            tenant: scope.caller.tenant.clone(),
            granted: target::granted_addresses(scope, url),
        };
        let mut clients = self.inner.clients.lock().expect("no panic while held");
        if let Some(client) = clients.get(&reach) {
            return Ok(client.clone());
        }
        let resolver = Checked {
            lookup: Arc::clone(&self.inner.lookup),
            granted: reach.granted.clone(),
        };
        let client = client(resolver).map_err(|error| {
            tracing::error!(%error, "no HTTP client could be made");
            Error::Other("no HTTP client could be made; the server's log says why".into())
        })?;
        clients.put(reach, client.clone());
        Ok(client)
    }
}

fn client(resolver: Checked) -> reqwest::Result<reqwest::Client> {
    crate::tls::choose_provider();
    reqwest::Client::builder()
        .dns_resolver(Arc::new(resolver))
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .user_agent(concat!("noetl/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build()
}

/// Why there is no answer. Only the innermost cause is told: those around it quote
/// the URL.
pub(super) fn failed(scope: &Scope, url: &Url, error: &reqwest::Error) -> Error {
    let host = target::host(url);
    let mut cause: &(dyn StdError + 'static) = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if let Some(NotPublic { name, address }) = cause.downcast_ref() {
        scope.caller.denied("host", &format!("{name} [{address}]"));
        return Error::Denied(format!(
            "the host `{host}` has an address that is not public; if it may be reached all the \
             same, the operator can add the address itself to `hosts` in the grants file"
        ));
    }
    if error.is_builder() {
        return Error::InvalidRequest("the request can't be sent".into());
    }
    if error.is_timeout() {
        return Error::Timeout(format!(
            "no connection to `{host}` within {} s",
            CONNECT_TIMEOUT.as_secs()
        ));
    }
    match error.is_connect() {
        true => Error::ConnectionFailed(format!("no connection to `{host}`: {cause}")),
        false => Error::ConnectionFailed(format!("the connection to `{host}` broke: {cause}")),
    }
}
