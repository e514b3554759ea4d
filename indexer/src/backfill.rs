//! Ranges of blocks that nobody doubts: up to the finalized one, or up to the window below the head.
//!
//! A task of its own fetches them ahead and in order, as many blocks at a time as give answers of a few MB, while what came
//! before is written: so neither the node nor Postgres waits for the other, and memory stays bounded.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{Clock, Heads};
use futures::{StreamExt, stream};
use store::rows::BlockRow;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::{IndexerError, RpcFailure, apply::Entry, index::Index, progress::Pace, source::Source};

/// A run of fewer blocks is not worth a range: they are followed one by one.
const WORTH: u64 = 16;

/// How many blocks a node is asked for that was not asked before.
const FIRST: u64 = 128;

/// The answers that a range is made larger and smaller for, in bytes.
const SMALL: u64 = 2 << 20;
const LARGE: u64 = 6 << 20;

/// How many ranges are fetched or wait to be written.
const AHEAD: usize = 2;

/// How many times in a row a node may not answer in time for a range, which takes long, before another one is asked.
const LATE: u32 = 2;

/// How long between two lines of the log.
const SAY_EVERY: Duration = Duration::from_secs(2);

/// How many blocks a node is asked for at once. Learned from its answers, and remembered of each node.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    blocks: Arc<AtomicU64>,
    most: u64,
}

/// A range of blocks with all logs of ours, of one chain.
pub(crate) struct Part {
    /// Its first and its last block.
    pub(crate) first: BlockRow,
    pub(crate) last: BlockRow,
    /// The logs, in order.
    pub(crate) entries: Vec<Entry>,
}

/// What came of one range: its parts, in order; none where the chain moved meanwhile. An error is the last.
type Answer = VecDeque<Result<Option<Part>, IndexerError>>;

/// Ranges on their way.
pub(crate) struct Fetching {
    answers: mpsc::Receiver<Answer>,
    /// What is left of the last answer.
    parts: Answer,
    _task: AbortOnDropHandle<()>,
}

impl Range {
    pub(crate) fn new(most: u64) -> Self {
        let most = most.max(1);
        Self { blocks: Arc::new(AtomicU64::new(most.min(FIRST))), most }
    }

    fn get(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed).clamp(1, self.most)
    }

    /// Takes note of how large the answer for some blocks was.
    fn took(&self, blocks: u64, bytes: u64) {
        let next = match bytes {
            LARGE.. => (blocks.saturating_mul((SMALL + LARGE) / 2) / bytes).max(1),
            // The last of all may be a short one.
            ..SMALL if blocks >= self.get() => blocks.saturating_mul(if bytes < SMALL / 4 { 4 } else { 2 }),
            _ => return,
        };
        self.blocks.store(next.min(self.most), Ordering::Relaxed);
    }

    /// Takes note that the node refused so many. It grows again from there, slowly.
    fn refused(&self, blocks: u64) {
        self.blocks.fetch_min(blocks.div_ceil(2).max(1), Ordering::Relaxed);
    }
}

/// Whether there are so many blocks up to this one that ranges could be worth it.
pub(crate) fn is_worth(index: &Index, target: u64) -> bool {
    target >= index.head.number.saturating_add(WORTH)
}

/// The last block to fetch in ranges, if there is so much to fetch.
pub(crate) fn target(index: &Index, heads: Heads) -> Option<u64> {
    let target = heads.finalized.max(heads.latest.saturating_sub(index.window));
    is_worth(index, target).then_some(target)
}

/// Begins to fetch the blocks from one height to another, both included.
pub(crate) fn fetch(source: &Arc<Source>, range: &Range, from: u64, to: u64) -> Fetching {
    let (sender, answers) = mpsc::channel(AHEAD);
    let planned = range.clone();
    // A range is not asked for before there is room for the answer.
    let plan = stream::unfold((sender, from), move |(sender, from)| {
        let range = planned.clone();
        async move {
            let room = if from <= to { sender.clone().reserve_owned().await.ok()? } else { return None };
            let end = range.end(from, to);
            Some(((room, from, end), (sender, end + 1)))
        }
    });
    let (source, range) = (source.clone(), range.clone());
    let fetched = plan.map(move |(room, from, to)| {
        let (source, range) = (source.clone(), range.clone());
        async move { (room, read(&source, &range, from, to).await) }
    });
    let task = tokio::spawn(async move {
        let mut fetched = std::pin::pin!(fetched.buffered(AHEAD));
        while let Some((room, answer)) = fetched.next().await {
            room.send(answer);
        }
    });
    Fetching { answers, parts: Answer::new(), _task: AbortOnDropHandle::new(task) }
}

