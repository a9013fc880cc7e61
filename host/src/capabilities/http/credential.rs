//! Secrets that the host adds to requests.

use std::fmt;

use async_trait::async_trait;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::{Error, headers, target};
use crate::grants::HostPattern;
use crate::secrets::Secret;

/// A secret, and where it may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// How it is shown.
    pub login: Login,
    /// The hosts that get to see it: at least one.
    pub hosts: Vec<HostPattern>,
}

/// How a secret is shown to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// `authorization: Bearer …`
    Bearer {
        /// What follows.
        token: Secret,
    },
    /// `authorization: Basic …`
    Basic {
        /// Who; without a colon.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// A header of its own.
    Header {
        /// The header's name.
        name: String,
        /// Its value.
        value: Secret,
    },
}

/// Where credentials are kept.
#[async_trait]
pub trait CredentialSource: Send + Sync + 'static {
    /// A tenant's credential, or `None` if the tenant has none for HTTP by that
    /// alias.
    async fn find(&self, tenant: &str, alias: &str) -> anyhow::Result<Option<Credential>>;
}

/// A credential as it is kept: what is secret about it, and where that may go.
#[derive(Deserialize)]
struct Kept {
    secret: Secret,
    /// Of [`Login::Basic`] the user, of [`Login::Header`] the header's name.
    name: String,
    hosts: Vec<String>,
}

impl Login {
    /// The type of credentials that are shown like this: `bearer`, `basic` or
    /// `header`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Bearer { .. } => "bearer",
            Self::Basic { .. } => "basic",
            Self::Header { .. } => "header",
        }
    }

    /// The header that shows it.
    fn header(&self) -> Result<(HeaderName, HeaderValue), &'static str> {
        let (name, value) = match self {
            Self::Bearer { token } => (
                AUTHORIZATION,
                Zeroizing::new(format!("Bearer {}", token.expose())),
            ),
            Self::Basic { user, password } => {
                if user.contains(':') {
                    return Err("its user has a colon, which no user can have");
                }
                let both = Zeroizing::new(format!("{user}:{}", password.expose()));
                let both = Zeroizing::new(BASE64_STANDARD.encode(both.as_bytes()));
                (AUTHORIZATION, Zeroizing::new(format!("Basic {}", *both)))
            }
            Self::Header { name, value } => (
                headers::name(name).map_err(|_| "its header is one that a request can't have")?,
                Zeroizing::new(value.expose().to_owned()),
            ),
        };
        let mut value = HeaderValue::from_bytes(value.as_bytes())
            .map_err(|_| "its secret has characters that no header can have")?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Bearer { token: secret } | Self::Header { value: secret, .. } => {
                secret.expose().is_empty()
            }
            Self::Basic { user, password } => user.is_empty() && password.expose().is_empty(),
        }
    }
}

impl Credential {
    /// Whether it can be used.
    ///
    /// # Errors
    /// Why not; nothing of it is quoted.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.hosts.is_empty() {
            return Err("it has no host; name those that the secret may be sent to");
        }
        if self.login.is_empty() {
            return Err("its secret is empty");
        }
        self.login.header().map(drop)
    }

    /// It as one text, to be kept encrypted.
    #[must_use]
    pub fn to_secret(&self) -> Secret {
        let (name, secret) = match &self.login {
            Login::Bearer { token } => ("", token),
            Login::Basic { user, password } => (&**user, password),
            Login::Header { name, value } => (&**name, value),
        };
        let hosts: Vec<_> = self.hosts.iter().map(ToString::to_string).collect();
        let kept = json!({"secret": secret.expose(), "name": name, "hosts": hosts});
        Secret::new(kept.to_string())
    }

    /// A credential of this type out of the text that was kept; `None` if the type is
    /// not one for HTTP.
    ///
    /// # Errors
    /// If the text is none; it is not quoted.
    pub fn from_secret(kind: &str, text: &Secret) -> anyhow::Result<Option<Self>> {
        if !["bearer", "basic", "header"].contains(&kind) {
            return Ok(None);
        }
        let unreadable = || anyhow::anyhow!("what is kept of the credential can't be read");
        let kept: Kept = serde_json::from_str(text.expose()).map_err(|_| unreadable())?;
        let login = match kind {
            "bearer" => Login::Bearer { token: kept.secret },
            "basic" => Login::Basic {
                user: kept.name,
                password: kept.secret,
            },
            _ => Login::Header {
                name: kept.name,
                value: kept.secret,
            },
        };
        let hosts: Result<_, _> = kept.hosts.iter().map(|host| host.parse()).collect();
        let hosts = hosts.map_err(|_: String| unreadable())?;
        Ok(Some(Self { login, hosts }))
    }
}

/// A credential that a step uses, with its alias.
#[derive(Clone)]
pub(super) struct Named {
    pub alias: String,
    pub credential: Credential,
}

