//! The host that runs the component.

use std::time::Duration;

pub use crate::bindings::copying::noetl::tool::postgres_copy::copy_in;
pub use crate::bindings::noetl::tool::http::{Body, send};
use crate::bindings::noetl::tool::log::{Level, write};
pub use crate::bindings::noetl::tool::postgres::{Connection, Transaction};

pub fn log(level: Level, message: &str) {
    write(level, message);
}

pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}
