//! Timestamps between PostgreSQL's text and its count of microseconds since 2000-01-01.
//!
//! A library's calendar ends at the year 9999, PostgreSQL's at 294276 (and 4713 BC), so this is ours.
//! The day arithmetic is Howard Hinnant's, "chrono-Compatible Low-Level Date Algorithms".

use std::fmt;

const MICROS_PER_DAY: i64 = 86_400_000_000;
/// Days from 1970-01-01, where the algorithm counts from, to 2000-01-01, where PostgreSQL does.
const EPOCH_DAYS: i64 = 10_957;

/// Microseconds since 2000-01-01 of a timestamp in ISO style, with or without `+00`.
/// None where the text is not one.
pub fn parse(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        _ => {}
    }
    let (text, before_christ) = match text.strip_suffix(" BC") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let text = text.strip_suffix("+00").unwrap_or(text);
    let (date, time) = text.split_once(' ')?;
    let mut date = date.split('-');
    let year: i64 = date.next()?.parse().ok()?;
    let month: i64 = date.next()?.parse().ok()?;
    let day: i64 = date.next()?.parse().ok()?;
    let mut time = time.split(':');
    let hours: i64 = time.next()?.parse().ok()?;
    let minutes: i64 = time.next()?.parse().ok()?;
    let seconds = time.next()?;
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let seconds: i64 = seconds.parse().ok()?;
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    let year = if before_christ { 1 - year } else { year };
    let days = days_from_civil(year, month, day) - EPOCH_DAYS;
    days.checked_mul(MICROS_PER_DAY)?
        .checked_add(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction)
}

/// Microseconds since 2000-01-01, printed as PostgreSQL reads a timestamp; for timestamptz the zone is UTC.
pub struct TimestampText(pub i64);

impl fmt::Display for TimestampText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            i64::MAX => return f.write_str("infinity"),
            i64::MIN => return f.write_str("-infinity"),
            _ => {}
        }
        let days = self.0.div_euclid(MICROS_PER_DAY);
        let micros = self.0.rem_euclid(MICROS_PER_DAY);
        let (year, month, day) = civil_from_days(days + EPOCH_DAYS);
        let (year, suffix) = if year > 0 {
            (year, "")
        } else {
            (1 - year, " BC")
        };
        let seconds = micros / 1_000_000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{:06}+00{suffix}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            micros % 1_000_000,
        )
    }
}

/// Whether PostgreSQL can store that many microseconds since 2000-01-01: from 4713 BC to the year 294276, and
/// the infinities. Source: PostgreSQL, "Date/Time Types".
pub fn is_storable(micros: i64) -> bool {
    const FIRST: i64 = -211_813_488_000_000_000;
    const END: i64 = 9_223_371_331_200_000_000;
    matches!(micros, i64::MIN | i64::MAX | FIRST..END)
}

/// The day of a moment, in days since 2000-01-01, as a `date` is stored; None where the moment cannot be.
pub fn date(micros: i64) -> Option<i32> {
    match micros {
        i64::MIN => Some(i32::MIN),
        i64::MAX => Some(i32::MAX),
        _ if is_storable(micros) => i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok(),
        _ => None,
    }
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(parse("2000-01-01 00:00:00"), Some(0));
        assert_eq!(parse("2000-01-01 00:00:00.5+00"), Some(500_000));
        assert_eq!(parse("1999-12-31 23:59:59.999999+00"), Some(-1));
        assert_eq!(parse("infinity"), Some(i64::MAX));
        // select extract(epoch from timestamp '0044-03-15 12:00:00 BC' - timestamp '2000-01-01')
        assert_eq!(
            parse("0044-03-15 12:00:00 BC"),
            Some(-64_464_465_600 * 1_000_000)
        );
        assert_eq!(
            parse("294276-12-31 23:59:59.999999"),
            Some(9_223_371_331_199_999_999)
        );
        assert_eq!(parse("not a time"), None);
    }

    #[test]
    fn printing_and_parsing_are_inverse() {
        for micros in [
            0,
            -1,
            1,
            86_400_000_000,
            -211_813_488_000_000_000,
            9_223_371_331_199_999_999,
        ] {
            assert_eq!(parse(&TimestampText(micros).to_string()), Some(micros));
        }
        assert_eq!(
            TimestampText(-1).to_string(),
            "1999-12-31 23:59:59.999999+00"
        );
    }

    #[test]
    fn what_can_be_stored_has_a_day() {
        // select timestamp '4714-11-24 00:00 BC', timestamp '294276-12-31 23:59:59.999999'
        let (first, last) = (-211_813_488_000_000_000, 9_223_371_331_199_999_999);
        assert_eq!(date(first), Some(-2_451_545));
        assert_eq!(date(last), Some(106_751_982));
        assert_eq!((date(first - 1), date(last + 1)), (None, None));
        assert!(!is_storable(first - 1) && !is_storable(last + 1));
        assert_eq!((date(-1), date(0)), (Some(-1), Some(0)));
        assert_eq!(
            (date(i64::MIN), date(i64::MAX)),
            (Some(i32::MIN), Some(i32::MAX))
        );
    }
}
