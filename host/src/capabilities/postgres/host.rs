//! The interface's functions: a guest's handles become numbers, and calls go to
//! whoever answers them.

use wasmtime::component::Resource;
use wasmtime::{Result, bail};

use super::call::{Answer, Call, Handle};
use crate::capabilities::{self, Reply, StepState};
use crate::wit::copy::noetl::tool::postgres_copy::{self, CopyError};
use crate::wit::noetl::tool::postgres::{
    Error, Host, HostConnection, HostTransaction, ParameterValue, RowSet,
};

/// A connection, as the guest holds it.
pub struct Connection(Handle);

/// A transaction, as the guest holds it.
pub struct Transaction(Handle);

type Answered<T> = Result<std::result::Result<T, Error>>;

impl StepState {
    async fn postgres(&mut self, call: Call) -> Answered<Answer> {
        match self.outside.call(capabilities::Call::Postgres(call)).await {
            Reply::Postgres(answer) => Ok(answer),
            Reply::Http(_) => bail!("not an answer of PostgreSQL"),
        }
    }

    async fn handle(&mut self, call: Call) -> Answered<Handle> {
        match self.postgres(call).await? {
            Ok(Answer::Handle(handle)) => Ok(Ok(handle)),
            Ok(answer) => bail!("not a handle: {answer:?}"),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn rows(&mut self, call: Call) -> Answered<RowSet> {
        match self.postgres(call).await? {
            Ok(Answer::Rows(rows)) => Ok(Ok(rows)),
            Ok(answer) => bail!("not rows: {answer:?}"),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn done(&mut self, call: Call) -> Answered<()> {
        Ok(self.postgres(call).await?.map(|_| ()))
    }
}

impl Host for StepState {}

impl HostConnection for StepState {
    async fn open(&mut self, credential: String) -> Answered<Resource<Connection>> {
        Ok(match self.handle(Call::Open { credential }).await? {
            Ok(handle) => Ok(self.table.push(Connection(handle))?),
            Err(error) => Err(error),
        })
    }

    async fn query(
        &mut self,
        this: Resource<Connection>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Answered<RowSet> {
        let connection = self.table.get(&this)?.0;
        self.rows(Call::Query {
            connection,
            statement,
            params,
        })
        .await
    }

    async fn begin(&mut self, this: Resource<Connection>) -> Answered<Resource<Transaction>> {
        let connection = self.table.get(&this)?.0;
        Ok(match self.handle(Call::Begin { connection }).await? {
            Ok(handle) => Ok(self.table.push(Transaction(handle))?),
            Err(error) => Err(error),
        })
    }

    async fn drop(&mut self, this: Resource<Connection>) -> Result<()> {
        let Connection(connection) = self.table.delete(this)?;
        let _ = self.done(Call::CloseConnection { connection }).await?;
        Ok(())
    }
}

impl HostTransaction for StepState {
    async fn query(
        &mut self,
        this: Resource<Transaction>,
        statement: String,
        params: Vec<ParameterValue>,
    ) -> Answered<RowSet> {
        let transaction = self.table.get(&this)?.0;
        self.rows(Call::QueryIn {
            transaction,
            statement,
            params,
        })
        .await
    }

    async fn commit(&mut self, this: Resource<Transaction>) -> Answered<()> {
        let transaction = self.table.get(&this)?.0;
        self.done(Call::Commit { transaction }).await
    }

    async fn rollback(&mut self, this: Resource<Transaction>) -> Answered<()> {
        let transaction = self.table.get(&this)?.0;
        self.done(Call::Rollback { transaction }).await
    }

    async fn drop(&mut self, this: Resource<Transaction>) -> Result<()> {
        let Transaction(transaction) = self.table.delete(this)?;
        let _ = self.done(Call::CloseTransaction { transaction }).await?;
        Ok(())
    }
}

impl postgres_copy::Host for StepState {
    async fn copy_in(
        &mut self,
        transaction: Resource<Transaction>,
        table: Vec<String>,
        columns: Vec<String>,
        rows: Vec<Vec<ParameterValue>>,
    ) -> Result<std::result::Result<u64, CopyError>> {
        let transaction = self.table.get(&transaction)?.0;
        let call = Call::CopyIn {
            transaction,
            table,
            columns,
            rows,
        };
        match self.postgres(call).await? {
            Ok(Answer::Copied(copied)) => Ok(copied),
            Ok(answer) => bail!("not about copied rows: {answer:?}"),
            Err(error) => Ok(Err(error.into())),
        }
    }
}
