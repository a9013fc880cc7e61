//! What an application asks of the provider (OpenID Connect Core 1.0, section
//! 3.2.2.1), and whether it may.

use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::super::origin::Origin;

/// The query of `/authorize` as it came. The sign-in form sends it along, since
/// the stand-in remembers nothing between the two requests.
#[derive(Deserialize)]
pub(super) struct Parameters {
    response_type: Option<String>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    nonce: Option<String>,
}

impl Parameters {
    /// Name and value of each one that was given.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        [
            ("response_type", &self.response_type),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", &self.scope),
            ("state", &self.state),
            ("nonce", &self.nonce),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// Why a request can't be served.
pub(super) enum Refusal {
    /// It is not known to whom the answer could go, so the person is told.
    Here(String),
    /// The application is told, by a redirect to this URL.
    There(Url),
}

/// A request that can be answered.
pub(super) struct Request<'a> {
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    redirect_uri: Url,
    state: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// Checks `parameters`. The address for the answer comes first: a redirect to
    /// an unchecked one would make the stand-in a way to send people anywhere.
    pub(super) fn check(parameters: &'a Parameters, origin: &Origin) -> Result<Self, Refusal> {
        let redirect_uri = check_redirect_uri(parameters.redirect_uri.as_deref(), origin)?;
        let client_id = given(&parameters.client_id)
            .ok_or_else(|| Refusal::Here("client_id is missing".into()))?;
        let request = Self {
            client_id,
            nonce: given(&parameters.nonce).unwrap_or_default(),
            redirect_uri,
            state: parameters.state.as_deref(),
        };

        let scope = parameters.scope.as_deref().unwrap_or_default();
        if parameters.response_type.as_deref() != Some("id_token") {
            let why = "response_type must be id_token, the stand-in knows no other";
            Err(Refusal::There(
                request.error("unsupported_response_type", why),
            ))
        } else if !scope.split(' ').any(|scope| scope == "openid") {
            let why = "scope must contain openid";
            Err(Refusal::There(request.error("invalid_scope", why)))
        } else if request.nonce.is_empty() {
            let why = "nonce is missing, and the implicit flow needs one";
            Err(Refusal::There(request.error("invalid_request", why)))
        } else {
            Ok(request)
        }
    }

    /// The application's address with `id_token` in the fragment.
    pub(super) fn success(&self, id_token: &str) -> Url {
        self.answer(&[("id_token", id_token)])
    }

    /// The application's address with an error (RFC 6749, section 4.2.2.1) in the
    /// fragment.
    pub(super) fn error(&self, code: &str, description: &str) -> Url {
        self.answer(&[("error", code), ("error_description", description)])
    }

    /// The origin that the form's answer leads to, for the page's policy.
    pub(super) fn redirect_origin(&self) -> String {
        self.redirect_uri.origin().ascii_serialization()
    }

    fn answer(&self, pairs: &[(&str, &str)]) -> Url {
        let mut fragment = Serializer::new(String::new());
        fragment.extend_pairs(pairs);
        if let Some(state) = self.state {
            fragment.append_pair("state", state);
        }
        let mut url = self.redirect_uri.clone();
        url.set_fragment(Some(&fragment.finish()));
        url
    }
}

fn check_redirect_uri(text: Option<&str>, origin: &Origin) -> Result<Url, Refusal> {
    let text = text.ok_or_else(|| Refusal::Here("redirect_uri is missing".into()))?;
    let url = Url::parse(text)
        .map_err(|error| Refusal::Here(format!("redirect_uri “{text}” is not a URL: {error}")))?;
    if url.fragment().is_some() {
        let why = format!("redirect_uri “{text}” must not have a fragment, the answer goes there");
        return Err(Refusal::Here(why));
    }
    if !origin.trusts(&url) {
        let why = format!(
            "redirect_uri “{text}” leads elsewhere: the stand-in only sends tokens to this \
             server or to this machine (localhost, 127.0.0.1, [::1])"
        );
        return Err(Refusal::Here(why));
    }
    Ok(url)
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
