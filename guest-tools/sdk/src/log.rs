//! The step's log.
//!
//! ```
//! use noetl_tool::log;
//!
//! let rows = 3;
//! log::info!("{rows} rows");
//! log::warn!("{} of them are old", 2);
//! ```
//!
//! Entries become part of the execution's record. When a step's log is full, further
//! ones are counted and dropped.

pub use crate::bindings::noetl::tool::log::Level;
pub use crate::{__debug as debug, __error as error, __info as info, __warn as warn};

/// Writes one entry.
pub fn write(level: Level, message: &str) {
    crate::backend::log(level, message);
}

/// Writes an entry of level `debug`, with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __debug {
    ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Debug, &::std::format!($($arg)+)) };
}

/// Writes an entry of level `info`, with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __info {
    ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Info, &::std::format!($($arg)+)) };
}

/// Writes an entry of level `warn`, with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __warn {
    ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Warn, &::std::format!($($arg)+)) };
}

/// Writes an entry of level `error`, with the arguments of [`format!`].
#[doc(hidden)]
#[macro_export]
macro_rules! __error {
    ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Error, &::std::format!($($arg)+)) };
}
