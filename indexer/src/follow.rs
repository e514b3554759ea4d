//! Block by block at the tip.

use std::{convert::Infallible, ops::ControlFlow};

use domain::{B256, Clock, Heads};
use futures::{StreamExt, TryStreamExt, stream};
use store::rows::BlockRow;

use crate::{
    Config, IndexerError, Phase, Verify,
    backfill::{Backfill, Stepped},
    guard,
    index::{Index, linked},
    rebuild::rebuild,
    rewind::rewind,
    scout::Scout,
    source::Source,
    supervise::Trouble,
};

/// The most blocks per transaction.
const BLOCKS: u64 = 64;

/// How many times in a row a node may not have the next block, below its own head.
const WITHOUT: u32 = 5;

/// How many questions may be under way at once.
const QUESTIONS: usize = 8;

/// Follows the chain, for ever.
///
/// # Errors
/// The first that comes; the index is then as the last transaction left it.
pub(crate) async fn follow(
    source: &Source,
    scout: &Scout,
    index: &mut Index,
    config: &Config,
    clock: &dyn Clock,
    trouble: &mut Trouble,
) -> Result<Infallible, IndexerError> {
    let backfill = Backfill::new(config.max_range);
    // A range of logs proves nothing.
    let ranges = matches!(config.verify, None | Some(Verify::None));
    let mut follower = Follower { source, scout, index, backfill, ranges, heads: None, lags: false, without: 0 };
    loop {
        follower.index.vitals.tick();
        if follower.index.vitals.takes_rebuild() {
            rebuild(source, follower.index, config).await?;
        }
        let at_tip = follower.look(clock).await?;
        if trouble.is_over() {
            follower.index.writer.set_problem(None).await?;
        }
        if at_tip.is_break() {
            tokio::time::sleep(config.poll_interval).await;
        }
    }
}

struct Follower<'a> {
    source: &'a Source,
    scout: &'a Scout,
    index: &'a mut Index,
    backfill: Backfill,
    /// Whether old blocks are fetched in ranges.
    ranges: bool,
    /// What the chain said of itself, and the tip at which it did.
    heads: Option<(B256, Heads)>,
    /// Whether the node was behind us at the last look.
    lags: bool,
    /// How many times in a row the node did not have the next block, below its own head.
    without: u32,
}

impl Follower<'_> {
    /// Looks at the chain's head and goes one step towards it. Continue: there is more to do at once.
    async fn look(&mut self, clock: &dyn Clock) -> Result<ControlFlow<()>, IndexerError> {
        let tip = self.source.latest().await?;
        if let Some((other, other_head)) = self.scout.ahead_of(tip.block.number) {
            return Err(IndexerError::Lags {
                node: self.source.to_string(),
                head: tip.block.number,
                other,
                other_head,
            });
        }
        if tip.block.number <= self.index.head.number && tip.block != self.index.head {
            return self.look_back(&tip).await;
        }
        self.lags = false;
        let heads = self.heads(&tip).await?;
        if tip.block == self.index.head {
            self.set_phase(Phase::Follow);
            self.index.confirm(heads).await?;
            return Ok(ControlFlow::Break(()));
        }
        match Backfill::target(self.index, heads).filter(|_| self.ranges) {
            Some(target) => {
                self.set_phase(Phase::Backfill);
                match self.backfill.step(self.source, self.index, heads, target, clock).await? {
                    Stepped::Applied | Stepped::Again => Ok(ControlFlow::Continue(())),
                    Stepped::Reorg => self.rewind(&tip, heads).await,
                }
            }
            None => self.walk(&tip, heads).await,
        }
    }

    /// The chain's head is not above ours, and is another one. If we have that block, the node lags, or the chain was
    /// taken back and will go on in another way; nothing is deleted before it does.
    async fn look_back(&mut self, tip: &BlockRow) -> Result<ControlFlow<()>, IndexerError> {
        if let Some(ours) = self.index.writer.known_block(tip.block.number).await? {
            let theirs = block(self.source, tip, ours.number).await?;
            if theirs.is_some_and(|theirs| theirs.block != ours) {
                let heads = self.heads(tip).await?;
                return self.rewind(tip, heads).await;
            }
        }
        guard::check(self.source, &self.index.origin).await?;
        if !self.lags {
            tracing::warn!(node = %self.source, its_head = %tip.block, ours = %self.index.head, "the node is behind us");
        }
        self.lags = true;
        Ok(ControlFlow::Break(()))
    }

    /// Applies the next blocks up to the tip, [`BLOCKS`] at most, their logs asked for by hash.
    async fn walk(&mut self, tip: &BlockRow, heads: Heads) -> Result<ControlFlow<()>, IndexerError> {
        let source = self.source;
        let next = self.index.head.number + 1;
        let last = tip.block.number.min(next + BLOCKS - 1);
        let questions: Vec<_> = (next..=last).map(|number| block(source, tip, number)).collect();
        let blocks: Vec<Option<BlockRow>> = stream::iter(questions).buffered(QUESTIONS).try_collect().await?;
        // A node behind a balancer may not have what another one has; a reorg meanwhile breaks the chain of parents.
        let blocks = linked(blocks.into_iter().map_while(|block| block).collect());
        let (Some(first), Some(&head)) = (blocks.first(), blocks.last()) else {
            self.without += 1;
            if self.without > WITHOUT {
                let what = format!("its head is {}, but it does not have block {next}", tip.block);
                return Err(IndexerError::Lied { node: source.to_string(), what });
            }
            return Ok(ControlFlow::Break(()));
        };
        self.without = 0;
        if !self.index.is_followed_by(first) {
            return self.rewind(tip, heads).await;
        }
        let questions: Vec<_> = blocks.iter().map(|block| source.logs_of(block)).collect();
        let entries: Vec<Vec<_>> = stream::iter(questions).buffered(QUESTIONS).try_collect().await?;
        self.index.advance(heads, blocks, head, entries.into_iter().flatten().collect()).await?;
        if head.block == tip.block {
            self.set_phase(Phase::Follow);
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn rewind(&mut self, tip: &BlockRow, heads: Heads) -> Result<ControlFlow<()>, IndexerError> {
        let before = self.index.head;
        rewind(self.source, self.index, tip.block, heads).await?;
        // The nodes behind a balancer may not agree yet: nothing to do until the next look.
        Ok(if self.index.head == before { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Asks again only when the tip is another one.
    async fn heads(&mut self, tip: &BlockRow) -> Result<Heads, IndexerError> {
        match self.heads {
            Some((hash, heads)) if hash == tip.block.hash => Ok(heads),
            _ => {
                let heads = self.source.heads(tip.block.number).await?;
                self.heads = Some((tip.block.hash, heads));
                Ok(heads)
            }
        }
    }

    fn set_phase(&self, phase: Phase) {
        let new = self.index.progress.send_if_modified(|progress| {
            let new = progress.phase != phase;
            progress.phase = phase;
            new
        });
        if new && phase == Phase::Follow {
            tracing::info!(head = %self.index.head, "at the tip of the chain");
        }
    }
}

/// The block at a height, which for the tip we have already.
async fn block(source: &Source, tip: &BlockRow, number: u64) -> Result<Option<BlockRow>, IndexerError> {
    if number == tip.block.number { Ok(Some(*tip)) } else { source.block(number).await }
}
