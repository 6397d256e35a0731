//! Days and months as a clock on a wall tells them.

use jiff::{
    civil::{Date, Time},
    tz::TimeZone,
};

use crate::{error::StorageError, ids::Timestamp, quota::Period};

const EPOCH: Date = Date::constant(1970, 1, 1);

/// A time zone: by it days and months begin and end, also where a day has 23 or 25 hours.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// The zone with a name of the IANA's, such as `Europe/Berlin` or `UTC`.
    ///
    /// # Errors
    /// [`StorageError::UnknownZone`].
    pub fn named(name: &str) -> Result<Self, StorageError> {
        TimeZone::get(name).map(Self).map_err(|_| StorageError::UnknownZone(name.to_owned()))
    }

    /// The number of the day or month of a time: days since 1970-01-01 there, or months since year 0.
    pub(crate) fn number(&self, period: Period, time: Timestamp) -> i64 {
        let date = self.date(time);
        match period {
            Period::Day => date.since(EPOCH).map_or(0, |since| i64::from(since.get_days())),
            Period::Month => i64::from(date.year()) * 12 + i64::from(date.month()) - 1,
        }
    }

    /// When the day or month of a time is over.
    pub(crate) fn end(&self, period: Period, time: Timestamp) -> Timestamp {
        let date = self.date(time);
        let next = match period {
            Period::Day => date.tomorrow(),
            Period::Month => date.last_of_month().tomorrow(),
        };
        // Where midnight is left out, the day begins with the first moment that there is.
        let begins = next.and_then(|next| self.0.to_timestamp(next.to_datetime(Time::midnight())));
        Timestamp(begins.map_or(i64::MAX, |begins| begins.as_millisecond()))
    }

    fn date(&self, time: Timestamp) -> Date {
        let bounds = (jiff::Timestamp::MIN.as_millisecond(), jiff::Timestamp::MAX.as_millisecond());
        let time = jiff::Timestamp::from_millisecond(time.0.clamp(bounds.0, bounds.1)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        self.0.to_datetime(time).date()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 60 * 60 * 1000;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().expect("a time").as_millisecond())
    }

    #[test]
    fn a_day_ends_at_midnight_there() {
        for (zone, now, ends) in [
            ("UTC", "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"),
            ("UTC", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z"),
            ("Europe/Berlin", "2026-11-30T22:59:59Z", "2026-11-30T23:00:00Z"),
            ("Europe/Berlin", "2026-11-30T23:00:00Z", "2026-12-01T23:00:00Z"),
            // The days on which clocks are changed.
            ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
            ("Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("Asia/Kathmandu", "2026-05-05T18:14:59Z", "2026-05-05T18:15:00Z"),
            // Midnight itself is left out.
            ("America/Santiago", "2022-09-10T12:00:00Z", "2022-09-11T04:00:00Z"),
            // A whole day is left out.
            ("Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z"),
        ] {
            let zone = Zone::named(zone).expect("a zone");
            assert_eq!(zone.end(Period::Day, at(now)), at(ends), "{zone:?} {now}");
        }
    }

    #[test]
    fn a_month_ends_with_its_last_day() {
        for (zone, now, ends) in [
            ("UTC", "2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z"),
            ("UTC", "2028-02-28T23:59:59Z", "2028-03-01T00:00:00Z"),
            ("Europe/Berlin", "2026-10-31T23:00:00Z", "2026-11-30T23:00:00Z"),
            ("America/New_York", "2026-12-31T12:00:00Z", "2027-01-01T05:00:00Z"),
        ] {
            let zone = Zone::named(zone).expect("a zone");
            assert_eq!(zone.end(Period::Month, at(now)), at(ends), "{zone:?} {now}");
        }
    }

    /// Three years hour by hour: numbers go up by one where a period ends, and nowhere else.
    #[test]
    fn numbers_change_when_a_period_ends() {
        for name in ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"] {
            let zone = Zone::named(name).expect("a zone");
            for period in [Period::Day, Period::Month] {
                let mut now = at("2025-01-01T12:00:00Z");
                while now < at("2028-01-01T12:00:00Z") {
                    let (number, end) = (zone.number(period, now), zone.end(period, now));
                    assert!(end > now, "{name}");
                    assert_eq!(zone.number(period, Timestamp(end.0 - 1)), number, "{name} before {end:?}");
                    assert_eq!(zone.number(period, end), number + 1, "{name} at {end:?}");
                    now = Timestamp(now.0 + 5 * HOUR_MS);
                }
            }
        }
    }

    #[test]
    fn times_beyond_all_calendars_have_a_day_too() {
        for time in [i64::MIN, i64::MAX] {
            assert!(Zone::default().end(Period::Day, Timestamp(time)).0 >= -400_000_000_000_000);
        }
        assert_eq!(Zone::default().number(Period::Day, Timestamp(-1)), -1);
        assert_eq!(Zone::default().number(Period::Month, Timestamp(0)), 1970 * 12);
    }

    #[test]
    fn a_name_is_one_of_the_iana_s() {
        for wrong in ["", "Berlin", "Mars/Olympus", "../../etc/passwd", "Europe/Berlin "] {
            assert!(Zone::named(wrong).is_err(), "{wrong}");
        }
    }
}
