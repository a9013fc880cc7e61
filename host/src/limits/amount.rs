//! A limit's value as people write it: `5s`, `64MiB`, `1000`.

use std::time::Duration;

use bytesize::ByteSize;
use serde_json::Value;

/// What a limit is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Time, in whole milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Pieces.
    Count,
}

impl Unit {
    /// Reads a value of this unit.
    ///
    /// # Errors
    /// What is wrong with it, and how it is written.
    pub fn read(self, value: &Value) -> Result<u64, String> {
        let read = match (self, value) {
            (Self::Bytes | Self::Count, Value::Number(number)) => number.as_u64(),
            (Self::Milliseconds, Value::String(text)) => humantime::parse_duration(text)
                .ok()
                .filter(|time| time.subsec_nanos() % 1_000_000 == 0)
                .and_then(|time| u64::try_from(time.as_millis()).ok()),
            (Self::Bytes, Value::String(text)) => text.parse::<ByteSize>().ok().map(|size| size.0),
            _ => None,
        };
        read.ok_or_else(|| {
            let form = match self {
                Self::Milliseconds => {
                    "a time such as `250ms`, `5s` or `1m 30s`, in whole milliseconds"
                }
                Self::Bytes => "a size such as `64MiB`, `100kB` or `1000`, in bytes",
                Self::Count => "a whole number such as `1000`",
            };
            format!("`{}` is not {form}", shown(value))
        })
    }

    /// Writes a value of this unit, exactly.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        match self {
            Self::Milliseconds => {
                humantime::format_duration(Duration::from_millis(value)).to_string()
            }
            Self::Bytes => match value.trailing_zeros() / 10 {
                _ if value == 0 => "0B".into(),
                0 => format!("{value}B"),
                1 => format!("{}KiB", value >> 10),
                2 => format!("{}MiB", value >> 20),
                _ => format!("{}GiB", value >> 30),
            },
            Self::Count => value.to_string(),
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "nothing".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "a mapping".into(),
        other => other.to_string(),
    }
}

/// The type of a limit's field.
pub(super) trait Amount {
    fn of(number: u64) -> Self;
    fn number(&self) -> u64;
}

impl Amount for u64 {
    fn of(number: u64) -> Self {
        number
    }

    fn number(&self) -> u64 {
        *self
    }
}

impl Amount for Duration {
    fn of(number: u64) -> Self {
        Self::from_millis(number)
    }

    fn number(&self) -> u64 {
        u64::try_from(self.as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (unit, written, value) in [
            (Unit::Milliseconds, json!("250ms"), 250),
            (Unit::Milliseconds, json!("5s"), 5_000),
            (Unit::Milliseconds, json!("1m 30s"), 90_000),
            (Unit::Bytes, json!(1000), 1000),
            (Unit::Bytes, json!("64MiB"), 64 << 20),
            (Unit::Bytes, json!("64 MiB"), 64 << 20),
            (Unit::Bytes, json!("100kB"), 100_000),
            (Unit::Bytes, json!("1.5GiB"), 3 << 29),
            (Unit::Count, json!(0), 0),
        ] {
            assert_eq!(unit.read(&written), Ok(value), "{written}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for (unit, written) in [
            (Unit::Milliseconds, json!(5)),
            (Unit::Milliseconds, json!("5")),
            (Unit::Milliseconds, json!("-5s")),
            (Unit::Milliseconds, json!("1us")),
            (Unit::Milliseconds, json!("")),
            (Unit::Milliseconds, json!("99999999999999999999s")),
            (Unit::Bytes, json!("64 potatoes")),
            (Unit::Bytes, json!("MiB")),
            (Unit::Bytes, json!(-1)),
            (Unit::Bytes, json!(1.5)),
            (Unit::Bytes, json!("-1MiB")),
            (Unit::Bytes, json!("")),
            (Unit::Count, json!("1000")),
            (Unit::Count, json!("64MiB")),
            (Unit::Count, json!(true)),
            (Unit::Count, json!(null)),
            (Unit::Count, json!([1])),
        ] {
            let read = unit.read(&written);
            assert!(
                read.as_ref().is_err_and(|m| m.contains("such as")),
                "{written}: {read:?}"
            );
        }
    }

    #[test]
    fn what_it_writes_it_can_read() {
        for (unit, value, shown) in [
            (Unit::Milliseconds, 30_000, "30s"),
            (Unit::Milliseconds, 1_500, "1s 500ms"),
            (Unit::Milliseconds, 0, "0s"),
            (Unit::Bytes, 0, "0B"),
            (Unit::Bytes, 1000, "1000B"),
            (Unit::Bytes, 2048, "2KiB"),
            (Unit::Bytes, 256 << 20, "256MiB"),
            (Unit::Bytes, 4 << 30, "4GiB"),
            (Unit::Bytes, 1 << 40, "1024GiB"),
        ] {
            assert_eq!(unit.show(value), shown);
            assert_eq!(unit.read(&json!(shown)), Ok(value), "{shown}");
        }
    }
}
