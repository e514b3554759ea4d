//! The clock is a parameter: programs pass [`SystemClock`], tests [`ManualClock`].

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Where time comes from.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Time since an arbitrary start; never goes back. For measuring how long ago something happened.
    fn monotonic(&self) -> Duration;
    /// Time since the Unix epoch by the machine's own opinion. For logs, for alarms, and for when keys and
    /// tokens end; never for liveness.
    fn wall(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts at zero now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now() })
    }
}

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn wall(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// A clock that moves only when told to; for tests.
#[derive(Debug, Default)]
pub struct ManualClock {
    nanos: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at zero.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Moves both times on.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::SeqCst))
    }

    fn wall(&self) -> Duration {
        self.monotonic()
    }
}

/// What time it is on the chain between two blocks: the time of the indexed head, plus the time since the indexer
/// last confirmed that this head was the chain's tip, up to a bound. A chain or an indexer that stands still thereby
/// stops the time of its leases, instead of expiring everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainTime {
    /// Timestamp of the indexed head, in seconds.
    pub head: u64,
    /// Monotonic time at which the confirmation was seen.
    pub confirmed: Duration,
}

impl ChainTime {
    /// The most that chain time may run ahead of the last confirmation.
    pub const MAX_AHEAD: Duration = Duration::from_secs(3);

    /// Chain time in seconds at the monotonic time `monotonic`.
    pub fn now(&self, monotonic: Duration) -> u64 {
        self.head.saturating_add(self.age(monotonic).min(Self::MAX_AHEAD).as_secs())
    }

    /// How long ago the indexer confirmed the head.
    pub fn age(&self, monotonic: Duration) -> Duration {
        monotonic.saturating_sub(self.confirmed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_time_runs_on_between_confirmations_and_then_stands() {
        let time = ChainTime { head: 100, confirmed: Duration::from_secs(5) };
        assert_eq!(time.now(Duration::from_secs(5)), 100);
        assert_eq!(time.now(Duration::from_secs(7)), 102);
        assert_eq!(time.now(Duration::from_secs(500)), 103);
        assert_eq!(time.now(Duration::ZERO), 100);
    }

    #[test]
    fn the_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new();
        assert_eq!(clock.monotonic(), Duration::ZERO);
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(clock.monotonic(), Duration::from_millis(1_500));
    }
}
