//! The server's own origin, as the client sees it.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::request::Parts;
use url::{Host, Url};

/// `http://` and the request's `Host`: the address that the browser shows.
pub(super) struct Origin(Url);

impl Origin {
    /// The URL of `path`, which begins with `/`.
    pub(super) fn join(&self, path: &str) -> String {
        let mut url = self.0.clone();
        url.set_path(path);
        url.into()
    }

    /// Whether `url` leads back to this server or to this machine.
    pub(super) fn trusts(&self, url: &Url) -> bool {
        let loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        matches!(url.scheme(), "http" | "https") && (loopback || url.origin() == self.0.origin())
    }
}

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        // HTTP/2 has the authority in the request line instead.
        let host = match parts.headers.get(HOST) {
            Some(value) => value.to_str().ok(),
            None => parts.uri.authority().map(|authority| authority.as_str()),
        };
        host.and_then(|host| Url::parse(&format!("http://{host}")).ok())
            // Anything but host and port would have changed the rest of the URL.
            .filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
            .filter(|url| url.username().is_empty() && url.password().is_none())
            .map(Origin)
            .ok_or((
                StatusCode::BAD_REQUEST,
                "the request's Host header must be a host, or host:port",
            ))
    }
}
