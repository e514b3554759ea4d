//! Until when: the flags, and times in words.

use std::time::Duration;

use anyhow::Result;
use client::{Chain, service::MAX_TIME};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{commands::target::duration, exit::usage};

/// Until when something holds; the command says what it is by default.
#[derive(Debug, Clone, clap::Args)]
pub struct TermArgs {
    /// How long it holds, from now on by the chain's time, such as 90d
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub for_: Option<Duration>,
    /// Until when it holds, such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "RFC3339", value_parser = date, conflicts_with = "for_")]
    pub until: Option<u64>,
}

impl TermArgs {
    /// The last second at which it holds.
    pub async fn expires_at(&self, chain: &Chain, default: Duration) -> Result<u64> {
        if let Some(until) = self.until {
            return Ok(until);
        }
        after(chain, self.for_.unwrap_or(default)).await
    }
}

/// The chain's time, and so long after it.
pub async fn after(chain: &Chain, duration: Duration) -> Result<u64> {
    let end = chain.head().await?.time.saturating_add(duration.as_secs());
    if end > MAX_TIME { Err(usage("that is later than the contract can hold")) } else { Ok(end) }
}

/// Days as a duration.
pub const fn days(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

/// Seconds since 1970 as `2026-11-21T09:00:00Z`; those after the year 9999 as a number.
pub fn rfc3339(seconds: u64) -> String {
    let date = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    date.and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}

fn date(text: &str) -> Result<u64, String> {
    let expected = "expected a time such as 2027-01-31T00:00:00Z";
    let date = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| expected.to_owned())?;
    u64::try_from(date.unix_timestamp()).map_err(|_| "before 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_as_rfc_3339() {
        assert_eq!(date("2027-01-31T01:00:00+01:00"), Ok(1_801_353_600));
        assert_eq!(rfc3339(1_801_353_600), "2027-01-31T00:00:00Z");
        assert_eq!(rfc3339(1 << 39), "549755813888");
        for bad in ["", "tomorrow", "2027-01-31", "1969-12-31T23:59:59Z"] {
            assert!(date(bad).is_err(), "{bad:?}");
        }
    }
}
