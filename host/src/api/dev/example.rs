//! The page of `examples/auth0-login/`, compiled in: the binary needs no checkout.

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// The page loads nothing from elsewhere and talks to this server alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../../examples/auth0-login/", $name))
    };
}

/// Path below `/examples/auth0-login/`, content type, text.
const FILES: [(&str, &str, &str); 7] = [
    ("", HTML, file!("index.html")),
    ("style.css", STYLE, file!("style.css")),
    ("app.js", SCRIPT, file!("app.js")),
    ("config.js", SCRIPT, file!("config.js")),
    ("noetl.js", SCRIPT, file!("noetl.js")),
    ("oidc.js", SCRIPT, file!("oidc.js")),
    ("problem.js", SCRIPT, file!("problem.js")),
];

pub(super) fn router() -> Router {
    let slash = || async { Redirect::permanent("/examples/auth0-login/") };
    let router = Router::new().route("/examples/auth0-login", get(slash));
    FILES
        .iter()
        .fold(router, |router, &(name, content_type, text)| {
            let path = format!("/examples/auth0-login/{name}");
            router.route(&path, get(move || async move { serve(content_type, text) }))
        })
}

fn serve(content_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        // A new build of the server is a new page.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
