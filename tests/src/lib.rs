//! What the end-to-end tests share: a real server with databases of its own.
//!
//! `NOETL_TEST_DATABASE_URL` names a PostgreSQL in which databases can be made,
//! `NOETL_COMPONENTS` the tools; `make test` sets both.

pub mod browser;
mod collector;
mod database;
mod process;
mod server;
mod service;
mod token;

pub use collector::{Collector, Span};
pub use database::{Database, scalar};
pub use process::Process;
pub use server::{Caller, Log, Reply, Server, make_key, noetl, root};
pub use service::serve;
pub use token::token;

/// A server with the shipped playbooks and the credential `pg_demo`.
pub async fn server() -> Server {
    Server::start().await
}
