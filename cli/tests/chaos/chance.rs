//! What is left to chance.

use std::{ops::RangeInclusive, time::Duration};

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};

/// Sets the seed.
const SEED: &str = "ROLLCALL_TEST_SEED";

/// Chance with a seed: the same choices in the same order again. The machine's own moods are not in it, so a test that
/// fails may take a few runs with its seed to fail again.
pub struct Chance(StdRng);

impl Chance {
    /// Prints the seed, which shows when the test fails.
    pub fn new(test: &str) -> Result<Self> {
        let seed = match std::env::var(SEED) {
            Ok(text) => text.parse().with_context(|| format!("{SEED} is {text:?}, and must be a number"))?,
            Err(_) => rand::random(),
        };
        println!("{test}: {SEED}={seed}");
        Ok(Self(StdRng::seed_from_u64(seed)))
    }

    /// Another chance, whose choices follow from this one's seed, for what goes on at the same time.
    pub fn another(&mut self) -> Self {
        Self(StdRng::seed_from_u64(self.0.random()))
    }

    /// A number of the range.
    pub fn number(&mut self, range: RangeInclusive<u64>) -> u64 {
        self.0.random_range(range)
    }

    /// One of several.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.0).expect("one at least")
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.number(1..=times) == 1
    }

    /// A while up to so many milliseconds, not in whole ones.
    pub fn up_to_millis(&mut self, millis: u64) -> Duration {
        Duration::from_micros(self.number(0..=millis * 1_000))
    }
}
