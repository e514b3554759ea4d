//! How often something may happen, on the injected clock.

use std::{fmt, hash::Hash, sync::Arc, time::Duration};

use domain::Clock;
use governor::{
    Quota, RateLimiter,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use moka::sync::Cache;

/// How many are counted at a time: the one that nobody asked for the longest is forgotten first.
const CAPACITY: u64 = 10_000;

/// Counts one source.
pub(crate) type Limiter = RateLimiter<NotKeyed, InMemoryState, LimitClock, NoOpMiddleware<Duration>>;

/// The injected clock, as governor wants it.
#[derive(Debug, Clone)]
pub(crate) struct LimitClock(pub(super) Arc<dyn Clock>);

impl governor::clock::Clock for LimitClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

/// A limiter for each of many sources.
pub(super) struct Limits<K> {
    clock: LimitClock,
    limiters: Cache<K, Arc<Limiter>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Limits<K> {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock: LimitClock(clock), limiters: Cache::new(CAPACITY) }
    }

    /// The limiter of a source: the one that already counts it, if any.
    pub(super) fn of(&self, source: K, quota: Quota) -> Arc<Limiter> {
        self.limiters.get_with(source, || Arc::new(RateLimiter::direct_with_clock(quota, self.clock.clone())))
    }
}

impl<K> fmt::Debug for Limits<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limits")
    }
}
