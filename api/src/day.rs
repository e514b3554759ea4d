//! A UTC day of chain time, as `2026-11-21`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use time::{Date, format_description::BorrowedFormatItem, macros::format_description};

const FORMAT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// The Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;

/// The last day that can be written: 9999-12-31.
const LAST: u64 = 2_932_896;

/// A day, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u64);

/// A text that is no day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayError;

impl fmt::Display for DayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no day from 1970-01-01 to 9999-12-31")
    }
}

impl std::error::Error for DayError {}

impl Day {
    /// The day with this many days between 1970-01-01 and it. One after the year 9999 becomes the last of it.
    pub fn new(number: u64) -> Self {
        Self(number.min(LAST))
    }

    /// How many days after 1970-01-01 it is.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let julian = i32::try_from(self.0).map_err(|_| fmt::Error)? + EPOCH;
        let date = Date::from_julian_day(julian).map_err(|_| fmt::Error)?;
        f.write_str(&date.format(FORMAT).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(s: &str) -> Result<Self, DayError> {
        // One way to write each day: the parser takes signs.
        if s.len() != 10 || !s.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(DayError);
        }
        let date = Date::parse(s, FORMAT).map_err(|_| DayError)?;
        u64::try_from(date.to_julian_day() - EPOCH).map(Self).map_err(|_| DayError)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_text() {
        for (number, text) in [(0, "1970-01-01"), (20_778, "2026-11-21"), (LAST, "9999-12-31")] {
            assert_eq!(Day::new(number).to_string(), text);
            assert_eq!(text.parse(), Ok(Day::new(number)));
        }
        assert_eq!(Day::new(u64::MAX), Day::new(LAST));
        for bad in ["", "1969-12-31", "2026-02-30", "2026-1-01", "+2026-1-1", "20261-1-1", "2026-01-01Z", "10000-01-01"]
        {
            assert_eq!(bad.parse::<Day>(), Err(DayError), "{bad:?}");
        }
    }
}
