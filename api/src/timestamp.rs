//! Chain time as RFC 3339.

use time::OffsetDateTime;

/// The last second that RFC 3339 can write: the end of the year 9999.
const LAST: i64 = 253_402_300_799;

/// Seconds of chain time as a time. A time after the year 9999, which RFC 3339 cannot write, becomes its end.
pub fn from_seconds(seconds: u64) -> OffsetDateTime {
    let seconds = i64::try_from(seconds).unwrap_or(LAST).min(LAST);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A time as seconds of chain time; a time before 1970 becomes 0.
pub fn to_seconds(time: OffsetDateTime) -> u64 {
    u64::try_from(time.unix_timestamp()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use time::format_description::well_known::Rfc3339;

    use super::*;

    #[test]
    fn every_number_is_a_time_that_can_be_written() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_700_000_030, "2023-11-14T22:13:50Z"),
            ((1 << 40) - 1, "9999-12-31T23:59:59Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(from_seconds(seconds).format(&Rfc3339).expect("a year that can be written"), text);
        }
        assert_eq!(to_seconds(from_seconds(1_700_000_030)), 1_700_000_030);
    }
}
