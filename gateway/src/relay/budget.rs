//! How much gas may be spent: a bucket that holds an hour's gas and fills all the time. Pure.

use std::time::Duration;

const HOUR_NANOS: u128 = 3_600_000_000_000;

/// Counts in gas times nanoseconds, so that no part of a unit is lost.
#[derive(Debug)]
pub(crate) struct Budget {
    per_hour: u64,
    left: u128,
    at: Duration,
}

impl Budget {
    /// A full bucket.
    pub(crate) fn new(per_hour: u64, now: Duration) -> Self {
        Self { per_hour, left: u128::from(per_hour) * HOUR_NANOS, at: now }
    }

    /// The most that can ever be taken at once.
    pub(crate) fn most(&self) -> u64 {
        self.per_hour
    }

    /// Takes gas out, if it is there; else says how long that will take.
    pub(crate) fn take(&mut self, gas: u64, now: Duration) -> Result<(), Duration> {
        let full = u128::from(self.per_hour) * HOUR_NANOS;
        let gained = u128::from(self.per_hour).saturating_mul(now.saturating_sub(self.at).as_nanos());
        self.left = self.left.saturating_add(gained).min(full);
        self.at = self.at.max(now);
        let wanted = u128::from(gas) * HOUR_NANOS;
        match self.left.checked_sub(wanted) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                let nanos = (wanted - self.left).div_ceil(u128::from(self.per_hour.max(1)));
                Err(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        }
    }

    /// Puts back what was taken and not spent.
    pub(crate) fn put_back(&mut self, gas: u64) {
        let full = u128::from(self.per_hour) * HOUR_NANOS;
        self.left = self.left.saturating_add(u128::from(gas) * HOUR_NANOS).min(full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_hours_gas_is_there_at_once_and_comes_back_in_an_hour() {
        let mut budget = Budget::new(600, Duration::ZERO);
        assert_eq!(budget.take(600, Duration::ZERO), Ok(()));
        assert_eq!(budget.take(1, Duration::ZERO), Err(Duration::from_secs(6)));
        assert_eq!(budget.take(10, MINUTE), Ok(()));
        assert_eq!(budget.take(10, MINUTE), Err(MINUTE));
        assert_eq!(budget.take(600, MINUTE * 61), Ok(()));
        // It never holds more than an hour's.
        assert_eq!(budget.take(600, MINUTE * 600), Ok(()));
        assert!(budget.take(1, MINUTE * 600).is_err());
    }

    #[test]
    fn what_was_not_spent_can_be_spent() {
        let mut budget = Budget::new(600, Duration::ZERO);
        assert_eq!(budget.take(400, Duration::ZERO), Ok(()));
        budget.put_back(400);
        budget.put_back(400);
        assert_eq!(budget.take(600, Duration::ZERO), Ok(()));
        assert!(budget.take(1, Duration::ZERO).is_err());
    }

    #[test]
    fn nothing_overflows_and_nothing_per_hour_is_nothing() {
        let mut none = Budget::new(0, Duration::ZERO);
        assert!(none.take(1, Duration::MAX).is_err());
        let mut most = Budget::new(u64::MAX, Duration::ZERO);
        assert_eq!(most.take(u64::MAX, Duration::ZERO), Ok(()));
        most.put_back(u64::MAX);
        assert_eq!(most.take(u64::MAX, Duration::from_secs(u64::MAX)), Ok(()));
    }
}
