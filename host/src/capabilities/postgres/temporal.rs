//! Dates, times and intervals from PostgreSQL's binary form to ISO 8601, in the
//! variants that PostgreSQL reads back: a year before Christ ends in ` BC`, and
//! there are `infinity` and `-infinity`.

use std::fmt::Write;

const DAY: i64 = 86_400_000_000;

/// `days` since 2000-01-01.
pub(super) fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".into(),
        i32::MIN => "-infinity".into(),
        _ => {
            let (date, suffix) = day(days.into());
            date + suffix
        }
    }
}

/// `micros` since midnight.
pub(super) fn time(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let mut text = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    fraction(&mut text, micros % 1_000_000);
    text
}

/// `west` is the zone in seconds west of Greenwich.
pub(super) fn time_tz(micros: i64, west: i32) -> String {
    let mut text = time(micros);
    let zone = west.unsigned_abs();
    let sign = if west > 0 { '-' } else { '+' };
    let _ = write!(text, "{sign}{:02}:{:02}", zone / 3600, zone / 60 % 60);
    if !zone.is_multiple_of(60) {
        let _ = write!(text, ":{:02}", zone % 60);
    }
    text
}

/// `micros` since 2000-01-01 00:00; `zone` is what to write after the time.
pub(super) fn timestamp(micros: i64, zone: &str) -> String {
    match micros {
        i64::MAX => "infinity".into(),
        i64::MIN => "-infinity".into(),
        _ => {
            let (date, suffix) = day(micros.div_euclid(DAY));
            format!("{date}T{}{zone}{suffix}", time(micros.rem_euclid(DAY)))
        }
    }
}

/// An ISO 8601 duration, each part with a sign of its own.
pub(super) fn interval(micros: i64, days: i32, months: i32) -> String {
    match (micros, days, months) {
        (0, 0, 0) => return "PT0S".into(),
        (i64::MAX, i32::MAX, i32::MAX) => return "infinity".into(),
        (i64::MIN, i32::MIN, i32::MIN) => return "-infinity".into(),
        _ => {}
    }
    let mut text = String::from("P");
    let part = |text: &mut String, amount: i64, unit: char| {
        if amount != 0 {
            let _ = write!(text, "{amount}{unit}");
        }
    };
    part(&mut text, (months / 12).into(), 'Y');
    part(&mut text, (months % 12).into(), 'M');
    part(&mut text, days.into(), 'D');
    if micros != 0 {
        text.push('T');
        part(&mut text, micros / 3_600_000_000, 'H');
        part(&mut text, micros / 60_000_000 % 60, 'M');
        let rest = micros % 60_000_000;
        if rest != 0 {
            if rest < 0 {
                text.push('-');
            }
            let _ = write!(text, "{}", rest.abs() / 1_000_000);
            fraction(&mut text, rest.abs() % 1_000_000);
            text.push('S');
        }
    }
    text
}

fn fraction(text: &mut String, micros: i64) {
    if micros != 0 {
        let digits = format!(".{micros:06}");
        text.push_str(digits.trim_end_matches('0'));
    }
}

/// The day in the proleptic Gregorian calendar, and ` BC` where it belongs.
/// PostgreSQL's years reach beyond those of chrono.
fn day(since_2000: i64) -> (String, &'static str) {
    // Years begin in March here, so that the leap day is a year's last day.
    let days = since_2000 + 730_425;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if year > 0 {
        (format!("{year:04}-{month:02}-{day:02}"), "")
    } else {
        (format!("{:04}-{month:02}-{day:02}", 1 - year), " BC")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "2000-01-01");
        assert_eq!(date(59), "2000-02-29");
        assert_eq!(date(-1), "1999-12-31");
        assert_eq!(date(-730_120), "0001-01-01");
        assert_eq!(date(-730_121), "0001-12-31 BC");
    }

    #[test]
    fn timestamps_before_the_epoch() {
        assert_eq!(timestamp(-1, ""), "1999-12-31T23:59:59.999999");
        assert_eq!(
            timestamp(1_500_000, "+00:00"),
            "2000-01-01T00:00:01.5+00:00"
        );
    }

    #[test]
    fn intervals() {
        assert_eq!(interval(0, 0, 0), "PT0S");
        assert_eq!(interval(-500_000, -1, 14), "P1Y2M-1DT-0.5S");
        assert_eq!(interval(3_661_000_000, 0, 0), "PT1H1M1S");
    }
}
