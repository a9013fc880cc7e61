//! `noetl:tool/log`: what a step prints, kept for the execution's record.

use std::sync::{Arc, Mutex};

use serde::Serialize;
use wasmtime::Result;

use super::StepState;
use crate::visible::visible;
use crate::wit::noetl::tool::log::{Host, Level};

/// One entry of a step's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
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
    pub fn write(&self, level: &'static str, message: &str) {
        let mut inner = self.inner.lock().expect("no panic while the log is held");
        if inner.bytes + message.len() + ENTRY_BYTES > self.max_bytes {
            inner.dropped += 1;
            return;
        }
        let message = visible(message);
        inner.bytes += message.len() + ENTRY_BYTES;
        inner.entries.push(Entry { level, message });
    }

    /// Takes the entries. If some did not fit, the last one says how many.
    pub fn take(&self) -> Vec<Entry> {
        let mut inner = self.inner.lock().expect("no panic while the log is held");
        let inner = std::mem::take(&mut *inner);
        let mut entries = inner.entries;
        if inner.dropped > 0 {
            entries.push(Entry {
                level: "warn",
                message: format!(
                    "the log is full (limit log_bytes = {}): {} more entries were dropped",
                    self.max_bytes, inner.dropped
                ),
            });
        }
        entries
    }
}

impl Host for StepState {
    async fn write(&mut self, level: Level, message: String) -> Result<()> {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
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
        log.write("info", "a\r\u{1b}[31mb\0\tc");
        assert_eq!(log.take()[0].message, "a\\u{d}\\u{1b}[31mb\\u{0}\tc");
    }

    #[test]
    fn says_how_much_was_dropped() {
        let log = Log::new(ENTRY_BYTES + 4);
        log.write("info", "1234");
        log.write("info", "");
        let entries = log.take();
        assert_eq!(entries.len(), 2);
        assert!(entries[1].message.contains("1 more"), "{entries:?}");
    }
}
