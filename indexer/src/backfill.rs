//! Ranges of blocks that nobody doubts: up to the finalized one, or up to as far below the head as blocks may be taken back.
//!
//! A task of its own fetches them ahead and in order, as many blocks at a time as give answers of a few MB, while what came
//! before is written: so neither the node nor Postgres waits for the other, and memory stays bounded.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use domain::{Clock, Heads};
use futures::{StreamExt, stream};
use store::{ingest::WINDOWS_KEPT, rows::BlockRow};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    IndexerError,
    apply::Entry,
    index::Index,
    progress::Pace,
    range::{Range, bytes},
    source::Source,
};

/// A run of fewer blocks is not worth a range: they are followed one by one.
const WORTH: u64 = 16;

/// How many ranges are fetched or wait to be written.
const AHEAD: usize = 2;

/// How long between two lines of the log.
const SAY_EVERY: Duration = Duration::from_secs(2);

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

/// Whether there are so many blocks up to this one that ranges could be worth it.
pub(crate) fn is_worth(index: &Index, target: u64) -> bool {
    target >= index.head.number.saturating_add(WORTH)
}

/// The last block to fetch in ranges, if there is so much to fetch. Of the blocks of a range the last one alone is
/// remembered, so none that may be taken back is in one: by the hashes of all of them a shorter branch is told from a node
/// that lags.
pub(crate) fn target(index: &Index, heads: Heads) -> Option<u64> {
    let remembered = index.window.saturating_mul(WINDOWS_KEPT);
    let target = heads.finalized.max(heads.latest.saturating_sub(remembered));
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
    let (mut parts, mut next) = (Answer::new(), from);
    while next <= to {
        let logs = |part: &Option<Part>| part.as_ref().map(|part| bytes(&part.entries));
        match range.ask(next, to, |from, to| read_at_once(source, from, to), logs).await {
            Ok((end, Some(part))) => {
                parts.push_back(Ok(Some(part)));
                next = end + 1;
            }
            last => {
                parts.push_back(last.map(|(_, part)| part));
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