impl Named {
    /// Adds it to a request to this URL.
    ///
    /// # Errors
    /// If the secret may not be sent there, or the request has such a header.
    pub fn add_to(&self, headers: &mut HeaderMap, url: &Url) -> Result<(), Error> {
        let Self { alias, credential } = self;
        let host = target::host(url);
        let Some(pattern) = credential.hosts.iter().find(|pattern| pattern.covers(url)) else {
            return Err(Error::Denied(format!(
                "the credential `{alias}` is not for the host `{host}`; it can be stored again \
                 with that host"
            )));
        };
        let is_named_as_near = pattern.address().is_some() || pattern.host == "localhost";
        if url.scheme() != "https" && !is_named_as_near {
            return Err(Error::Denied(format!(
                "the credential `{alias}` is sent over `https:` only"
            )));
        }
        let (name, value) = credential.login.header().map_err(|why| {
            Error::Other(format!("the credential `{alias}` can't be used: {why}"))
        })?;
        if headers.contains_key(&name) {
            return Err(Error::InvalidRequest(format!(
                "the header `{name}` is set by the credential `{alias}`"
            )));
        }
        headers.insert(name, value);
        Ok(())
    }
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Named").field(&self.alias).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(login: Login, hosts: &[&str]) -> Credential {
        let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        Credential { login, hosts }
    }

    fn bearer(token: &str, hosts: &[&str]) -> Credential {
        credential(
            Login::Bearer {
                token: Secret::new(token),
            },
            hosts,
        )
    }

    fn sent(credential: &Credential, url: &str) -> Result<HeaderMap, Error> {
        let mut headers = HeaderMap::new();
        let named = Named {
            alias: "api".into(),
            credential: credential.clone(),
        };
        named.add_to(&mut headers, &Url::parse(url).unwrap())?;
        Ok(headers)
    }

    #[test]
    fn each_type_is_shown_in_its_own_way_and_kept_as_it_is() {
        let hosts = ["api.example.com", "*.example.org:8443"];
        for (login, header, value) in [
            (
                Login::Bearer {
                    token: Secret::new("t0k"),
                },
                "authorization",
                "Bearer t0k",
            ),
            (
                Login::Basic {
                    user: "ada".into(),
                    password: Secret::new("a:b"),
                },
                "authorization",
                "Basic YWRhOmE6Yg==",
            ),
            (
                Login::Header {
                    name: "X-Api-Key".into(),
                    value: Secret::new("k"),
                },
                "x-api-key",
                "k",
            ),
        ] {
            let credential = credential(login, &hosts);
            credential.check().unwrap();
            let headers = sent(&credential, "https://api.example.com/").unwrap();
            assert_eq!(headers[header], value);
            assert!(headers[header].is_sensitive());
            let (kind, kept) = (credential.login.kind(), credential.to_secret());
            let again = Credential::from_secret(kind, &kept).unwrap();
            assert_eq!(again, Some(credential));
        }
        let other = Credential::from_secret("postgres", &Secret::new("postgres://a")).unwrap();
        assert_eq!(other, None);
        let broken = Credential::from_secret("bearer", &Secret::new("hunter2")).unwrap_err();
        assert!(!format!("{broken:?}").contains("hunter2"));
    }

    #[test]
    fn a_secret_goes_to_its_hosts_only_and_not_in_the_open() {
        let credential = bearer(
            "t",
            &[
                "a.example",
                "*.b.example:8443",
                "127.0.0.1:80",
                "localhost:8080",
            ],
        );
        for url in [
            "https://a.example/",
            "https://x.b.example:8443/",
            "http://127.0.0.1/",
            "http://localhost:8080/",
        ] {
            assert!(sent(&credential, url).is_ok(), "{url}");
        }
        for url in [
            "http://a.example/",
            "https://a.example:444/",
            "https://x.a.example/",
            "http://x.b.example:8443/",
            "https://evil.example/",
            "http://127.0.0.1:81/",
        ] {
            let error = sent(&credential, url).unwrap_err();
            assert!(matches!(error, Error::Denied(_)), "{url}");
        }
    }

    #[test]
    fn what_can_not_be_sent_is_not_stored() {
        let hosts = ["a.example"];
        for credential in [
            bearer("t", &[]),
            bearer("", &hosts),
            bearer("a\r\nhost: evil", &hosts),
            credential(
                Login::Basic {
                    user: "a:b".into(),
                    password: Secret::new("c"),
                },
                &hosts,
            ),
            credential(
                Login::Header {
                    name: "host".into(),
                    value: Secret::new("c"),
                },
                &hosts,
            ),
            credential(
                Login::Header {
                    name: "a b".into(),
                    value: Secret::new("c"),
                },
                &hosts,
            ),
            credential(
                Login::Header {
                    name: "a".into(),
                    value: Secret::new("c\n"),
                },
                &hosts,
            ),
        ] {
            assert!(credential.check().is_err(), "{credential:?}");
        }
    }

    #[test]
    fn a_header_of_the_guest_does_not_stand_beside_the_credential() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer mine"));
        let named = Named {
            alias: "api".into(),
            credential: bearer("t", &["a.example"]),
        };
        let error = named.add_to(&mut headers, &Url::parse("https://a.example").unwrap());
        assert!(matches!(error, Err(Error::InvalidRequest(_))));
        assert_eq!(headers[AUTHORIZATION], "Bearer mine");
    }
}
