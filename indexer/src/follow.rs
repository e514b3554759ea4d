//! Block by block at the tip.

use std::{convert::Infallible, ops::ControlFlow, sync::Arc, time::Duration};

use domain::{B256, Clock, Heads};
use futures::{StreamExt, TryStreamExt, stream};
use store::rows::BlockRow;

use crate::{
    Config, IndexerError, Phase, Verify,
    backfill::{self, Part, Said},
    guard,
    index::{Index, linked},
    metrics,
    range::Range,
    rebuild::rebuild,
    rewind::rewind,
    scout::Scout,
    source::{QUESTIONS, Source, WITHOUT},
    supervise::Trouble,
    upkeep::Upkeep,
    witness,
};

/// The most blocks per transaction.
const BLOCKS: u64 = 64;

/// How long a backfill goes on until all else is looked at again.
const BACKFILL: Duration = Duration::from_secs(10);

/// How often a loop that waits for a range says that it is alive.
const TICK: Duration = Duration::from_secs(1);

/// Follows the chain, for ever.
///
/// # Errors
/// The first that comes; the index is then as the last transaction left it.
pub(crate) async fn follow(
    source: &Arc<Source>,
    scout: &Scout,
    index: &mut Index,
    (config, range): (&Config, Range),
    clock: &dyn Clock,
    trouble: &mut Trouble,
) -> Result<Infallible, IndexerError> {
    // A range of logs proves nothing.
    let ranges = matches!(config.verify, None | Some(Verify::None)).then(|| range.clone());
    let mut news = source.news().await;
    let mut follower = Follower {
        source,
        scout,
        index,
        ranges,
        said: Said::default(),
        upkeep: Upkeep::default(),
        heads: None,
        lags: false,
        without: 0,
    };
    let mut heard = None;
    loop {
        follower.index.vitals.tick();
        if follower.index.vitals.takes_rebuild() {
            rebuild(source, follower.index, &range).await?;
        }
        let at_tip = follower.look(heard.take(), clock).await?;
        if trouble.is_over() {
            follower.index.writer.set_problem(None).await?;
        }
        let behind = follower.keep_up(clock).await?;
        if at_tip.is_break() && !behind {
            heard = news.wait(source, config.poll_interval).await;
        }
    }
}

struct Follower<'a> {
    source: &'a Arc<Source>,
    scout: &'a Scout,
    index: &'a mut Index,
    /// How old blocks are fetched, if in ranges.
    ranges: Option<Range>,
    /// What was said of it.
    said: Said,
    upkeep: Upkeep,
    /// What the chain said of itself, and the tip at which it did.
    heads: Option<(B256, Heads)>,
    /// Whether the node was behind us at the last look.
    lags: bool,
    /// How many times in a row the node did not have what comes after our head, below its own.
    without: u32,
}

