//! The interface's calls as values, so that whoever runs the guest need not be
//! the one who holds the connections.

use serde::{Deserialize, Serialize};

use crate::wit::copy::noetl::tool::postgres_copy::CopyError;
use crate::wit::noetl::tool::postgres::{ParameterValue, RowSet};

/// A connection or a transaction of one step. Means nothing to any other.
pub type Handle = u32;

/// A call of `noetl:tool/postgres` or `noetl:tool/postgres-copy`.
#[derive(Debug, Serialize, Deserialize)]
pub enum Call {
    /// `connection.open`; answered with a handle.
    Open {
        /// The credential's alias.
        credential: String,
    },
    /// `connection.query`; answered with rows.
    Query {
        /// On which connection.
        connection: Handle,
        /// One statement.
        statement: String,
        /// The values of `$1` … `$n`.
        params: Vec<ParameterValue>,
    },
    /// `connection.begin`; answered with the transaction's handle.
    Begin {
        /// On which connection.
        connection: Handle,
    },
    /// The guest dropped the connection.
    CloseConnection {
        /// Which one.
        connection: Handle,
    },
    /// `transaction.query`; answered with rows.
    QueryIn {
        /// In which transaction.
        transaction: Handle,
        /// One statement.
        statement: String,
        /// The values of `$1` … `$n`.
        params: Vec<ParameterValue>,
    },
    /// `copy-in`; answered with how it went.
    CopyIn {
        /// In which transaction.
        transaction: Handle,
        /// The table's name in parts.
        table: Vec<String>,
        /// The columns that have values.
        columns: Vec<String>,
        /// The rows, with a value for each of the columns.
        rows: Vec<Vec<ParameterValue>>,
    },
    /// `transaction.commit`.
    Commit {
        /// Which one.
        transaction: Handle,
    },
    /// `transaction.rollback`.
    Rollback {
        /// Which one.
        transaction: Handle,
    },
    /// The guest dropped the transaction.
    CloseTransaction {
        /// Which one.
        transaction: Handle,
    },
}

/// What a [`Call`] gives if it does not fail.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// A connection or a transaction.
    Handle(Handle),
    /// A statement's result.
    Rows(RowSet),
    /// How many rows a table took, or why none.
    Copied(Result<u64, CopyError>),
    /// Nothing more to say.
    Done,
}

impl Call {
    /// Whether something outside may be another afterwards.
    pub(crate) fn has_effect(&self) -> bool {
        match self {
            Self::Open { .. } | Self::CloseConnection { .. } | Self::CloseTransaction { .. } => {
                false
            }
            Self::Begin { .. } | Self::Rollback { .. } => false,
            Self::Query { .. }
            | Self::QueryIn { .. }
            | Self::CopyIn { .. }
            | Self::Commit { .. } => true,
        }
    }
}