impl Range {
    fn end(&self, from: u64, to: u64) -> u64 {
        to.min(from.saturating_add(self.get() - 1))
    }
}

impl Fetching {
    /// The next range; none at the end, and where the chain moved while it was read.
    pub(crate) async fn next(&mut self) -> Result<Option<Part>, IndexerError> {
        while self.parts.is_empty() {
            match self.answers.recv().await {
                Some(answer) => self.parts = answer,
                None => return Ok(None),
            }
        }
        self.parts.pop_front().unwrap_or(Ok(None))
    }
}

/// Reads some blocks: at once, or in parts, if the node does not give them at once. It ends with the first error.
async fn read(source: &Source, range: &Range, from: u64, to: u64) -> Answer {
    let (mut parts, mut next, mut end, mut late) = (Answer::new(), from, to, 0);
    while next <= to {
        match read_at_once(source, next, end).await {
            Ok(Some(part)) => {
                range.took(end - next + 1, part.bytes());
                parts.push_back(Ok(Some(part)));
                (next, end, late) = (end + 1, range.end(end + 1, to), 0);
            }
            // A node that cannot tell a single block either has another trouble than the range.
            Err(IndexerError::Rpc {
                method: "eth_getLogs",
                failure: failure @ (RpcFailure::Late | RpcFailure::Busy | RpcFailure::Refused),
                reason,
                ..
            }) if end > next && late < LATE => {
                late += u32::from(failure == RpcFailure::Late);
                range.refused(end - next + 1);
                tracing::debug!(from = next, to = end, reason, "the node wants a smaller range");
                end = range.end(next, end);
            }
            last => {
                if let Err(IndexerError::Rpc { failure: RpcFailure::Late, .. }) = &last {
                    // Perhaps it had too much to do to answer anything.
                    range.refused(end - next + 1);
                }
                parts.push_back(last);
                break;
            }
        }
    }
    parts
}

async fn read_at_once(source: &Source, from: u64, to: u64) -> Result<Option<Part>, IndexerError> {
    let (first, last) = futures::try_join!(source.block(from), source.block(to))?;
    let (Some(first), Some(last)) = (first, last) else {
        return Err(source.incoherent(format!("it has not all blocks of {from} to {to}, which are below its head")));
    };
    let mut entries = source.logs_in(from, to).await?;
    let ends = [first, last];
    // The same last block after as before: the logs are of the chain that ends in it.
    if source.block(to).await? != Some(last) || !entries.iter().all(|entry| is_of(entry, &ends)) {
        return Ok(None);
    }
    source.date(&mut entries, &ends).await?;
    Ok(Some(Part { first, last, entries }))
}

impl Part {
    /// About how many bytes of JSON its logs are.
    fn bytes(&self) -> u64 {
        let bytes = |entry: &Entry| 450 + 70 * entry.row.topics.len() as u64 + 2 * entry.row.data.len() as u64;
        self.entries.iter().map(bytes).sum()
    }
}

/// What the log says of a backfill, now and then.
#[derive(Debug, Default)]
pub(crate) struct Said {
    at: Option<Duration>,
    pace: Pace,
}

impl Said {
    pub(crate) fn say(&mut self, index: &Index, target: u64, clock: &dyn Clock) {
        let now = clock.monotonic();
        let rate = self.pace.look(now, *index.progress.borrow());
        let due = self.at.is_none_or(|at| now.saturating_sub(at) >= SAY_EVERY);
        if due || index.head.number == target {
            self.at = Some(now);
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
fn is_of(entry: &Entry, known: &[BlockRow]) -> bool {
    let block = entry.row.block;
    known.iter().all(|row| row.block.number != block.number || row.block.hash == block.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_follows_the_size_of_the_answers() {
        let range = Range::new(2_000);
        assert_eq!(range.get(), FIRST);
        for _ in 0..10 {
            range.took(range.get(), 1_000);
        }
        assert_eq!(range.get(), 2_000);
        range.took(2_000, 60 << 20);
        assert_eq!(range.get(), 2_000 * 4 / 60);
        range.took(133, 4 << 20);
        assert_eq!(range.get(), 133);
        // A short rest says nothing.
        range.took(3, 100);
        assert_eq!(range.get(), 133);
        range.refused(133);
        assert_eq!(range.get(), 67);
        range.refused(1);
        assert_eq!((range.get(), range.end(10, 20)), (1, 10));
        range.took(1, 0);
        assert_eq!((range.get(), range.end(10, 20)), (4, 13));
        range.took(4, SMALL / 2);
        assert_eq!(range.get(), 8);
        assert_eq!(Range::new(0).get(), 1);
    }
}
