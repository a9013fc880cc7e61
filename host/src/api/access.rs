//! Finds out who calls, before a route sees the request.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Span;
use url::{Host, Url};

use super::answer::Problem;
use crate::access::{Principal, Role};
use crate::app::App;
use crate::visible::visible;

/// How the routes come to know their caller.
#[derive(Clone)]
pub(super) struct Entrance {
    pub app: App,
    /// The only caller that there is.
    pub principal: Option<Principal>,
}

/// Puts the [`Principal`] into the request, or refuses it.
pub(super) async fn authenticate(
    State(entrance): State<Entrance>,
    mut request: Request,
    next: Next,
) -> Response {
    let principal = match entrance.principal {
        Some(principal) => Ok(principal),
        None => known(&entrance.app, request.headers()).await,
    };
    match principal {
        Ok(principal) => {
            Span::current().record("tenant", visible(&principal.tenant));
            request.extensions_mut().insert(principal);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn known(app: &App, headers: &HeaderMap) -> Result<Principal, Box<Problem>> {
    let authorization = match headers.get(header::AUTHORIZATION) {
        None => None,
        Some(value) => Some(value.to_str().map_err(|_| {
            Problem::bad_request("the header Authorization holds more than visible ASCII")
        })?),
    };
    if authorization.is_none() && !app.inner.access.required() {
        from_this_machine(headers)?;
    }
    app.inner
        .access
        .authenticate(authorization)
        .await
        .map_err(|error| Box::new(Problem::unauthenticated(&error)))
}

/// A browser on this machine shows pages of others. What these send to a server
/// that asks nobody who they are is refused: by the name that they know it by, or by
/// where they are from.
fn from_this_machine(headers: &HeaderMap) -> Result<(), Box<Problem>> {
    let refused = |why: &str| {
        Box::new(Problem::forbidden(format!(
            "this server is open to this machine alone, and {why}"
        )))
    };
    let text = |name| headers.get(name).map(|v| v.to_str().unwrap_or_default());
    let Some(host) = text(header::HOST) else {
        return Ok(());
    };
    let Ok(server) = Url::parse(&format!("http://{host}")) else {
        return Err(refused("the request's Host is not a host"));
    };
    let here = match server.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if !here {
        return Err(refused(
            "the request names another: call it localhost or 127.0.0.1",
        ));
    }
    match text(header::ORIGIN) {
        Some(origin) if Url::parse(origin).map(|o| o.origin()) != Ok(server.origin()) => {
            Err(refused("the request is from another site's page"))
        }
        _ => Ok(()),
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let principal = parts.extensions.get::<Self>().cloned();
        Ok(principal.expect("every route that asks is behind `authenticate`"))
    }
}

impl Principal {
    /// Refuses a caller of a lesser role.
    ///
    /// # Errors
    /// The problem that it is to be told.
    pub(super) fn needs(&self, role: Role) -> Result<(), Box<Problem>> {
        match self.role >= role {
            true => Ok(()),
            false => Err(Box::new(Problem::needs(role, self))),
        }
    }
}
