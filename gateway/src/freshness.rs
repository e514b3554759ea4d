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

/// A head that is older than so many usual times between two blocks is that of a chain that stands still.
const BLOCKS: f64 = 6.0;

/// The least and the most that this may come to, and what it is before a block has come.
const STANDS_AFTER: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(300));
const STANDS_AFTER_UNKNOWN: Duration = Duration::from_secs(60);

/// The weight of the newest block in what is usual.
const WEIGHT: f64 = 0.1;

/// What an answer is true at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) block: BlockInfo,
    /// The time of the block in seconds.
    pub(crate) head_time: u64,
    /// When the chain last came back after it stood still, by its own time; 0 if it never did.
    pub(crate) resumed: u64,
    /// The highest blocks that the chain calls safe, and finalized.
    pub(crate) safe: u64,
    pub(crate) finalized: u64,
    /// Chain time in seconds.
    pub(crate) now: u64,
    /// Chain time in seconds if a block came this moment.
    pub(crate) next: u64,
    pub(crate) mode: Mode,
    /// How long ago the indexer was last seen at the chain's tip.
    pub(crate) head_age: Duration,
}

impl At {
    /// As of a block before, at the time of then.
    pub(crate) fn as_of(self, block: BlockInfo) -> Self {
        let then = u64::try_from(block.time.unix_timestamp()).unwrap_or_default();
        Self { block, now: then, head_time: then, ..self }
    }
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
    /// When this head was seen first.
    seen: Duration,
    /// The earliest that it can have come: when Postgres had answered before. Unknown of the first head.
    since: Option<Duration>,
    /// The time of the block that came earliest for its time, and when it came: the next one may be as early.
    earliest: (u64, Duration),
    /// The usual time between two blocks, in seconds.
    usual: Option<f64>,
    /// Whether a block was late before it was known what is usual.
    was_late: bool,
    /// When the chain last came back after it stood still, by its own time.
    resumed: u64,
}

impl Freshness {
    /// The first answer of Postgres. There is no telling for how long the head has been what it is: from now on it
    /// counts.
    pub(crate) fn first(checkpoint: &Checkpoint, monotonic: Duration) -> Self {
        let time = ChainTime { head: checkpoint.head_time, confirmed: monotonic };
        let (kept_for, reached, answered) = (Duration::ZERO, time.head, Some(monotonic));
        let earliest = (checkpoint.head_time, monotonic);
        let (seen, since, usual, was_late, resumed) = (monotonic, None, None, false, 0);
        Self { time, kept_for, reached, answered, seen, since, earliest, usual, was_late, resumed }
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
        let time = ChainTime { head: now.head_time, confirmed };
        let next = Self { time, kept_for, reached, answered: Some(monotonic), ..self };
        if known.head == now.head { next } else { next.with_block(known, now, self.answered, monotonic) }
    }

    /// Takes note of how long the blocks took that have come since Postgres had answered last.
    fn with_block(mut self, known: &Checkpoint, now: &Checkpoint, last: Option<Duration>, monotonic: Duration) -> Self {
        let long = self.stands_after();
        // Unless it is known that the head before came only lately, it is left to the blocks' own times.
        let stood = self.since.is_none_or(|since| monotonic.saturating_sub(since) >= long);
        (self.seen, self.since) = (monotonic, last);
        // One that is later than that has not come late: the chain stood still, or its clock is not like ours.
        if !(1..long.as_secs()).contains(&self.next_time(monotonic).saturating_sub(now.head_time)) {
            self.earliest = (now.head_time, monotonic);
        }
        let Some(blocks @ 1..) = now.head.number.checked_sub(known.head.number) else { return self };
        let each = per(now.head_time.saturating_sub(known.head_time), blocks);
        // A chain whose blocks were there all along, and that we did not see, did not stand still.
        let late = stood && each >= long.as_secs_f64();
        // Where no block has come sooner yet, two that are late are no standstill: that is how often this chain has blocks.
        let seldom = late && self.usual.is_none() && std::mem::replace(&mut self.was_late, true);
        if late && !seldom {
            self.resumed = now.head_time;
        } else {
            self.usual = Some(self.usual.map_or(each, |usual| WEIGHT.mul_add(each - usual, usual)));
        }
        self
    }

    /// Whether there was no block for longer than is usual.
    fn stands(&self, monotonic: Duration) -> bool {
        monotonic.saturating_sub(self.seen) >= self.stands_after()
    }

    fn stands_after(&self) -> Duration {
        self.usual.map_or(STANDS_AFTER_UNKNOWN, |usual| {
            // Where blocks are that seldom, one that is late is not late yet.
            let most = STANDS_AFTER.1.as_secs_f64().max(2.0 * usual);
            let after = (BLOCKS * usual).clamp(STANDS_AFTER.0.as_secs_f64(), most);
            Duration::try_from_secs_f64(after).unwrap_or(STANDS_AFTER.1)
        })
    }

    fn now(&self, monotonic: Duration) -> u64 {
        self.time.now(monotonic.saturating_add(self.kept_for)).max(self.reached)
    }

    /// The time that a block would have, in seconds, if it came now. Between two blocks it runs away from [`now`](Self::now),
    /// which each confirmation takes back to the head.
    fn next_time(&self, monotonic: Duration) -> u64 {
        let (time, seen) = self.earliest;
        let since = monotonic.saturating_sub(seen);
        // Blocks have whole seconds: part of one may be a whole one by their clock.
        time.saturating_add(since.as_secs()).saturating_add(u64::from(since.subsec_nanos() > 0))
    }

    /// What an answer given at the monotonic time `monotonic` is true at.
    pub(crate) fn at(&self, checkpoint: &Checkpoint, monotonic: Duration) -> At {
        let head_age = self.time.age(monotonic.saturating_add(self.kept_for));
        let mode = if self.answered.is_none_or(|answered| monotonic.saturating_sub(answered) > STALE_AFTER) {
            Mode::Stale
        } else if head_age >= ChainTime::MAX_AHEAD || self.stands(monotonic) {
            Mode::Preserved
        } else {
            Mode::Normal
        };
        let block = BlockInfo {
            number: checkpoint.head.number,
            hash: checkpoint.head.hash,
            time: timestamp::from_seconds(checkpoint.head_time),
        };
        let (now, head_time, resumed) = (self.now(monotonic), checkpoint.head_time, self.resumed);
        let next = self.next_time(monotonic).max(now);
        let domain::Heads { safe, finalized, .. } = checkpoint.heads;
        At { block, head_time, resumed, safe, finalized, now, next, mode, head_age }
    }
}

/// How many blocks the index is behind the chain.
pub(crate) fn lag(checkpoint: &Checkpoint) -> u64 {
    checkpoint.heads.latest.saturating_sub(checkpoint.head.number)
}

#[expect(clippy::cast_precision_loss, reason = "seconds and blocks are far below 2^52")]
fn per(seconds: u64, blocks: u64) -> f64 {
    seconds as f64 / blocks as f64
}
