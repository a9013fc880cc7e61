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

use std::sync::Arc;
use std::time::Instant;

use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use tokio::sync::Mutex;
use wasmtime::Result;
use wasmtime::component::Resource;

pub use pool::{CredentialSource, PoolSettings, Pools, Secret};

use super::StepState;
use crate::grants::{Caller, Grant};
use crate::limits::{Limit, Limits};
use crate::wit::noetl::tool::postgres::{
    Error, Host, HostConnection, HostTransaction, ParameterValue, RowSet,
};
use parameter::Binary;
use session::{Room, Session};

/// The step's way to PostgreSQL.
#[derive(Debug)]
pub struct Postgres {
    pools: Pools,
    caller: Caller,
    grant: Arc<Grant>,
    limits: Limits,
    deadline: Instant,
    calls: u64,
    rows: u64,
    bytes: u64,
    /// Each connection of the step holds a clone.
    open: Arc<()>,
}

impl Postgres {
    /// For one step, which ends at `deadline`: no call outlives it.
    pub fn new(
        pools: Pools,
        caller: Caller,
        grant: Arc<Grant>,
        limits: Limits,
        deadline: Instant,
    ) -> Self {
        Self {
            pools,
            caller,
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
        if Arc::strong_count(&self.open) as u64 > self.limits.postgres_connections {
            return Err(self.exceeded(Limit::PostgresConnections));
        }
        // A credential that is not granted and one that is not there look alike.
        let denied = || {
            self.caller.denied("credential", alias);
            Error::AccessDenied(format!(
                "there is no credential `{alias}`, or this step may not use it"
            ))
        };
        if !self.grant.credentials.allows(alias) {
            return Err(denied());
        }
        let found = self.pools.find(&self.caller.tenant, alias);
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
        let bytes = statement.len() as u64 + parameters.iter().map(size).sum::<u64>();
        if bytes > self.limits.postgres_statement_bytes {
            return Err(self.exceeded(Limit::PostgresStatementBytes));
        }
        let room = Room {
            rows: self.limits.postgres_rows.saturating_sub(self.rows),
            bytes: self.limits.postgres_bytes.saturating_sub(self.bytes),
            limits: self.limits,
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
        if self.calls > self.limits.postgres_calls {
            return Err(self.exceeded(Limit::PostgresCalls));
        }
        Ok(())
    }

    fn exceeded(&self, limit: Limit) -> Error {
        Error::Limit(self.limits.exceeded(limit))
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
