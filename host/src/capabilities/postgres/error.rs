//! From sqlx's errors to those of the interface.

use sqlx::postgres::{PgDatabaseError, PgErrorPosition, PgSeverity};

use super::plan::Plan;
use crate::wit::noetl::tool::postgres::{DbError, Error};

/// Why no connection could be made: fixed words, since what PostgreSQL and the
/// system say names the user and the address.
pub(super) fn connect(alias: &str, error: &sqlx::Error) -> Error {
    let reason = match error {
        sqlx::Error::Io(error) => format!("the server can't be reached ({})", error.kind()),
        sqlx::Error::Tls(_) => "TLS could not be set up".into(),
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let reason = match &*code {
                code if code.starts_with("28") => "the login was refused",
                "3D000" => "the database does not exist",
                "53300" => "the server has no connection left",
                "57P03" => "the server is starting or stopping",
                _ => "the server refused the connection",
            };
            format!("{reason} (SQLSTATE {code})")
        }
        _ => "the server's answer was not understood".into(),
    };
    Error::ConnectionFailed(format!("the credential `{alias}`: {reason}"))
}

/// Why a credential is not used whose role has these rights.
pub(super) fn privileged(alias: &str, rights: &[String]) -> Error {
    Error::AccessDenied(format!(
        "the credential `{alias}`: its role has more rights than a playbook needs ({}). \
         Store it with a role that has none of them, or again with `noetl credential add {alias} … \
         --allow-privileged` if its playbooks may do all that",
        rights.join(", ")
    ))
}

/// The error of a statement, its position brought back to the author's text.
pub(super) fn statement(error: &sqlx::Error, plan: Option<&Plan>) -> Error {
    let Some(found) = database(error) else {
        return match error {
            sqlx::Error::Io(_) => Error::ConnectionFailed("the connection to PostgreSQL was lost".into()),
            sqlx::Error::Protocol(_) => Error::Other(
                "PostgreSQL's answer was not understood; COPY from or to the client is not supported".into(),
            ),
            _ => Error::Other("PostgreSQL's answer could not be read".into()),
        };
    };
    // `57014` is also what a cancel request gives.
    if found.code() == "57014" {
        return Error::Timeout(format!(
            "PostgreSQL ended the statement: {}",
            found.message()
        ));
    }
    let own = |text: Option<&str>| text.map(str::to_owned);
    Error::QueryFailed(DbError {
        code: found.code().into(),
        severity: severity(found.severity()).into(),
        message: found.message().into(),
        detail: own(found.detail()),
        hint: own(found.hint()),
        constraint: own(found.constraint()),
        table: own(found.table()),
        column: own(found.column()),
        position: position(found).and_then(|at| plan.map_or(Some(at), |plan| plan.position(at))),
    })
}

/// What PostgreSQL said, if it is PostgreSQL that reports the error.
pub(super) fn database(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    match error {
        sqlx::Error::Database(error) => error.try_downcast_ref(),
        _ => None,
    }
}

/// Whether the connection can be used after this error.
pub(super) fn connection_lives(error: &sqlx::Error) -> bool {
    database(error)
        .is_some_and(|error| !matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

fn position(error: &PgDatabaseError) -> Option<u32> {
    match error.position()? {
        PgErrorPosition::Original(at) => at.try_into().ok(),
        PgErrorPosition::Internal { .. } => None,
    }
}

fn severity(severity: PgSeverity) -> &'static str {
    match severity {
        PgSeverity::Panic => "PANIC",
        PgSeverity::Fatal => "FATAL",
        PgSeverity::Error => "ERROR",
        PgSeverity::Warning => "WARNING",
        PgSeverity::Notice => "NOTICE",
        PgSeverity::Debug => "DEBUG",
        PgSeverity::Info => "INFO",
        PgSeverity::Log => "LOG",
    }
}
