//! A moment, as PostgreSQL counts it.

use std::fmt;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// From 1970-01-01 to 2000-01-01.
const UNIX_TO_POSTGRES: i64 = 10_957 * SECONDS_PER_DAY * MICROS_PER_SECOND;

/// A `timestamp` or `timestamptz`: microseconds since 2000-01-01 00:00, in UTC for the latter.
///
/// It displays in PostgreSQL's own form with `+00`, which a `timestamp` parameter takes too (it ignores the
/// offset). There is no clock in the sandbox: for the present, write `now()` in SQL.
///
/// ```
/// use wasmigrate_sdk::Timestamp;
///
/// let moment = Timestamp::from_unix_micros(1_762_344_000_000_000);
/// assert_eq!(moment.to_string(), "2025-11-05 12:00:00+00");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// PostgreSQL's `infinity`, later than every other.
    ///
    /// ```
    /// # use wasmigrate_sdk::Timestamp;
    /// assert!(Timestamp::INFINITY > Timestamp::from_unix_micros(0));
    /// ```
    pub const INFINITY: Self = Self(i64::MAX);
    /// PostgreSQL's `-infinity`, earlier than every other.
    ///
    /// ```
    /// # use wasmigrate_sdk::Timestamp;
    /// assert_eq!(Timestamp::NEG_INFINITY.to_string(), "-infinity");
    /// ```
    pub const NEG_INFINITY: Self = Self(i64::MIN);

    /// From microseconds since 2000-01-01, PostgreSQL's own count.
    ///
    /// ```
    /// # use wasmigrate_sdk::Timestamp;
    /// assert_eq!(Timestamp::from_postgres_micros(0).to_string(), "2000-01-01 00:00:00+00");
    /// ```
    #[must_use]
    pub const fn from_postgres_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From microseconds since 1970-01-01.
    ///
    /// ```
    /// # use wasmigrate_sdk::Timestamp;
    /// assert_eq!(Timestamp::from_unix_micros(0).to_string(), "1970-01-01 00:00:00+00");
    /// ```
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros.saturating_sub(UNIX_TO_POSTGRES))
    }

    /// Microseconds since 2000-01-01.
    ///
    /// ```
    /// # use wasmigrate_sdk::Timestamp;
    /// assert_eq!(Timestamp::from_postgres_micros(5).postgres_micros(), 5);
    /// ```
    #[must_use]
    pub const fn postgres_micros(self) -> i64 {
        self.0
    }

    /// Microseconds since 1970-01-01.
    ///
    /// ```
    /// # use wasmigrate_sdk::Timestamp;
    /// assert_eq!(Timestamp::from_unix_micros(5).unix_micros(), 5);
    /// ```
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0.saturating_add(UNIX_TO_POSTGRES)
    }

    /// Whether it is neither `infinity` nor `-infinity`.
    ///
    /// ```
    /// # use wasmigrate_sdk::Timestamp;
    /// assert!(!Timestamp::INFINITY.is_finite());
    /// ```
    #[must_use]
    pub const fn is_finite(self) -> bool {
        self.0 != i64::MAX && self.0 != i64::MIN
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INFINITY => return f.write_str("infinity"),
            Self::NEG_INFINITY => return f.write_str("-infinity"),
            Self(_) => {}
        }
        let seconds = self.0.div_euclid(MICROS_PER_SECOND);
        let micros = self.0.rem_euclid(MICROS_PER_SECOND);
        let second = seconds.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = civil(seconds.div_euclid(SECONDS_PER_DAY) + 10_957);
        // there is no year 0: the one before 1 is 1 BC
        let (year, era) = if year > 0 {
            (year, "")
        } else {
            (1 - year, " BC")
        };
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        )?;
        if micros != 0 {
            let digits = format!("{micros:06}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        write!(f, "+00{era}")
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_displays_as_postgresql_does() {
        let shown = |micros| Timestamp::from_postgres_micros(micros).to_string();
        assert_eq!(shown(-1), "1999-12-31 23:59:59.999999+00");
        assert_eq!(shown(1_500_000), "2000-01-01 00:00:01.5+00");
        // 2024-02-29 12:34:56
        assert_eq!(shown(762_525_296_000_000), "2024-02-29 12:34:56+00");
        // psql: extract(epoch from '0044-03-15 BC'::timestamptz) = -63517824000
        let ides = Timestamp::from_unix_micros(-63_517_824_000_000_000);
        assert_eq!(ides.to_string(), "0044-03-15 00:00:00+00 BC");
        assert_eq!(Timestamp::INFINITY.to_string(), "infinity");
    }

    #[test]
    fn the_infinities_survive_the_change_of_epoch() {
        assert!(Timestamp::from_unix_micros(i64::MIN) <= Timestamp::from_unix_micros(0));
        assert_eq!(Timestamp::INFINITY.unix_micros(), i64::MAX);
        assert!(!Timestamp::NEG_INFINITY.is_finite());
    }
}
