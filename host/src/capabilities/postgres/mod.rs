//! `noetl:tool/postgres`: connections that the host keeps.
pub struct Connection;
pub struct Transaction;
pub struct Postgres;
pub struct Pools;
impl Postgres { pub fn new(_: &std::sync::Arc<Pools>, _: &str, _: std::time::Instant) -> Self { Self } }
use crate::wit::noetl::tool::postgres as w;
use wasmtime::component::Resource;
use super::StepState;
use wasmtime::Result;
impl w::Host for StepState {}
impl w::HostConnection for StepState {
    async fn open(&mut self, _: String) -> Result<Result<Resource<Connection>, w::Error>> { todo!() }
    async fn query(&mut self, _: Resource<Connection>, _: String, _: Vec<w::ParameterValue>) -> Result<Result<w::RowSet, w::Error>> { todo!() }
    async fn begin(&mut self, _: Resource<Connection>) -> Result<Result<Resource<Transaction>, w::Error>> { todo!() }
    async fn drop(&mut self, _: Resource<Connection>) -> Result<()> { todo!() }
}
impl w::HostTransaction for StepState {
    async fn query(&mut self, _: Resource<Transaction>, _: String, _: Vec<w::ParameterValue>) -> Result<Result<w::RowSet, w::Error>> { todo!() }
    async fn commit(&mut self, _: Resource<Transaction>) -> Result<Result<(), w::Error>> { todo!() }
    async fn rollback(&mut self, _: Resource<Transaction>) -> Result<Result<(), w::Error>> { todo!() }
    async fn drop(&mut self, _: Resource<Transaction>) -> Result<()> { todo!() }
}
