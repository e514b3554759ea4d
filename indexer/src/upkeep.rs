//! What becomes of days that are over: they are rolled up into uptimes, and their heartbeats go once they are old.
//!
//! Only of blocks that stay, and from `event` alone: so what comes of it is the same in every index, whenever it runs.

use std::{collections::BTreeMap, time::Duration};

use domain::{Clock, Heads, InstanceId};
use store::{
    ingest::{OldPlace, RollUp, Writer},
    rows::{BlockRow, DAY, EventRow, LeaseRow, UptimeRow},
};

use crate::{
    IndexerError, Vitals,
    apply::Entry,
    index::Index,
    log::{When, when},
    source::Source,
    uptime::Uptimes,
};

/// How long to wait with dropping old heartbeats while somebody reads them: a look costs nothing, and most read for a moment.
const AGAIN: Duration = Duration::from_secs(1);

/// How long it is not said again that somebody does.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What is under way.
#[derive(Default)]
pub(crate) struct Upkeep {
    rolling: Option<Rolling>,
    /// The block up to which nothing is left to do.
    done: Option<u64>,
    /// When to try again to drop heartbeats.
    again: Option<Duration>,
    /// When it was said last that somebody reads them.
    said: Option<Duration>,
    /// Up to where the old heartbeats are thinned out, if that is under way.
    thinned: Option<OldPlace>,
}

struct Rolling {
    uptimes: Uptimes,
    /// The events up to this block have acted.
    block: u64,
}

impl Upkeep {
    /// Rolls up a few thousand events of days that are over, or drops heartbeats, or thins out a page of the old ones. Returns whether there is more to do.
    pub(crate) async fn step(
        &mut self,
        source: &Source,
        index: &mut Index,
        heads: Heads,
        clock: &dyn Clock,
    ) -> Result<bool, IndexerError> {
        if let Some(place) = self.thinned.take() {
            self.thinned = index.writer.thin_heartbeats(index.head, &place).await?;
            return Ok(self.thinned.is_some());
        }
        let settled = index.settled(index.head, heads);
        let oldest = |day: u64| match index.keep_heartbeats {
            0 => 0,
            days => day.saturating_sub(days),
        };
        let today = index.head_time / DAY;
        let over = |rolling: &Rolling| today <= rolling.uptimes.day();
        let nothing = self.rolling.as_ref().is_some_and(over) && oldest(today) <= index.heartbeats_from;
        if nothing || self.done == Some(settled) {
            return Ok(false);
        }
        if let Some(block) = index.writer.block_at(settled).await? {
            let rolling = match &mut self.rolling {
                Some(rolling) => rolling,
                None => self.rolling.insert(Rolling::load(&index.writer).await?),
            };
            let day = block.time / DAY;
            if day > rolling.uptimes.day() && rolling.step(source, index, &block).await? {
                return Ok(true);
            }
            let from = oldest(day);
            if from > index.heartbeats_from {
                let now = clock.monotonic();
                if self.again.is_some_and(|again| now < again) {
                    return Ok(false);
                }
                let Some(to) = index.writer.drop_heartbeats(index.head, from, block.block.number).await? else {
                    if self.said.is_none_or(|said| now.saturating_sub(said) > SAY_EVERY) {
                        tracing::info!("old heartbeats stay for now: somebody reads them");
                        self.said = Some(now);
                    }
                    self.again = Some(now.saturating_add(AGAIN));
                    return Ok(false);
                };
                index.heartbeats_from = to;
                if to == from {
                    self.thinned = Some(OldPlace::default());
                }
                return Ok(true);
            }
        }
        self.done = Some(settled);
        Ok(false)
    }
}

impl Rolling {
    async fn load(writer: &Writer) -> Result<Self, IndexerError> {
        let upkeep = writer.upkeep().await?;
        let leases = writer.rolled_leases().await?;
        Ok(Self { uptimes: Uptimes::new(upkeep.uptime_day, leases), block: upkeep.uptime_block })
    }

    /// Lets some more events act, at most those of the days before the one of `last`. Returns whether there are more.
    async fn step(&mut self, source: &Source, index: &Index, last: &BlockRow) -> Result<bool, IndexerError> {
        let until = last.block.number;
        let to = index.writer.next_events(self.block).await?.map_or(until, |to| to.min(until));
        let entries = index.decoded(index.writer.events(self.block, to).await?)?;
        let mut days = Days::default();
        self.block = to;
        let mut over = to == until;
        for entry in &entries {
            let Some(time) = acts_at(entry).map_err(|row| undated(source, row))? else { continue };
            let before = entry.row.block.number - 1;
            if time / DAY >= last.time / DAY {
                (self.block, over) = (before, true);
                break;
            }
            days.end(&mut self.uptimes, time, before);
            self.uptimes.act(time, entry);
        }
        if over {
            days.end(&mut self.uptimes, last.time, self.block);
        }
        if let Some(days) = days.into_roll_up() {
            index.writer.roll_up(index.head, &days).await?;
        }
        Ok(!over)
    }
}

/// The days that a step ended.
#[derive(Default)]
struct Days {
    rows: Vec<UptimeRow>,
    leases: BTreeMap<InstanceId, LeaseRow>,
    /// The day after them, and the block above which its events begin.
    next: Option<(u64, u64)>,
}

impl Days {
    /// Ends the days before the one of `time`, the events of which begin above a block.
    fn end(&mut self, uptimes: &mut Uptimes, time: u64, block: u64) {
        if time / DAY > uptimes.day() {
            self.rows.extend(uptimes.until(time));
            self.leases.extend(uptimes.changed().into_iter().map(|lease| (lease.instance, lease)));
            self.next = Some((uptimes.day(), block));
        }
    }

    fn into_roll_up(self) -> Option<RollUp> {
        let (day, block) = self.next?;
        Some(RollUp { rows: self.rows, leases: self.leases.into_values().collect(), day, block })
    }
}

/// The time of the block of an event that acts on a lease.
///
/// # Errors
/// The event, if nobody knows.
pub(crate) fn acts_at(entry: &Entry) -> Result<Option<u64>, &EventRow> {
    match when(&entry.event) {
        When::At(time) => Ok(Some(time)),
        When::ItsBlock => entry.row.time.map(Some).ok_or(&entry.row),
        When::Never => Ok(None),
    }
}

fn undated(source: &Source, row: &EventRow) -> IndexerError {
    source.incoherent(format!("it did not say the time of block {}, which the index has", row.block))
}

/// Asks for the times of blocks that were indexed before times were noted. Those that the node does not have are not on
/// the chain any more, and go with the reorg that comes.
pub(crate) async fn date(source: &Source, writer: &Writer, vitals: &Vitals) -> Result<(), IndexerError> {
    loop {
        vitals.tick();
        let blocks = writer.undated().await?;
        let times = source.times(blocks).await?;
        if times.is_empty() {
            return Ok(());
        }
        tracing::info!(blocks = times.len(), "noted the times of blocks that were indexed before");
        writer.date(&times).await?;
    }
}
