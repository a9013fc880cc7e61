//! Where a request may go.

use std::net::IpAddr;

use url::Url;

use super::Error;
use crate::capabilities::Scope;
use crate::tool::Hosts;

/// The longest URL, in bytes.
const URL_BYTES: usize = 16 << 10;

/// Reads a URL that a request can go to.
///
/// # Errors
/// Why it can't; the URL is not quoted, since a secret may be in it.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    if text.len() > URL_BYTES {
        return Err(format!("the URL has more than {URL_BYTES} bytes"));
    }
    let url = Url::parse(text).map_err(|error| format!("the URL is none: {error}"))?;
    check(url)
}

/// The URL if a request can go to it, without its fragment.
pub(super) fn check(mut url: Url) -> Result<Url, String> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the URL begins with neither `http:` nor `https:`".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL has a user or a password in it; name a credential instead".into());
    }
    if url.port() == Some(0) {
        return Err("the URL has the port 0".into());
    }
    url.set_fragment(None);
    Ok(url)
}

/// The host with its port, for people.
pub(super) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether the step may talk to the URL's host.
///
/// # Errors
/// If not; says who can change that. It is in the log then.
pub(super) fn allow(scope: &Scope, url: &Url) -> Result<(), Error> {
    let host = host(url);
    let denied = |message: String| {
        scope.caller.denied("host", &host);
        Err(Error::Denied(message))
    };
    if !scope.grant.hosts.iter().any(|granted| granted.covers(url)) {
        return denied(format!(
            "the host `{host}` is not granted to the tenant `{}`; the operator can add it to \
             `hosts` in the grants file",
            scope.caller.tenant
        ));
    }
    let asked = scope.capabilities.as_deref().map(|asked| &asked.http);
    match asked {
        Some(Hosts::Only(hosts)) if !hosts.iter().any(|asked| asked.covers(url)) => {
            denied(format!(
                "the tool's manifest does not ask for the host `{host}`; its author can add it \
                 to `http` under `[capabilities]`"
            ))
        }
        _ => Ok(()),
    }
}

/// The addresses that are granted as such for the URL's port.
pub(super) fn granted_addresses(scope: &Scope, url: &Url) -> Vec<IpAddr> {
    let hosts = scope.grant.hosts.iter();
    let mut addresses: Vec<_> = hosts
        .filter(|granted| granted.has_port_of(url))
        .filter_map(|granted| granted.address())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_it_is_sent() {
        for (text, read) in [
            ("HTTPS://Example.COM:443/a?b#c", "https://example.com/a?b"),
            ("http://example.com:80", "http://example.com/"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://2130706433/", "http://127.0.0.1/"),
            ("http://127.1/", "http://127.0.0.1/"),
            ("http://0177.0.0.1/", "http://127.0.0.1/"),
            ("http://①②⑦.0.0.1/", "http://127.0.0.1/"),
            ("http://%6cocalhost/", "http://localhost/"),
            ("http://bücher.example/", "http://xn--bcher-kva.example/"),
            (
                "http://granted\\@evil.example/",
                "http://granted/@evil.example/",
            ),
            ("http:\\\\example.com\\a", "http://example.com/a"),
            ("http://example.com/a/../../b", "http://example.com/b"),
        ] {
            assert_eq!(parse(text).map(String::from), Ok(read.into()), "{text}");
        }
    }

    #[test]
    fn a_url_that_could_mean_something_else_is_refused() {
        for text in [
            "",
            "/a",
            "//example.com/",
            "example.com",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "data:,x",
            "unix:/run/socket",
            "http://",
            "http://user@example.com/",
            "http://user:password@example.com/",
            "http://granted.example@evil.example/",
            "http://:password@example.com/",
            "http://example.com:0/",
            "http://example.com:65536/",
            "http://example.com:80:81/",
            "http://example.com:80x/",
            "http://[fe80::1%25eth0]/",
            "http://[fe80::1%eth0]/",
            "http://256.256.256.256/",
            "http://exa mple.com/",
            "http://exa%00mple.com/",
            "http://exa%2fmple.com/",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let long = format!("http://example.com/{}", "a".repeat(URL_BYTES));
        assert!(parse(&long).is_err());
    }
}
