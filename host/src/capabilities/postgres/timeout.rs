//! PostgreSQL's own `statement_timeout`, tied to the time that a step has left.
//!
//! A step's deadline ends its query at once, through a second connection. This is
//! for when nobody is left to do that.
//!
//! To set it for every step would cost each a round trip: it can't travel with the
//! statement itself, since PostgreSQL starts the clock before it reads that. Hence
//! powers of two. A connection that comes back is set for what its step had, which
//! is what the next one most likely has too, and within a step it is set anew each
//! time when half of the time is over. So most steps send nothing more, and no
//! statement outlives its step by more than the step had left when it began.
//!
//! It is set with SET and read with SHOW, which take no snapshot: a script can
//! still choose its isolation level.

use std::time::{Duration, Instant};

/// A timeout in milliseconds; 0 is none.
pub(super) type Timeout = u64;

/// The timeout for a statement of a step that ends at `deadline`.
pub(super) fn for_deadline(deadline: Instant) -> Timeout {
    let left = deadline.saturating_duration_since(Instant::now());
    for_time(left)
}

fn for_time(left: Duration) -> Timeout {
    let seconds = left.as_millis().div_ceil(1000).clamp(1, 1 << 20) as u64;
    seconds.next_power_of_two() * 1000
}

/// The shorter one.
pub(super) fn shorter(one: Timeout, other: Timeout) -> Timeout {
    match (one, other) {
        (0, timeout) | (timeout, 0) => timeout,
        (one, other) => one.min(other),
    }
}

/// The statement that sets it.
pub(super) fn set(timeout: Timeout) -> String {
    format!("SET statement_timeout TO {timeout}")
}

/// Reads what PostgreSQL shows of it: `0`, `250ms`, `2s`, `5min`.
pub(super) fn parse(shown: &str) -> Timeout {
    let digits = shown.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = shown.split_at(digits);
    let milliseconds = match unit {
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 1,
    };
    number.parse::<u64>().unwrap_or(0) * milliseconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_less_than_what_is_left_and_never_twice_as_much() {
        for milliseconds in [
            1_000, 1_001, 2_000, 29_990, 30_000, 64_000, 64_001, 3_600_000,
        ] {
            let timeout = for_time(Duration::from_millis(milliseconds));
            assert!(timeout >= milliseconds, "{milliseconds}: {timeout}");
            assert!(
                timeout < 2 * milliseconds + 1000,
                "{milliseconds}: {timeout}"
            );
        }
        assert_eq!(for_time(Duration::ZERO), 1000);
        // PostgreSQL's largest is 2^31 - 1.
        assert!(for_time(Duration::MAX) < 1 << 31);
    }

    #[test]
    fn reads_what_postgresql_shows() {
        let cases = [
            ("0", 0),
            ("1ms", 1),
            ("64s", 64_000),
            ("5min", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
        ];
        for (shown, timeout) in cases {
            assert_eq!(parse(shown), timeout, "{shown}");
        }
    }

    #[test]
    fn none_is_longer_than_any() {
        assert_eq!(shorter(0, 5), 5);
        assert_eq!(shorter(5, 0), 5);
        assert_eq!(shorter(7, 5), 5);
        assert_eq!(shorter(0, 0), 0);
    }
}
