//! `noetl:tool/postgres` and `noetl:tool/postgres-copy`: connections that the host keeps.

#![expect(
    clippy::result_large_err,
    reason = "the error is generated from the WIT; a database call outweighs moving it"
)]

mod call;
mod copy;
mod decode;
mod error;
mod host;
mod lexer;
mod numeric;
pub(super) mod observed;
mod parameter;
mod plan;
mod pool;
mod privilege;
mod session;
mod temporal;
#[cfg(test)]
mod tests;
mod timeout;
mod types;

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::Arguments;
use sqlx::postgres::PgArguments;
use tokio::sync::Mutex;

pub use call::{Answer, Call, Handle};
pub use host::{Connection, Transaction};
pub use pool::{Credential, CredentialSource, PoolSettings, Pools, check_url};

use crate::capabilities::Scope;
use crate::limits::Limit;
use crate::wit::copy::noetl::tool::postgres_copy::CopyError;
use crate::wit::noetl::tool::postgres::{Error, ParameterValue, RowSet};
use copy::Rows;
use parameter::Binary;
use session::{Room, Session};

/// The step's way to PostgreSQL: every call is checked here, whoever makes it.
pub struct Postgres {
    pools: Pools,
    scope: Arc<Scope>,
    calls: u64,
    rows: u64,
    bytes: u64,
    /// Each connection of the step holds a clone.
    open: Arc<()>,
    connections: HashMap<Handle, Lent>,
    /// Kept when the connection's handle is closed first; `None` when the
    /// transaction has ended.
    transactions: HashMap<Handle, Option<Lent>>,
    next: Handle,
}

/// A connection in the hands of the step.
type Lent = Arc<Mutex<Session>>;

impl Postgres {
    /// For one step: no call outlives its deadline.
    pub fn new(pools: Pools, scope: Arc<Scope>) -> Self {
        Self {
            pools,
            scope,
            calls: 0,
            rows: 0,
            bytes: 0,
            open: Arc::new(()),
            connections: HashMap::new(),
            transactions: HashMap::new(),
            next: 0,
        }
    }

    async fn open(&mut self, alias: &str) -> Result<Handle, Error> {
        self.count_call()?;
        if Arc::strong_count(&self.open) as u64 > self.scope.limits.postgres_connections {
            return Err(self.exceeded(Limit::PostgresConnections));
        }
        // A credential that is not granted and one that is not there look alike.
        let denied = || {
            self.scope.caller.denied("credential", alias);
            Error::AccessDenied(format!(
                "there is no credential `{alias}`, or this step may not use it"
            ))
        };
        let asked = self.scope.capabilities.as_deref();
        if asked.is_some_and(|asked| !asked.postgres) {
            self.scope.caller.denied("credential", alias);
            return Err(Error::AccessDenied(
                "the tool's manifest does not ask for PostgreSQL; its author adds \
                 `postgres = true` to `[capabilities]`"
                    .into(),
            ));
        }
        if !self.scope.may_use(alias) {
            return Err(denied());
        }
        let found = self.pools.find(&self.scope.caller.tenant, alias);
        let found = tokio::time::timeout_at(self.scope.deadline.into(), found).await;
        let found = found.map_err(|_| {
            Error::Timeout("the step's time was over before the credential was found".into())
        })?;
        let session = Session::open(
            found?.ok_or_else(denied)?,
            self.scope.deadline,
            self.open.clone(),
        )
        .await?;
        let handle = self.handle();
        self.connections
            .insert(handle, Arc::new(Mutex::new(session)));
        Ok(handle)
    }

    async fn begin(&mut self, connection: Handle) -> Result<Handle, Error> {
        let lent = self.connection(connection)?;
        let mut session = lent.lock().await;
        if session.in_transaction() {
            return Err(in_transaction());
        }
        self.count_call()?;
        session.begin(self.scope.deadline).await?;
        drop(session);
        let handle = self.handle();
        self.transactions.insert(handle, Some(lent));
        Ok(handle)
    }

