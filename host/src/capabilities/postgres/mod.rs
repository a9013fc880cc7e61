//! `noetl:tool/postgres`: connections that the host keeps.

#![expect(
    clippy::result_large_err,
    reason = "the error is generated from the WIT; a database call outweighs moving it"
)]

mod decode;
mod error;
mod lexer;
mod numeric;
mod parameter;
mod plan;
mod pool;
mod session;
mod temporal;
#[cfg(test)]
mod tests;
mod types;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use tokio::sync::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

pub use pool::{CredentialSource, PoolSettings, Pools, Secret};

use super::StepState;
use crate::wit::noetl::tool::postgres::{
    Error, Host, HostConnection, HostTransaction, ParameterValue, RowSet,
};
use parameter::Binary;
use session::{Room, Session};

/// Which credentials a step may use, by their aliases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Every credential of its tenant.
    All,
    /// Only these; `Only(BTreeSet::new())` is none.
    Only(BTreeSet<String>),
}

impl Grant {
    fn allows(&self, alias: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(aliases) => aliases.contains(alias),
        }
    }
}

/// What a step may take of PostgreSQL, all its calls together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Statements and transactions begun.
    pub calls: u64,
    /// Connections held at the same time.
    pub connections: u64,
    /// Bytes of one statement with its parameters.
    pub statement_bytes: u64,
    /// Rows of all results.
    pub rows: u64,
    /// Bytes of all results, as PostgreSQL sends them.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 1_000,
            connections: 4,
            statement_bytes: 4 << 20,
            rows: 10_000,
            bytes: 16 << 20,
        }
    }
}

/// The step's way to PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    pools: Pools,
    tenant: String,
    grant: Grant,
    limits: Limits,
    deadline: Instant,
    calls: u64,
    rows: u64,
    bytes: u64,
    /// Each connection of the step holds a clone.
    open: Arc<()>,
}

impl Postgres {
    /// For one step of `tenant`, which ends at `deadline`: no call outlives it.
    pub fn new(
        pools: Pools,
        tenant: impl Into<String>,
        grant: Grant,
        limits: Limits,
        deadline: Instant,
    ) -> Self {
        Self {
            pools,
            tenant: tenant.into(),
            grant,
            limits,
            deadline,
            calls: 0,
            rows: 0,
            bytes: 0,
            open: Arc::new(()),
        }
    }

    async fn open(&mut self, alias: &str) -> std::result::Result<Connection, Error> {
        self.count_call()?;
        let max = self.limits.connections;
        if Arc::strong_count(&self.open) as u64 > max {
            return Err(Error::Limit(format!(
                "a step may hold {max} connections at the same time (limit postgres_connections)"
            )));
        }
        // A credential that is not granted and one that is not there look alike.
        let denied = || {
            tracing::warn!(
                tenant = self.tenant,
                credential = alias,
                "postgres: access denied"
            );
            Error::AccessDenied(format!(
                "there is no credential `{alias}`, or this step may not use it"
            ))
        };
        if !self.grant.allows(alias) {
            return Err(denied());
        }
        let found = self.pools.find(&self.tenant, alias);
        let found = tokio::time::timeout_at(self.deadline.into(), found).await;
        let found = found.map_err(|_| {
            Error::Timeout("the step's time was over before the credential was found".into())
        })?;
        let session =
            Session::open(found?.ok_or_else(denied)?, self.deadline, self.open.clone()).await?;
        Ok(Connection {
            session: Arc::new(Mutex::new(session)),
        })
    }

