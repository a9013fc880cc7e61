//! The console: a page for people, built from `console/` and kept in the program.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::answer::Problem;
use crate::app::App;

#[derive(RustEmbed)]
#[folder = "../build/console"]
#[allow_missing = true]
struct Files;

/// The page runs its own scripts and styles, talks to this server, and is shown in
/// no other page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(async || Redirect::temporary("/console/")))
        .route("/console", get(async || Redirect::permanent("/console/")))
        .route("/console/", get(async || file("index.html")))
        .route(
            "/console/{*path}",
            get(async |Path(path): Path<String>| file(&path)),
        )
}

fn file(path: &str) -> Response {
    let Some(EmbeddedFile { data, metadata }) = Files::get(path) else {
        return Problem::not_found(match Files::iter().next() {
            Some(_) => "the console has no such file",
            None => "this program was built without the console; `make build` builds it",
        })
        .into_response();
    };
    // Every other file has a digest of its content in its name.
    let cache = match path {
        "index.html" => "no-cache",
        _ => "public, max-age=31536000, immutable",
    };
    let kind = HeaderValue::from_str(metadata.mimetype())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (headers, data).into_response()
}
