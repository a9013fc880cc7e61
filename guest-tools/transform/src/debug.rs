//! What a program tells with `debug` and `stderr`, in the step's log.

use log::{LevelFilter, Log, Metadata, Record};
use noetl_tool::log::{Level, write};

struct StepLog;

impl Log for StepLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("jaq")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            write(Level::Debug, &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

pub fn to_the_log() {
    // There is one already if this is not the first call.
    if log::set_logger(&StepLog).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}
