//! How many requests one client may send.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::Arc,
    time::Duration,
};

use axum::extract::Request;
use domain::Clock;
use governor::{Quota, RateLimiter, clock::Clock as _, middleware::NoOpMiddleware, state::keyed::DashMapStateStore};

use crate::{
    config::ClientRate,
    error::{Error, Kind},
    peer::Peer,
};

/// How many clients are told apart. Beyond that some share what they may send: whoever comes from ever new addresses
/// fills no memory.
const BUCKETS: u64 = 1 << 18;

/// Counts requests, each under a key.
pub(crate) struct Limiter {
    limiter: RateLimiter<u64, DashMapStateStore<u64>, Time, NoOpMiddleware<Duration>>,
    /// With a secret of its own: nobody can choose an address that shares with another.
    hasher: RandomState,
}

/// Our clock, as governor wants it.
#[derive(Debug, Clone)]
struct Time(Arc<dyn Clock>);

impl governor::clock::Clock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limiter")
    }
}

impl Limiter {
    pub(crate) fn new(rate: ClientRate, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        Self { limiter: RateLimiter::new(quota, DashMapStateStore::default(), Time(clock)), hasher: RandomState::new() }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// It is one too many: for how long to wait.
    pub(crate) fn check(&self, key: impl Hash) -> Result<(), Duration> {
        let bucket = self.hasher.hash_one(key) % BUCKETS;
        self.limiter.check_key(&bucket).map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }

    /// Counts a request of a client. Probes are not counted: a gateway must not look dead because it is asked.
    ///
    /// # Errors
    /// [`Kind::TooManyRequests`].
    pub(crate) fn admit(&self, request: &Request) -> Result<(), Error> {
        let peer = request.extensions().get::<Peer>().filter(|_| !matches!(request.uri().path(), "/livez" | "/readyz"));
        peer.map_or(Ok(()), |peer| self.check(peer.client())).map_err(|wait| {
            let error = Error::new(Kind::TooManyRequests, "this address asks too often; wait as Retry-After says");
            error.retry_after(wait)
        })
    }

    /// Forgets clients that have not asked for so long that they may send as much as any.
    pub(crate) fn upkeep(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use domain::ManualClock;

    use super::*;

    #[test]
    fn each_key_has_its_own_share_and_is_forgotten_once_it_has_all_of_it() {
        let clock = ManualClock::new();
        let [per_second, burst] = [2, 4].map(|n| NonZeroU32::new(n).expect("not zero"));
        let limiter = Limiter::new(ClientRate { per_second, burst }, clock.clone());
        for _ in 0..4 {
            assert_eq!(limiter.check("one"), Ok(()));
        }
        assert_eq!(limiter.check("one"), Err(Duration::from_millis(500)));
        assert_eq!(limiter.check("two"), Ok(()));
        limiter.upkeep();
        assert_eq!(limiter.limiter.len(), 2);
        clock.advance(Duration::from_millis(500));
        assert_eq!(limiter.check("one"), Ok(()));
        assert_eq!(limiter.check("one"), Err(Duration::from_millis(500)));
        clock.advance(Duration::from_secs(1));
        limiter.upkeep();
        assert_eq!(limiter.limiter.len(), 1, "two has all it may have, one not yet");
        clock.advance(Duration::from_secs(10));
        limiter.upkeep();
        assert!(limiter.limiter.is_empty());
        for _ in 0..4 {
            assert_eq!(limiter.check("one"), Ok(()), "never more than the burst");
        }
        assert!(limiter.check("one").is_err());
    }

    #[test]
    fn there_are_no_more_buckets_than_allowed() {
        let one = NonZeroU32::MIN;
        let limiter = Limiter::new(ClientRate { per_second: one, burst: one }, ManualClock::new());
        let refused = (0..2 * BUCKETS).filter(|key| limiter.check(key).is_err()).count();
        assert!(limiter.limiter.len() <= BUCKETS as usize);
        assert!(refused > 0, "some share");
    }
}
