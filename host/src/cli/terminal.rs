//! Writing to stdout and stderr. A reader that went away (`noetl … | head`) is
//! no reason to break off: the work goes on, unheard.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;

use crate::visible::{visible, visible_json};

/// Writes a line to stdout. Whoever wrote it, it can't drive the terminal.
pub fn out(text: &str) {
    writeln!(std::io::stdout(), "{}", visible(text)).ok();
}

/// Writes a line to stderr, likewise.
pub fn note(text: &str) {
    writeln!(std::io::stderr(), "{}", visible(text)).ok();
}

/// Writes to stderr, and a blank line below it. Escape sequences are not taken out.
pub fn drawing(drawn: &str) {
    writeln!(std::io::stderr(), "{drawn}\n").ok();
}

/// Whether people see colours on stderr, and want them (<https://no-color.org>).
pub fn is_coloured() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !unwanted
}

/// Writes a line to stderr that the next one replaces; nothing, if it is empty.
pub fn replace(text: &str) {
    let mut stderr = std::io::stderr();
    write!(stderr, "\r\x1b[K{}", visible(text)).ok();
    stderr.flush().ok();
}

/// Writes JSON to stdout.
pub fn json(value: &Value) {
    writeln!(std::io::stdout(), "{}", visible_json(&format!("{value:#}"))).ok();
}

/// Writes JSON to stdout, in one line.
pub fn json_line(value: &Value) {
    writeln!(std::io::stdout(), "{}", visible_json(&value.to_string())).ok();
}

/// A line that ends with how long it took.
pub fn timed(text: &str, duration: Duration) -> String {
    format!("{text:<58} {:>8}", human(duration))
}

/// A duration as people read it: `0.4 ms`, `41 ms`, `1.2 s`.
pub fn human(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 9.95 {
        format!("{milliseconds:.1} ms")
    } else if milliseconds < 999.5 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{:.1} s", milliseconds / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let human = |microseconds| human(Duration::from_micros(microseconds));
        assert_eq!(human(430), "0.4 ms");
        assert_eq!(human(9_960), "10 ms");
        assert_eq!(human(41_300), "41 ms");
        assert_eq!(human(999_700), "1.0 s");
        assert_eq!(human(1_230_000), "1.2 s");
    }
}