    async fn query_on(
        &mut self,
        connection: Handle,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<RowSet, Error> {
        let lent = self.connection(connection)?;
        let mut session = lent.lock().await;
        if session.in_transaction() {
            return Err(in_transaction());
        }
        self.query(&mut session, statement, parameters).await
    }

    async fn query_in(
        &mut self,
        transaction: Handle,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<RowSet, Error> {
        let lent = self.transactions.get(&transaction).cloned().flatten();
        let lent = lent.ok_or_else(ended)?;
        let mut session = lent.lock().await;
        self.query(&mut session, statement, parameters).await
    }

    async fn copy_in(&mut self, transaction: Handle, rows: &Rows) -> Result<u64, CopyError> {
        let lent = self.transactions.get(&transaction).cloned().flatten();
        let lent = lent.ok_or_else(ended)?;
        let mut session = lent.lock().await;
        self.count_call()?;
        if rows.size() > self.scope.limits.postgres_statement_bytes {
            return Err(self.exceeded(Limit::PostgresStatementBytes).into());
        }
        session.copy_in(rows, self.scope.deadline).await
    }

    async fn commit(&mut self, transaction: Handle) -> Result<(), Error> {
        let lent = self.end(transaction)?;
        let mut session = lent.lock().await;
        session.commit(self.scope.deadline).await
    }

    async fn rollback(&mut self, transaction: Handle) -> Result<(), Error> {
        let lent = self.end(transaction)?;
        let mut session = lent.lock().await;
        session.rollback(self.scope.deadline).await
    }

    /// Rolled back at once, so that the connection can be used further. If it is
    /// gone already, giving it back does the same.
    async fn close_transaction(&mut self, transaction: Handle) {
        if let Some(Some(lent)) = self.transactions.remove(&transaction) {
            let _ = lent.lock().await.rollback(self.scope.deadline).await;
        }
    }

    fn handle(&mut self) -> Handle {
        self.next += 1;
        self.next
    }

    fn connection(&self, handle: Handle) -> Result<Lent, Error> {
        self.connections
            .get(&handle)
            .cloned()
            .ok_or_else(|| Error::InvalidState("there is no such connection".into()))
    }

    fn end(&mut self, transaction: Handle) -> Result<Lent, Error> {
        self.transactions
            .get_mut(&transaction)
            .and_then(Option::take)
            .ok_or_else(ended)
    }

    async fn query(
        &mut self,
        session: &mut Session,
        statement: &str,
        parameters: &[ParameterValue],
    ) -> Result<RowSet, Error> {
        self.count_call()?;
        let bytes = statement.len() as u64 + parameters.iter().map(size).sum::<u64>();
        if bytes > self.scope.limits.postgres_statement_bytes {
            return Err(self.exceeded(Limit::PostgresStatementBytes));
        }
        let room = Room {
            rows: self.scope.limits.postgres_rows.saturating_sub(self.rows),
            bytes: self.scope.limits.postgres_bytes.saturating_sub(self.bytes),
            limits: self.scope.limits,
        };
        let answer = session
            .query(statement, parameters, room, self.scope.deadline)
            .await?;
        self.rows += answer.rows.rows.len() as u64;
        self.bytes += answer.bytes;
        Ok(answer.rows)
    }

    fn count_call(&mut self) -> Result<(), Error> {
        self.calls += 1;
        if self.calls > self.scope.limits.postgres_calls {
            return Err(self.exceeded(Limit::PostgresCalls));
        }
        Ok(())
    }

    fn exceeded(&self, limit: Limit) -> Error {
        Error::Limit(self.scope.limits.exceeded(limit))
    }
}

impl Postgres {
    /// Does what the call says.
    ///
    /// # Errors
    /// Those of the interface.
    pub async fn call(&mut self, call: Call) -> Result<Answer, Error> {
        Ok(match call {
            Call::Open { credential } => Answer::Handle(self.open(&credential).await?),
            Call::Query {
                connection,
                statement,
                params,
            } => Answer::Rows(self.query_on(connection, &statement, &params).await?),
            Call::Begin { connection } => Answer::Handle(self.begin(connection).await?),
            Call::CloseConnection { connection } => {
                self.connections.remove(&connection);
                Answer::Done
            }
            Call::QueryIn {
                transaction,
                statement,
                params,
            } => Answer::Rows(self.query_in(transaction, &statement, &params).await?),
            Call::CopyIn {
                transaction,
                table,
                columns,
                rows,
            } => {
                let rows = Rows {
                    table,
                    columns,
                    rows,
                };
                Answer::Copied(self.copy_in(transaction, &rows).await)
            }
            Call::Commit { transaction } => {
                self.commit(transaction).await?;
                Answer::Done
            }
            Call::Rollback { transaction } => {
                self.rollback(transaction).await?;
                Answer::Done
            }
            Call::CloseTransaction { transaction } => {
                self.close_transaction(transaction).await;
                Answer::Done
            }
        })
    }
}

fn ended() -> Error {
    Error::InvalidState("the transaction has ended".into())
}

fn in_transaction() -> Error {
    Error::InvalidState(
        "the connection is in a transaction: run the statement there, or end it".into(),
    )
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

fn arguments(values: impl IntoIterator<Item = Binary>) -> Result<PgArguments, Error> {
    let mut arguments = PgArguments::default();
    for value in values {
        arguments
            .add(value)
            .map_err(|_| Error::BadParameter("a parameter is too long for PostgreSQL".into()))?;
    }
    Ok(arguments)
}
