//! Moments as Discord writes and reads them.

pub use ::clock::{Clock, ManualClock};

const DAY_US: i64 = 24 * 3600 * 1_000_000;

/// `2026-01-01T00:00:00.000000+00:00`, as Discord writes a moment.
pub(crate) fn timestamp(ms: i64) -> String {
    timestamp_us(ms * 1000)
}

/// As [`timestamp`], of microseconds since 1970.
pub(crate) fn timestamp_us(us: i64) -> String {
    let (days, us_of_day) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
    let (year, month, day) = date(days);
    let (s_of_day, us_of_second) = (us_of_day / 1_000_000, us_of_day % 1_000_000);
    let (hour, minute, second) = (s_of_day / 3600, s_of_day / 60 % 60, s_of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{us_of_second:06}+00:00")
}

/// Reads a moment of ISO 8601, with a fraction of a second and an offset or without: microseconds since 1970.
pub(crate) fn parse_us(text: &str) -> Option<i64> {
    let number =
        |range: std::ops::Range<usize>| text.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?.parse::<i64>().ok();
    let marks = [(4, "-"), (7, "-"), (13, ":"), (16, ":")];
    let has_marks =
        marks.iter().all(|(at, mark)| text.get(*at..at + 1) == Some(*mark)) && matches!(text.get(10..11), Some("T" | "t" | " "));
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let is_real = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 60;
    if !has_marks || !is_real {
        return None;
    }
    let rest = text.get(19..)?;
    let offset_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (fraction, offset) = rest.split_at(offset_at);
    let fraction = fraction.strip_prefix('.').unwrap_or(fraction);
    let fraction_us = match fraction {
        "" => 0,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => format!("{digits:0<6}").get(..6)?.parse::<i64>().ok()?,
        _ => return None,
    };
    let offset_minutes = match offset {
        "" | "Z" | "z" => 0,
        _ => {
            let digits = offset.get(1..)?.replace(':', "");
            let minutes = digits.get(..2)?.parse::<i64>().ok()? * 60 + digits.get(2..4)?.parse::<i64>().ok()?;
            if offset.starts_with('-') { -minutes } else { minutes }
        }
    };
    let days = days(year, month, day);
    let s = days * 86_400 + hour * 3600 + minute * 60 + second - offset_minutes * 60;
    Some(s * 1_000_000 + fraction_us)
}

/// The day count since 1970 of a date. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day count since 1970. Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_discord_writes_them() {
        let check = |ms, expected: &str| assert_eq!(timestamp(ms), expected);
        check(0, "1970-01-01T00:00:00.000000+00:00");
        check(951_782_400_000, "2000-02-29T00:00:00.000000+00:00");
        check(1_767_225_599_123, "2025-12-31T23:59:59.123000+00:00");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000000+00:00");
    }

    #[test]
    fn moments_are_read_as_libraries_write_them() {
        let check = |text: &str, expected| assert_eq!(parse_us(text), expected, "{text}");
        for ms in [0, 951_782_400_000, 1_767_225_599_123, 4_107_542_400_000] {
            check(&timestamp(ms), Some(ms * 1000));
        }
        check("2025-12-31T23:59:59.123456Z", Some(1_767_225_599_123_456));
        check("2025-12-31T23:59:59", Some(1_767_225_599_000_000));
        check("2026-01-01T01:59:59.5+0200", Some(1_767_225_599_500_000));
        check("2025-12-31T20:29:59.000000-03:30", Some(1_767_225_599_000_000));
        for wrong in ["", "yesterday", "2025-13-01T00:00:00Z", "2025-12-31", "2025-12-31T24:00:00Z", "2025-12-31T23:59:59.x", "1767225599"]
        {
            check(wrong, None);
        }
    }
}
