//! One request, and where its answer leads.

use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, COOKIE,
    HeaderMap, HeaderValue,
};
use reqwest::{Method, StatusCode};
use tokio_util::bytes::Bytes;
use url::Url;

use super::credential::Named;
use super::{Error, Request, headers, target};

/// Redirects that are followed at most, whatever a step asks for.
pub(super) const REDIRECTS: u32 = 10;
/// The longest method, in bytes.
const METHOD_BYTES: usize = 32;

/// What is sent to one server.
#[derive(Debug, Clone)]
pub(super) struct Hop {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// Added to what is sent.
    pub credential: Option<Named>,
}

impl Hop {
    /// The first one, without its credential.
    ///
    /// # Errors
    /// If the request can't be sent.
    pub fn first(request: Request) -> Result<Self, Error> {
        let method = Method::from_bytes(request.method.as_bytes()).ok();
        // CONNECT asks for a tunnel, and TRACE for what the host has added.
        let method = method.filter(|method| {
            method.as_str().len() <= METHOD_BYTES
                && !matches!(*method, Method::CONNECT | Method::TRACE)
        });
        let method = method.ok_or_else(|| {
            Error::InvalidRequest("the method is none that can be sent, such as `GET`".into())
        })?;
        Ok(Self {
            method,
            url: target::parse(&request.url).map_err(Error::InvalidRequest)?,
            headers: headers::of_request(&request.headers).map_err(Error::InvalidRequest)?,
            body: request.body.into(),
            credential: None,
        })
    }

    /// Where the answer leads, if that is somewhere else.
    ///
    /// # Errors
    /// If nobody should go there.
    pub fn next(
        &self,
        status: StatusCode,
        location: Option<&HeaderValue>,
    ) -> Result<Option<Self>, Error> {
        let becomes_get = match status {
            StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => self.method == Method::POST,
            StatusCode::SEE_OTHER => self.method != Method::HEAD,
            StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => false,
            _ => return Ok(None),
        };
        let Some(location) = location else {
            return Ok(None);
        };
        let denied = |why: &str| {
            let host = target::host(&self.url);
            Error::Denied(format!("`{host}` redirects to where nobody is sent: {why}"))
        };
        let location =
            std::str::from_utf8(location.as_bytes()).map_err(|_| denied("it is no URL"))?;
        let url = self
            .url
            .join(location)
            .map_err(|_| denied("it is no URL"))?;
        let url = target::parse(url.as_str()).map_err(|why| denied(&why))?;
        if self.url.scheme() == "https" && url.scheme() != "https" {
            return Err(denied("from `https:` to `http:`"));
        }
        let mut next = self.clone();
        if becomes_get {
            next.method = Method::GET;
            next.body = Bytes::new();
            for name in [
                CONTENT_TYPE,
                CONTENT_ENCODING,
                CONTENT_LANGUAGE,
                CONTENT_LOCATION,
            ] {
                next.headers.remove(name);
            }
        }
        if url.origin() != self.url.origin() {
            next.credential = None;
            next.headers.remove(AUTHORIZATION);
            next.headers.remove(COOKIE);
        }
        next.url = url;
        Ok(Some(next))
    }
}

#[cfg(test)]
mod tests {
    use super::super::credential::{Credential, Login};
    use super::*;
    use crate::secrets::Secret;

    fn hop(method: &str, url: &str) -> Hop {
        let header = |name: &str| (name.to_owned(), "x".to_owned());
        let request = Request {
            method: method.into(),
            url: url.into(),
            headers: ["authorization", "cookie", "content-type", "accept"]
                .map(header)
                .into(),
            body: b"body".into(),
            ..Request::default()
        };
        let login = Login::Bearer {
            token: Secret::new("t"),
        };
        let credential = Credential {
            login,
            hosts: Vec::new(),
        };
        Hop {
            credential: Some(Named {
                alias: "api".into(),
                credential,
            }),
            ..Hop::first(request).unwrap()
        }
    }

    fn next(method: &str, from: &str, status: u16, to: &str) -> Result<Option<Hop>, Error> {
        let location = HeaderValue::from_str(to).unwrap();
        hop(method, from).next(StatusCode::from_u16(status).unwrap(), Some(&location))
    }

    #[test]
    fn methods_and_bodies_are_kept_or_become_a_get() {
        for (status, method, becomes) in [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (303, "POST", "GET"),
            (303, "PUT", "GET"),
            (303, "HEAD", "HEAD"),
            (301, "PUT", "PUT"),
            (302, "DELETE", "DELETE"),
            (307, "POST", "POST"),
            (308, "POST", "POST"),
            (301, "GET", "GET"),
        ] {
            let next = next(method, "https://a.example/x/y", status, "z")
                .unwrap()
                .unwrap();
            assert_eq!(next.method, becomes, "{status} {method}");
            assert_eq!(next.url.as_str(), "https://a.example/x/z");
            let keeps = becomes == method && method != "GET" || status == 301 && method == "GET";
            assert_eq!(!next.body.is_empty(), keeps, "{status} {method}");
            assert_eq!(next.headers.contains_key(CONTENT_TYPE), keeps);
            assert!(next.headers.contains_key(AUTHORIZATION) && next.credential.is_some());
        }
        for status in [200, 201, 204, 300, 304, 305, 306, 400, 500] {
            let next = next("GET", "https://a.example/", status, "/b").unwrap();
            assert!(next.is_none(), "{status}");
        }
        let nowhere = hop("GET", "https://a.example/").next(StatusCode::FOUND, None);
        assert!(nowhere.unwrap().is_none());
    }

    #[test]
    fn secrets_stay_with_their_origin() {
        for to in [
            "https://b.example/",
            "//b.example/",
            "https://a.example:8443/",
            "https://x.a.example/",
            "https://a.example./",
        ] {
            let next = next("GET", "https://a.example/", 307, to).unwrap().unwrap();
            assert!(!next.headers.contains_key(AUTHORIZATION), "{to}");
            assert!(!next.headers.contains_key(COOKIE), "{to}");
            assert!(next.credential.is_none(), "{to}");
            assert!(next.headers.contains_key("accept"));
        }
        let upgraded = next("GET", "http://a.example/", 301, "https://a.example/");
        assert!(upgraded.unwrap().unwrap().credential.is_none());
    }

    #[test]
    fn nobody_is_sent_to_what_is_no_good_url() {
        for to in [
            "http://a.example/",
            "ftp://a.example/",
            "file:///etc/passwd",
            "https://user@a.example/",
            "https://a.example:0/",
            "https://[::1/",
            "data:,x",
        ] {
            let error = next("GET", "https://a.example/", 302, to).unwrap_err();
            assert!(matches!(error, Error::Denied(_)), "{to}");
        }
    }

    #[test]
    fn a_method_is_a_word_that_asks_for_an_answer() {
        for method in ["GET", "POST", "PROPFIND", "get"] {
            assert_eq!(hop(method, "https://a.example/").method, method);
        }
        for method in ["", "CONNECT", "TRACE", "GE T", "GET\r\n", &"A".repeat(33)] {
            let request = Request {
                method: method.into(),
                url: "https://a.example/".into(),
                ..Request::default()
            };
            assert!(Hop::first(request).is_err(), "{method}");
        }
    }
}
