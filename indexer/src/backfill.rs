//! Ranges of blocks that nobody doubts: up to the finalized one, or up to the window below the head.

use std::time::Duration;

use domain::{Clock, Heads};

use crate::{IndexerError, RpcFailure, apply::Entry, index::Index, progress::Pace, source::Source};

/// A run of fewer blocks is not worth a range: they are followed one by one.
const WORTH: u64 = 16;

/// How long between two lines of the log.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// How many blocks to ask for at once.
pub(crate) struct Backfill {
    range: u64,
    max_range: u64,
    said: Option<Duration>,
    pace: Pace,
}

/// What came of a step.
pub(crate) enum Stepped {
    /// A range was applied.
    Applied,
    /// Nothing was applied; the next step asks for less, or the chain moved under this one.
    Again,
    /// The chain does not go on from our head.
    Reorg,
}

impl Backfill {
    pub(crate) fn new(max_range: u64) -> Self {
        let max_range = max_range.max(1);
        Self { range: max_range, max_range, said: None, pace: Pace::default() }
    }

    /// The last block to fetch in ranges, if there is so much to fetch.
    pub(crate) fn target(index: &Index, heads: Heads) -> Option<u64> {
        let target = heads.finalized.max(heads.latest.saturating_sub(index.window));
        (target >= index.head.number.saturating_add(WORTH)).then_some(target)
    }

    /// Fetches and applies one range, at most up to `target`. Of its blocks only the last is remembered, and of those
    /// in between only the logs are looked at.
    pub(crate) async fn step(
        &mut self,
        source: &Source,
        index: &mut Index,
        heads: Heads,
        target: u64,
        clock: &dyn Clock,
    ) -> Result<Stepped, IndexerError> {
        let from = index.head.number + 1;
        let to = target.min(from.saturating_add(self.range - 1));
        let (first, last) = futures::try_join!(source.block(from), source.block(to))?;
        let (Some(first), Some(last)) = (first, last) else {
            return Err(
                source.incoherent(format!("its head is {}, but it has not all of {from} to {to}", heads.latest))
            );
        };
        if !index.is_followed_by(&first) {
            return Ok(Stepped::Reorg);
        }
        let entries = match source.logs_in(from, to).await {
            Ok(entries) => entries,
            Err(IndexerError::Rpc {
                failure: RpcFailure::Late | RpcFailure::Busy | RpcFailure::Refused,
                reason,
                ..
            }) if to > from => {
                self.range = (to - from).div_ceil(2);
                tracing::debug!(from, to, range = self.range, reason, "the node wants a smaller range");
                return Ok(Stepped::Again);
            }
            Err(e) => return Err(e),
        };
        // The same last block after as before: the logs are of the chain that ends in it.
        if source.block(to).await? != Some(last) || !entries.iter().all(|entry| is_of(entry, &[first, last])) {
            return Ok(Stepped::Again);
        }
        index.advance(heads, vec![last], last, entries).await?;
        self.range = self.max_range.min(self.range.saturating_add(self.range / 4 + 1));
        self.say(index, target, clock);
        Ok(Stepped::Applied)
    }

    fn say(&mut self, index: &Index, target: u64, clock: &dyn Clock) {
        let now = clock.monotonic();
        let rate = self.pace.look(now, *index.progress.borrow());
        let due = self.said.is_none_or(|said| now.saturating_sub(said) >= SAY_EVERY);
        if due || index.head.number == target {
            self.said = Some(now);
            let progress = *index.progress.borrow();
            tracing::info!(
                head = progress.head,
                tip = progress.tip,
                percent = progress.percent(),
                events = progress.events,
                events_per_s = rate.events_per_s.round(),
                blocks_per_s = rate.blocks_per_s.round(),
                eta_s = rate.left.map(|left| left.as_secs()),
                "backfill"
            );
        }
    }
}

/// Whether a log names the right hash for its block, where we know it.
fn is_of(entry: &Entry, known: &[store::rows::BlockRow]) -> bool {
    let block = entry.row.block;
    known.iter().all(|row| row.block.number != block.number || row.block.hash == block.hash)
}
