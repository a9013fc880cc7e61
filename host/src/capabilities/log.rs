//! `noetl:tool/log`: what a step prints, kept for the execution's record.

use std::sync::{Arc, Mutex};

use serde::Serialize;
use wasmtime::Result;

use super::StepState;
use crate::wit::noetl::tool::log::{Host, Level};

/// One entry of a step's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `debug`, `info`, `warn` or `error`.
    pub level: &'static str,
    /// The message, control characters (but tab and newline) escaped.
    pub message: String,
}

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
    /// An empty log that keeps at most `max_bytes` of messages.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            inner: Arc::default(),
            max_bytes,
        }
    }

    /// Adds an entry, or counts it as dropped when the log is full.
    pub fn write(&self, level: &'static str, message: &str) {
        let mut inner = self.inner.lock().expect("no panic while the log is held");
        if inner.bytes + message.len() > self.max_bytes {
            inner.dropped += 1;
            return;
        }
        let message = escape_controls(message);
        inner.bytes += message.len();
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

fn escape_controls(message: &str) -> String {
    let mut escaped = String::with_capacity(message.len());
    for c in message.chars() {
        match c {
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped
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
        let log = Log::new(100);
        log.write("info", "a\r\u{1b}[31mb\0\tc");
        assert_eq!(log.take()[0].message, "a\\r\\u{1b}[31mb\\u{0}\tc");
    }

    #[test]
    fn says_how_much_was_dropped() {
        let log = Log::new(4);
        log.write("info", "1234");
        log.write("info", "5");
        let entries = log.take();
        assert_eq!(entries.len(), 2);
        assert!(entries[1].message.contains("1 more"), "{entries:?}");
    }
}
