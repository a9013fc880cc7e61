//! axum's extractors, with refusals that are problems.

use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::answer::Problem;
use crate::integers::too_long;
use crate::visible::brief;

/// A JSON body.
pub(super) struct Json<T>(pub(super) T);

/// A JSON body, or none.
pub(super) struct OptionalJson<T>(pub(super) Option<T>);

/// A path's parameters.
pub(super) struct Path<T>(pub(super) T);

/// A query's parameters.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = bytes(Request::from_parts(parts.clone(), body), state).await?;
        let request = Request::from_parts(parts, bytes.clone().into());
        let axum::Json(body) = axum::Json::from_request(request, state)
            .await
            .map_err(unreadable)?;
        exact(&bytes)?;
        Ok(Self(body))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // The database's texts can't hold it.
        if parts.uri.path().contains("%00") {
            return Err(Problem::bad_request("a path can't hold a NUL character"));
        }
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(parameters)| Self(parameters))
            .map_err(|e: PathRejection| Problem::unreadable(e.status(), e.body_text()))
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = bytes(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        let axum::Json(body) = axum::Json::from_bytes(&bytes).map_err(unreadable)?;
        exact(&bytes)?;
        Ok(Self(body))
    }
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state)
        .await
        .map_err(|e| Problem::unreadable(e.status(), e.body_text()))
}

fn unreadable(rejection: JsonRejection) -> Problem {
    Problem::unreadable(rejection.status(), rejection.body_text())
}

/// Refuses JSON whose numbers would be read as others.
fn exact(json: &[u8]) -> Result<(), Box<Problem>> {
    match std::str::from_utf8(json).ok().and_then(too_long) {
        None => Ok(()),
        Some(integer) => Err(Box::new(Problem::unreadable(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!(
                "the integer {} has more than 64 bits: send it as a string",
                brief(integer, 40)
            ),
        ))),
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // The database's texts can't hold it.
        if parts.uri.query().is_some_and(|query| query.contains("%00")) {
            return Err(Problem::bad_request("a query can't hold a NUL character"));
        }
        axum::extract::Query::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Query(parameters)| Self(parameters))
            .map_err(|e: QueryRejection| Problem::unreadable(e.status(), e.body_text()))
    }
}