    async fn query(
        &mut self,
        session: &mut Session,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> std::result::Result<RowSet, Error> {
        self.count_call()?;
        let max = self.limits.statement_bytes;
        let bytes = statement.len() as u64 + parameters.iter().map(size).sum::<u64>();
        if bytes > max {
            return Err(Error::Limit(format!(
                "the statement and its parameters have {bytes} bytes; \
                 {max} are allowed (limit postgres_statement_bytes)"
            )));
        }
        let room = Room {
            rows: self.limits.rows.saturating_sub(self.rows),
            bytes: self.limits.bytes.saturating_sub(self.bytes),
            max_rows: self.limits.rows,
            max_bytes: self.limits.bytes,
        };
        let answer = session
            .query(statement, parameters, room, self.deadline)
            .await?;
        self.rows += answer.rows.rows.len() as u64;
        self.bytes += answer.bytes;
        Ok(answer.rows)
    }

    fn count_call(&mut self) -> std::result::Result<(), Error> {
        self.calls += 1;
        if self.calls > self.limits.calls {
            return Err(Error::Limit(format!(
                "a step may call PostgreSQL {} times (limit postgres_calls)",
                self.limits.calls
            )));
        }
        Ok(())
    }
}

fn size(parameter: &ParameterValue) -> u64 {
    let bytes = match parameter {
        ParameterValue::Null => 0,
        ParameterValue::Boolean(_) => 1,
        ParameterValue::Int64(_) | ParameterValue::Float64(_) => 8,
        ParameterValue::Binary(bytes) => bytes.len(),
        ParameterValue::Numeric(text)
        | ParameterValue::Text(text)
        | ParameterValue::Jsonb(text)
        | ParameterValue::Literal(text)
        | ParameterValue::Document(text) => text.len(),
    };
    bytes as u64
}

fn arguments(values: impl IntoIterator<Item = Binary>) -> std::result::Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        arguments
            .add(value)
            .map_err(|_| Error::BadParameter("a parameter is too long for PostgreSQL".into()))?;
    }
    Ok(arguments)
}

/// A connection of the step.
pub struct Connection {
    session: Arc<Mutex<Session>>,
}

/// A transaction of the step.
pub struct Transaction {
    /// Kept when the connection's handle is dropped first; gone when the
    /// transaction has ended.
    session: Option<Arc<Mutex<Session>>>,
}

fn ended() -> Error {
    Error::InvalidState("the transaction has ended".into())
}

impl Host for StepState {}

impl HostConnection for StepState {
    async fn open(
        &mut self,
        credential: String,
    ) -> Result<std::result::Result<Resource<Connection>, Error>> {
        Ok(match self.postgres.open(&credential).await {
            Ok(connection) => Ok(self.table.push(connection)?),
            Err(error) => Err(error),
        })
    }

    async fn query(
        &mut self,
        this: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<std::result::Result<RowSet, Error>> {
        let session = self.table.get(&this)?.session.clone();
        let mut session = session.lock().await;
        if session.in_transaction() {
            return Ok(Err(in_transaction()));
        }
        Ok(self.postgres.query(&mut session, &statement, &params).await)
    }

    async fn begin(
        &mut self,
        this: Resource<Connection>,
    ) -> Result<std::result::Result<Resource<Transaction>, Error>> {
        let session = self.table.get(&this)?.session.clone();
        let mut locked = session.lock().await;
        if locked.in_transaction() {
            return Ok(Err(in_transaction()));
        }
        if let Err(error) = self.postgres.count_call() {
            return Ok(Err(error));
        }
        if let Err(error) = locked.begin(self.postgres.deadline).await {
            return Ok(Err(error));
        }
        drop(locked);
        Ok(Ok(self.table.push(Transaction {
            session: Some(session),
        })?))
    }

    async fn drop(&mut self, this: Resource<Connection>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

fn in_transaction() -> Error {
    Error::InvalidState(
        "the connection is in a transaction: run the statement there, or end it".into(),
    )
}

impl HostTransaction for StepState {
    async fn query(
        &mut self,
        this: Resource<Transaction>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Result<std::result::Result<RowSet, Error>> {
        let Some(session) = self.table.get(&this)?.session.clone() else {
            return Ok(Err(ended()));
        };
        let mut session = session.lock().await;
        Ok(self.postgres.query(&mut session, &statement, &params).await)
    }

    async fn commit(
        &mut self,
        this: Resource<Transaction>,
    ) -> Result<std::result::Result<(), Error>> {
        let Some(session) = self.table.get_mut(&this)?.session.take() else {
            return Ok(Err(ended()));
        };
        let mut session = session.lock().await;
        Ok(session.commit(self.postgres.deadline).await)
    }

    async fn rollback(
        &mut self,
        this: Resource<Transaction>,
    ) -> Result<std::result::Result<(), Error>> {
        let Some(session) = self.table.get_mut(&this)?.session.take() else {
            return Ok(Err(ended()));
        };
        let mut session = session.lock().await;
        Ok(session.rollback(self.postgres.deadline).await)
    }

    async fn drop(&mut self, this: Resource<Transaction>) -> Result<()> {
        let transaction = self.table.delete(this)?;
        // Rolled back at once, so that the connection can be used further. If it
        // is gone already, giving it back does the same.
        if let Some(session) = transaction.session {
            let mut session = session.lock().await;
            let _ = session.rollback(self.postgres.deadline).await;
        }
        Ok(())
    }
}
