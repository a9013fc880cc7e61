//! Steps in processes of their own.
//!
//! A guest that escapes from WebAssembly is in a worker: a process without files,
//! network, credentials or environment, which can say nothing but what
//! [`protocol`] has words for. The server, at the other end of a Unix socket,
//! holds connections and secrets, and checks each call against the step's grant.

mod inside;
mod link;
mod pool;
mod process;
mod protocol;
mod turns;

pub use inside::worker;
pub use pool::{Tool, WorkerSettings, Workers};
pub use process::{WORKER, worker_command};
