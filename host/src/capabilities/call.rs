//! The calls that leave the sandbox, as values, so that whoever runs the guest need
//! not be the one who holds connections and secrets.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{http, postgres};
use crate::wit::noetl::tool::postgres::Error as PostgresError;

/// A call of a step.
#[derive(Debug, Serialize, Deserialize)]
pub enum Call {
    /// Of `noetl:tool/postgres`.
    Postgres(postgres::Call),
    /// Of `noetl:tool/http`.
    Http(http::Call),
}

/// What became of a [`Call`]: always of the same capability.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// Of `noetl:tool/postgres`.
    Postgres(Result<postgres::Answer, PostgresError>),
    /// Of `noetl:tool/http`.
    Http(Result<http::Answer, http::Error>),
}

/// Who answers the calls of one step. Dropping it ends all that is open.
#[async_trait]
pub trait Backend: Send {
    /// Does what the call says.
    async fn call(&mut self, call: Call) -> Reply;
}

impl Call {
    /// Whether something outside may be another afterwards, so that the step can't
    /// be run again.
    pub(crate) fn has_effect(&self) -> bool {
        match self {
            Self::Postgres(call) => call.has_effect(),
            Self::Http(call) => call.has_effect(),
        }
    }

    /// The reply to a call that is not allowed, for this reason.
    pub(crate) fn denied(&self, why: &str) -> Reply {
        match self {
            Self::Postgres(_) => Reply::Postgres(Err(PostgresError::AccessDenied(why.into()))),
            Self::Http(_) => Reply::Http(Err(http::Error::Denied(why.into()))),
        }
    }
}
