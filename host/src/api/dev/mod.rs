//! What the server offers in development only: the example page, and a stand-in
//! for an identity provider, so that the page's login can be tried without an
//! account anywhere.
//!
//! The stand-in signs a token for whatever name and email it is told. It must
//! never be mounted where people can reach it whom the server does not trust.

mod example;
mod idp;
mod origin;
#[cfg(test)]
mod tests;

use axum::Router;

/// Routes to be merged into the server's own, in development:
///
/// - `/examples/auth0-login/`: the example page;
/// - `/dev/idp/`: the identity provider stand-in (OpenID Connect, implicit flow).
///
/// The router needs no state from its caller. The stand-in makes its signing key
/// when it is first asked for, and the key is gone with the router.
pub fn router() -> Router {
    Router::new().merge(example::router()).merge(idp::router())
}