impl Follower<'_> {
    /// Looks at the chain's head and goes one step towards it. Continue: there is more to do at once.
    ///
    /// A block that the node has told of is taken for the head if it is the next one; all else it is asked about.
    async fn look(&mut self, heard: Option<BlockRow>, clock: &dyn Clock) -> Result<ControlFlow<()>, IndexerError> {
        let tip = match heard.filter(|block| self.index.is_followed_by(block)) {
            Some(next) => next,
            None => self.source.latest().await?,
        };
        for lie in self.scout.lies() {
            tracing::warn!(error = %lie, "a node that is not asked");
            if let Some((node, _)) = lie.node() {
                metrics::node_failed(node, &lie);
            }
        }
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
        if tip.block == self.index.head {
            let heads = self.heads(&tip).await?;
            self.without = 0;
            self.set_phase(Phase::Follow);
            self.index.confirm(heads).await?;
            return Ok(ControlFlow::Break(()));
        }
        if !backfill::is_worth(self.index, tip.block.number) {
            return self.walk(&tip).await;
        }
        let heads = self.heads(&tip).await?;
        match (self.ranges.clone(), backfill::target(self.index, heads)) {
            (Some(range), Some(target)) => self.backfill(&range, &tip, heads, target, clock).await,
            (None, Some(target)) => {
                self.set_phase(Phase::Backfill);
                let walked = self.walk(&tip).await?;
                self.said.say(self.index, target, clock);
                Ok(walked)
            }
            _ => self.walk(&tip).await,
        }
    }

    /// Applies ranges of blocks up to `target`, or for a while.
    async fn backfill(
        &mut self,
        range: &Range,
        tip: &BlockRow,
        heads: Heads,
        target: u64,
        clock: &dyn Clock,
    ) -> Result<ControlFlow<()>, IndexerError> {
        self.set_phase(Phase::Backfill);
        let began = clock.monotonic();
        let mut fetching = backfill::fetch(self.source, range, self.index.head.number + 1, target);
        loop {
            // A node may take its time for a range: that is no standstill.
            let part = tokio::select! {
                part = fetching.next() => part?,
                () = tokio::time::sleep(TICK) => {
                    self.index.vitals.tick();
                    continue;
                }
            };
            let Some(Part { first, last, entries }) = part else { break };
            if !self.index.is_followed_by(&first) {
                return self.rewind(tip, heads).await;
            }
            self.index.advance(heads, vec![last], last, entries).await?;
            self.said.say(self.index, target, clock);
            if clock.monotonic().saturating_sub(began) > BACKFILL {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
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
    async fn walk(&mut self, tip: &BlockRow) -> Result<ControlFlow<()>, IndexerError> {
        let source = self.source;
        let next = self.index.head.number + 1;
        let last = tip.block.number.min(next + BLOCKS - 1);
        let questions: Vec<_> = (next..=last).map(|number| block(source, tip, number)).collect();
        let blocks: Vec<Option<BlockRow>> = stream::iter(questions).buffered(QUESTIONS).try_collect().await?;
        // A node behind a balancer may not have what another one has; a reorg meanwhile breaks the chain of parents.
        let blocks = linked(blocks.into_iter().map_while(|block| block).collect());
        let (Some(first), Some(&head)) = (blocks.first(), blocks.last()) else {
            return self.gets_nowhere(|| source.claims(tip.block, next));
        };
        if !self.index.is_followed_by(first) {
            let heads = self.heads(tip).await?;
            return self.rewind(tip, heads).await;
        }
        self.without = 0;
        let questions: Vec<_> = blocks.iter().map(|block| source.logs_of(block)).collect();
        let entries = stream::iter(questions).buffered(QUESTIONS).try_collect();
        let (entries, heads): (Vec<Vec<_>>, _) = futures::try_join!(entries, self.heads(tip))?;
        if source.is_foreign() {
            witness::compare(source, &self.scout.others().await, &blocks, &entries).await?;
        }
        let mut entries: Vec<_> = entries.into_iter().flatten().collect();
        source.date(&mut entries, &blocks).await?;
        self.index.advance(heads, blocks, head, entries).await?;
        if head.block == tip.block {
            self.set_phase(Phase::Follow);
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn rewind(&mut self, tip: &BlockRow, heads: Heads) -> Result<ControlFlow<()>, IndexerError> {
        let before = self.index.head;
        self.upkeep = Upkeep::default();
        rewind(self.source, self.index, tip.block, heads).await?;
        if self.index.head != before {
            return Ok(ControlFlow::Continue(()));
        }
        let what = || format!("its head is {}, which does not follow on block {before} that it has", tip.block);
        self.gets_nowhere(|| self.source.incoherent(what()))
    }

    /// The node has our head, and nothing that comes after it, but claims to have. The nodes behind a balancer may not agree
    /// yet: nothing to do until the next look, unless there were many.
    fn gets_nowhere(&mut self, why: impl FnOnce() -> IndexerError) -> Result<ControlFlow<()>, IndexerError> {
        self.without += 1;
        if self.without > WITHOUT { Err(why()) } else { Ok(ControlFlow::Break(())) }
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

    /// Goes one step with what becomes of days that are over. Returns whether there is more to do.
    async fn keep_up(&mut self, clock: &dyn Clock) -> Result<bool, IndexerError> {
        match self.heads {
            Some((_, heads)) => self.upkeep.step(self.source, self.index, heads, clock).await,
            None => Ok(false),
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
