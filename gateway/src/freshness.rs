//! Chain time, and how far an answer can be trusted to be up to date.

use std::time::Duration;

use api::{BlockInfo, Mode, timestamp};
use domain::ChainTime;
use store::rows::Checkpoint;

/// Postgres silent for longer than this: [`Mode::Stale`].
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(3);

/// An index this many blocks behind the chain still follows it; one that is further behind catches up, and each block
/// that it applies then says nothing about now.
const FOLLOWING: u64 = 2;

/// What an answer is true at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) block: BlockInfo,
    /// Chain time in seconds.
    pub(crate) now: u64,
    pub(crate) mode: Mode,
    /// How long ago the indexer was last seen at the chain's tip.
    pub(crate) head_age: Duration,
}

/// How fresh the index is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Freshness {
    time: ChainTime,
    /// How old the head was by then, if it comes from disk.
    kept_for: Duration,
    /// The latest time that was reached on this head. A confirmation without a block does not turn time back, or an
    /// instance would be gone and come back with each.
    reached: u64,
    /// When Postgres last answered; never, if all is from disk.
    answered: Option<Duration>,
}

impl Freshness {
    /// The first answer of Postgres. There is no telling for how long the head has been what it is: from now on it
    /// counts.
    pub(crate) fn first(checkpoint: &Checkpoint, monotonic: Duration) -> Self {
        let time = ChainTime { head: checkpoint.head_time, confirmed: monotonic };
        Self { time, kept_for: Duration::ZERO, reached: time.head, answered: Some(monotonic) }
    }

    /// What was on disk, with the age of its head. [`Mode::Stale`] until Postgres answers.
    pub(crate) fn kept(checkpoint: &Checkpoint, head_age: Duration, monotonic: Duration) -> Self {
        Self { kept_for: head_age, answered: None, ..Self::first(checkpoint, monotonic) }
    }

    /// A further answer, `now`; the one before was `known`.
    pub(crate) fn next(self, known: &Checkpoint, now: &Checkpoint, monotonic: Duration) -> Self {
        let confirmed = known.confirmations != now.confirmations;
        let follows = known.head != now.head && lag(now) <= FOLLOWING;
        let (confirmed, kept_for) =
            if confirmed || follows { (monotonic, Duration::ZERO) } else { (self.time.confirmed, self.kept_for) };
        let reached = if known.head == now.head { self.now(monotonic) } else { now.head_time };
        Self { time: ChainTime { head: now.head_time, confirmed }, kept_for, reached, answered: Some(monotonic) }
    }

    fn now(&self, monotonic: Duration) -> u64 {
        self.time.now(monotonic.saturating_add(self.kept_for)).max(self.reached)
    }

    /// What an answer given at the monotonic time `monotonic` is true at.
    pub(crate) fn at(&self, checkpoint: &Checkpoint, monotonic: Duration) -> At {
        let head_age = self.time.age(monotonic.saturating_add(self.kept_for));
        let mode = if self.answered.is_none_or(|answered| monotonic.saturating_sub(answered) > STALE_AFTER) {
            Mode::Stale
        } else if head_age >= ChainTime::MAX_AHEAD {
            Mode::Preserved
        } else {
            Mode::Normal
        };
        let block = BlockInfo {
            number: checkpoint.head.number,
            hash: checkpoint.head.hash,
            time: timestamp::from_seconds(checkpoint.head_time),
        };
        At { block, now: self.now(monotonic), mode, head_age }
    }
}

/// How many blocks the index is behind the chain.
pub(crate) fn lag(checkpoint: &Checkpoint) -> u64 {
    checkpoint.heads.latest.saturating_sub(checkpoint.head.number)
}
