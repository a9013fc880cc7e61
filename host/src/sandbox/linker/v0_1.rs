//! `noetl:tool@0.1.0`, for components that were built against it. Its types have
//! the shapes of those of 0.2.0, so the functions behind it are the same.

use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType};
use wasmtime::{Result, StoreContextMut};

use super::Running;
use crate::capabilities::postgres::{Connection, Transaction};
use crate::wit::noetl::tool::log::{Host as _, Level};
use crate::wit::noetl::tool::postgres::{HostConnection, HostTransaction, ParameterValue};

type Caller<'c> = StoreContextMut<'c, Running>;

pub(super) fn add_to_linker(linker: &mut Linker<Running>) -> Result<()> {
    linker.instance("noetl:tool/types@0.1.0")?;
    linker.instance("noetl:tool/log@0.1.0")?.func_wrap_async(
        "write",
        |mut caller: Caller<'_>, (level, message): (Level, String)| {
            Box::new(async move { caller.data_mut().host().write(level, message).await })
        },
    )?;
    let mut postgres = linker.instance("noetl:tool/postgres@0.1.0")?;
    connection(&mut postgres)?;
    transaction(&mut postgres)
}

fn connection(postgres: &mut LinkerInstance<'_, Running>) -> Result<()> {
    postgres.resource_async(
        "connection",
        ResourceType::host::<Connection>(),
        |mut caller: Caller<'_>, this| {
            Box::new(async move {
                let this = Resource::new_own(this);
                HostConnection::drop(caller.data_mut().host(), this).await
            })
        },
    )?;
    postgres.func_wrap_async(
        "[static]connection.open",
        |mut caller: Caller<'_>, (credential,): (String,)| {
            Box::new(async move {
                let opened = caller.data_mut().host().open(credential).await;
                Ok((opened?,))
            })
        },
    )?;
    postgres.func_wrap_async(
        "[method]connection.query",
        |mut caller: Caller<'_>,
         (this, statement, params): (Resource<Connection>, String, Vec<ParameterValue>)| {
            Box::new(async move {
                let host = caller.data_mut().host();
                let rows = HostConnection::query(host, this, statement, params).await;
                Ok((rows?,))
            })
        },
    )?;
    postgres.func_wrap_async(
        "[method]connection.begin",
        |mut caller: Caller<'_>, (this,): (Resource<Connection>,)| {
            Box::new(async move { Ok((caller.data_mut().host().begin(this).await?,)) })
        },
    )
}

fn transaction(postgres: &mut LinkerInstance<'_, Running>) -> Result<()> {
    postgres.resource_async(
        "transaction",
        ResourceType::host::<Transaction>(),
        |mut caller: Caller<'_>, this| {
            Box::new(async move {
                let this = Resource::new_own(this);
                HostTransaction::drop(caller.data_mut().host(), this).await
            })
        },
    )?;
    postgres.func_wrap_async(
        "[method]transaction.query",
        |mut caller: Caller<'_>,
         (this, statement, params): (Resource<Transaction>, String, Vec<ParameterValue>)| {
            Box::new(async move {
                let host = caller.data_mut().host();
                let rows = HostTransaction::query(host, this, statement, params).await;
                Ok((rows?,))
            })
        },
    )?;
    postgres.func_wrap_async(
        "[method]transaction.commit",
        |mut caller: Caller<'_>, (this,): (Resource<Transaction>,)| {
            Box::new(async move { Ok((caller.data_mut().host().commit(this).await?,)) })
        },
    )?;
    postgres.func_wrap_async(
        "[method]transaction.rollback",
        |mut caller: Caller<'_>, (this,): (Resource<Transaction>,)| {
            Box::new(async move { Ok((caller.data_mut().host().rollback(this).await?,)) })
        },
    )
}
