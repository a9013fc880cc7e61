//! `noetl:tool/log`: what a step prints, kept for the execution's record.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use wasmtime::Result;

use super::StepState;
use crate::limits::Unit;
use crate::visible::visible;
use crate::wit::noetl::tool::log::{self, Host};

/// How much an entry matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For who wrote the tool.
    Debug,
    /// What went as expected; Python's `print`.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        })
    }
}

/// One entry of a step's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// How much it matters.
    pub level: Level,
    /// The message, made visible.
    pub message: String,
}

/// What an entry counts beside its message, so that empty ones are bounded too.
const ENTRY_BYTES: usize = 16;

/// A step's log, bounded in bytes. Clones share the entries, so that what a
/// step wrote before it trapped is not lost with it.
#[derive(Debug, Clone)]
pub struct Log {
    inner: Arc<Mutex<Inner>>,
    max_bytes: usize,
}

#[derive(Debug, Default)]
struct Inner {
    entries: Vec<Entry>,
    bytes: usize,
    dropped: u64,
}

impl Log {
    /// An empty log that keeps at most `max_bytes` of entries.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            inner: Arc::default(),
            max_bytes,
        }
    }

    /// Adds an entry, or counts it as dropped when the log is full.
    pub fn write(&self, level: Level, message: &str) {
        let mut inner = self.inner.lock().expect("no panic while the log is held");
        if inner.bytes + message.len() + ENTRY_BYTES > self.max_bytes {
            inner.dropped += 1;
            return;
        }
        let message = visible(message);
        inner.bytes += message.len() + ENTRY_BYTES;
        inner.entries.push(Entry { level, message });
    }

    /// Takes what was written so far.
    pub fn take(&self) -> Written {
        let mut inner = self.inner.lock().expect("no panic while the log is held");
        let inner = std::mem::take(&mut *inner);
        Written {
            entries: inner.entries,
            dropped: inner.dropped,
        }
    }
}

/// What a step wrote to its log.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Written {
    /// What fitted.
    pub entries: Vec<Entry>,
    /// How many entries did not.
    pub dropped: u64,
}

impl Written {
    /// The entries, held against the bound once more: what comes from another
    /// process is not believed. If some did not fit, the last one says how many.
    pub fn admit(self, max_bytes: usize) -> Vec<Entry> {
        let log = Log::new(max_bytes);
        for entry in &self.entries {
            log.write(entry.level, &entry.message);
        }
        let Written {
            mut entries,
            dropped,
        } = log.take();
        let dropped = dropped.saturating_add(self.dropped);
        if dropped > 0 {
            entries.push(Entry {
                level: Level::Warn,
                message: format!(
                    "the log is full (limit log = {}): {dropped} more entries were dropped",
                    Unit::Bytes.show(max_bytes as u64),
                ),
            });
        }
        entries
    }
}

impl Host for StepState {
    async fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        let level = match level {
            log::Level::Debug => Level::Debug,
            log::Level::Info => Level::Info,
            log::Level::Warn => Level::Warn,
            log::Level::Error => Level::Error,
        };
        self.log.write(level, &message);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_could_forge_a_line_or_a_terminal_command() {
        let log = Log::new(1000);
        log.write(Level::Info, "a\r\u{1b}[31mb\0\tc");
        assert_eq!(
            log.take().entries[0].message,
            "a\\u{d}\\u{1b}[31mb\\u{0}\tc"
        );
    }

    #[test]
    fn says_how_much_was_dropped() {
        let log = Log::new(ENTRY_BYTES + 4);
        log.write(Level::Info, "1234");
        log.write(Level::Info, "");
        let entries = log.take().admit(ENTRY_BYTES + 4);
        assert_eq!(entries.len(), 2);
        assert!(entries[1].message.contains("1 more"), "{entries:?}");
    }
}
