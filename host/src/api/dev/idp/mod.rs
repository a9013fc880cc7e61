//! A stand-in for an identity provider: OpenID Connect with the implicit flow,
//! tokens signed with RS256, laid out like an Auth0 tenant under `/dev/idp/`.
//!
//! There is no password and no account. Whoever can open the form can be anyone.

mod authorize;
mod claims;
mod key;
mod pages;
mod request;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::origin::Origin;
use key::KeyHolder;

/// Ends with a slash, as the issuer of an Auth0 tenant does.
const ISSUER_PATH: &str = "/dev/idp/";

/// What every route of the stand-in shares.
type Keys = State<Arc<KeyHolder>>;

pub(super) fn router() -> Router {
    Router::new()
        .route(
            "/dev/idp/authorize",
            get(authorize::show_form).post(authorize::answer_form),
        )
        .route("/dev/idp/.well-known/jwks.json", get(jwks))
        .route(
            "/dev/idp/.well-known/openid-configuration",
            get(configuration),
        )
        .route("/dev/idp/style.css", get(style))
        .with_state(Arc::new(KeyHolder::default()))
}

/// OpenID Connect Discovery 1.0, section 3.
async fn configuration(origin: Origin) -> Response {
    let document = json!({
        "issuer": origin.join(ISSUER_PATH),
        "authorization_endpoint": origin.join("/dev/idp/authorize"),
        "jwks_uri": origin.join("/dev/idp/.well-known/jwks.json"),
        "response_types_supported": ["id_token"],
        "response_modes_supported": ["fragment"],
        "grant_types_supported": ["implicit"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "profile", "email"],
        "claims_supported": [
            "iss", "sub", "aud", "iat", "exp", "nonce", "name", "email", "email_verified",
        ],
    });
    (public_headers(), Json(document)).into_response()
}

/// The public half of the signing key (RFC 7517).
async fn jwks(State(keys): Keys) -> Response {
    match keys.get().await {
        Ok(key) => (public_headers(), Json(json!({"keys": [key.jwk()]}))).into_response(),
        Err(error) => no_key(&error),
    }
}

async fn style() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, include_str!("style.css")).into_response()
}

/// Any page may read what is public; a new server has a new key.
fn public_headers() -> [(HeaderName, &'static str); 2] {
    [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (CACHE_CONTROL, "no-store"),
    ]
}

fn no_key(error: &key::KeyError) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}
