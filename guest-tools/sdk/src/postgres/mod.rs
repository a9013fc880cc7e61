//! PostgreSQL, through connections that the host keeps.
//!
//! ```
//! use noetl_tool::postgres::{Connection, params};
//! # use noetl_tool::testing::{Host, rows};
//! # use serde_json::json;
//! # let host = Host::new();
//! # host.postgres("SELECT id, name FROM users WHERE age > $1", Ok(rows(json!([{"id": 1, "name": "Ada"}]))));
//! # host.postgres("UPDATE users SET seen = $1 WHERE id = ANY($2)", Ok(rows(json!([]))));
//! # host.postgres("INSERT INTO log (text) VALUES ($1)", Ok(rows(json!([]))));
//! # use serde::Deserialize;
//! # use noetl_tool::serde;
//!
//! #[derive(Debug, PartialEq, Deserialize)]
//! struct User {
//!     id: i64,
//!     name: String,
//! }
//!
//! let connection = Connection::open("pg_demo")?;
//! let users: Vec<User> = connection
//!     .query("SELECT id, name FROM users WHERE age > $1", params![30])?
//!     .into()?;
//! assert_eq!(users, [User { id: 1, name: "Ada".into() }]);
//!
//! let transaction = connection.begin()?;
//! transaction.query(
//!     "UPDATE users SET seen = $1 WHERE id = ANY($2)",
//!     params!["2026-01-01", json!([1, 2])],
//! )?;
//! transaction.query("INSERT INTO log (text) VALUES ($1)", params!["seen"])?;
//! transaction.commit()?; // dropped without it, it is rolled back
//! # Ok::<(), noetl_tool::Error>(())
//! ```
//!
//! A tool names a credential by its alias, which a step gives with `auth` and the
//! tool finds in its config. Address, user and password stay on the host's side.
//!
//! # Errors
//! [`Error`] has a variant for what a tool may want to tell apart; that of a statement
//! holds the SQLSTATE.

use crate::backend;

pub use crate::__params as params;
#[doc(hidden)]
pub use crate::bindings::copying::noetl::tool::postgres_copy::CopyError;
pub use crate::bindings::noetl::tool::postgres::{
    Column, DbError, DbValue, Error, ParameterValue, RowSet,
};
pub use parameter::{Jsonb, ToSql};

mod parameter;
mod rows;

impl Error {
    /// What is wrong, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::QueryFailed(error) => &error.message,
            Self::AccessDenied(message)
            | Self::ConnectionFailed(message)
            | Self::BadParameter(message)
            | Self::ValueConversionFailed(message)
            | Self::Timeout(message)
            | Self::Limit(message)
            | Self::InvalidState(message)
            | Self::Other(message) => message,
        }
    }
}

/// A connection of the tenant's pool, held until this is dropped.
#[derive(Debug)]
pub struct Connection(backend::Connection);

impl Connection {
    /// Takes a connection of the credential with this alias.
    ///
    /// # Errors
    /// If there is no such credential for this step, or no connection.
    pub fn open(credential: &str) -> Result<Self, Error> {
        backend::Connection::open(credential).map(Self)
    }

    /// Runs one statement. `$1` is the first of [`params!`](params).
    ///
    /// # Errors
    /// If PostgreSQL refuses it, or a limit of the step is reached.
    pub fn query(&self, statement: &str, params: &[ParameterValue]) -> Result<RowSet, Error> {
        self.0.query(statement, params)
    }

    /// Starts a transaction. Until it ends, `query` of this connection is refused.
    ///
    /// # Errors
    /// If there is one already, or no connection any more.
    pub fn begin(&self) -> Result<Transaction, Error> {
        self.0.begin().map(Transaction)
    }
}

/// A transaction. Dropped without [`commit`](Self::commit), it is rolled back.
#[derive(Debug)]
pub struct Transaction(backend::Transaction);

impl Transaction {
    /// Runs one statement inside the transaction.
    ///
    /// # Errors
    /// If PostgreSQL refuses it, or a limit of the step is reached.
    pub fn query(&self, statement: &str, params: &[ParameterValue]) -> Result<RowSet, Error> {
        self.0.query(statement, params)
    }

    /// Puts rows into a table by COPY, see `postgres-copy` in the interface. Tools
    /// of others do not have it yet.
    ///
    /// # Errors
    /// If PostgreSQL refuses a row, or a limit of the step is reached.
    #[doc(hidden)]
    pub fn copy_in(
        &self,
        table: &[String],
        columns: &[String],
        rows: &[Vec<ParameterValue>],
    ) -> Result<u64, CopyError> {
        backend::copy_in(&self.0, table, columns, rows)
    }

    /// Ends the transaction and keeps what it did.
    ///
    /// # Errors
    /// If PostgreSQL refuses it.
    pub fn commit(self) -> Result<(), Error> {
        self.0.commit()
    }

    /// Ends the transaction and undoes what it did.
    ///
    /// # Errors
    /// If there is no connection any more.
    pub fn rollback(self) -> Result<(), Error> {
        self.0.rollback()
    }
}

/// The parameters of a statement, from values that are [`ToSql`].
#[doc(hidden)]
#[macro_export]
macro_rules! __params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::postgres::ToSql::to_sql(&$value)),*] as &[$crate::postgres::ParameterValue]
    };
}
