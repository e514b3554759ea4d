//! A batch, and a reorg, from node to database.

use domain::{BlockRef, Heads};
use store::{
    ingest::{Batch, History, Reorg, Touched, WINDOWS_KEPT, Writer},
    rows::{BlockRow, DAY, EventRow, HeartbeatRow, Origin},
};

use crate::{
    IndexerError, Progress, Vitals,
    apply::{Entry, Needs, Past, State},
    log::{Contracts, bad, decode_row, heartbeats},
    metrics,
};

/// The index as its writer knows it.
pub(crate) struct Index {
    pub(crate) writer: Writer,
    pub(crate) origin: Origin,
    /// The last block applied.
    pub(crate) head: BlockRef,
    /// Its time.
    pub(crate) head_time: u64,
    /// How many blocks are remembered below the head.
    pub(crate) window: u64,
    /// For how many days heartbeats are kept; 0: for ever.
    pub(crate) keep_heartbeats: u64,
    /// The first day that heartbeats have a partition of.
    pub(crate) heartbeats_from: u64,
    pub(crate) progress: tokio::sync::watch::Sender<Progress>,
    pub(crate) vitals: Vitals,
}

impl Index {
    /// Applies the logs of the blocks up to and including `head`, which is remembered, as are `blocks`.
    ///
    /// # Errors
    /// [`IndexerError::BadLog`] if a log does not fit; nothing is applied then.
    pub(crate) async fn advance(
        &mut self,
        heads: Heads,
        blocks: Vec<BlockRow>,
        head: BlockRow,
        entries: Vec<Entry>,
    ) -> Result<(), IndexerError> {
        let mut state = self.state(&Needs::of(entries.iter().map(|entry| &entry.event))).await?;
        for Entry { row, event } in &entries {
            state
                .apply(row.block.number, row.log_index, event)
                .map_err(|misfit| bad(row.block, row.log_index, misfit))?;
        }
        let batch = Batch {
            blocks,
            heartbeats: entries.iter().flat_map(heartbeats).collect(),
            heartbeats_from: self.heartbeats_from(&head, heads),
            events: entries.into_iter().map(|entry| entry.row).collect(),
            namespaces: state.namespaces.into_values().collect(),
            services: state.services.into_values().collect(),
            instances: state.instances.into_values().collect(),
            leases: state.leases.into_iter().collect(),
            grants: state.grants.into_values().collect(),
        };
        let write = self.writer.apply(self.head, head, heads, self.window, &batch);
        self.vitals.write("batch", write).await?;
        self.moved(&head, heads, batch.events.len() as u64);
        Ok(())
    }

    /// Takes the index back to a block of it that the chain has too.
    pub(crate) async fn rewind(&mut self, ancestor: BlockRow, tip: BlockRef, heads: Heads) -> Result<(), IndexerError> {
        let touched = self.writer.touched_above(ancestor.block.number).await?;
        let height = ancestor.block.number;
        let mut history = self.writer.history(&touched, height).await?;
        let mut heartbeats = Vec::new();
        if height < self.writer.upkeep().await?.thinned_to {
            heartbeats = self.newest_heartbeats(&touched, height).await?;
            history.heartbeats.clone_from(&heartbeats);
        }
        let state = self.state_of(history)?;
        let reorg = Reorg {
            ancestor,
            found_at: tip.hash,
            touched,
            namespaces: state.namespaces.into_values().collect(),
            services: state.services.into_values().collect(),
            instances: state.instances.into_values().collect(),
            heartbeats,
            grants: state.grants.into_values().collect(),
        };
        self.vitals.write("reorg", self.writer.reorg(self.head, heads, &reorg)).await?;
        let depth = self.head.number - ancestor.block.number;
        tracing::info!(
            depth, ancestor = %ancestor.block, was = %self.head, tip = %tip, instances = reorg.touched.instances.len(),
            "reorg: took the index back to the common ancestor"
        );
        metrics::reorg(depth);
        self.moved(&ancestor, heads, 0);
        Ok(())
    }

    async fn state(&self, needs: &Needs) -> Result<State, IndexerError> {
        let mut state = State::default();
        if !needs.namespaces.is_empty() {
            let rows = self.writer.namespaces(&needs.namespaces).await?;
            state.namespaces = rows.into_iter().map(|row| (row.id, row)).collect();
        }
        if !needs.services.is_empty() {
            let rows = self.writer.services(&needs.services).await?;
            state.services = rows.into_iter().map(|row| (row.key, row)).collect();
        }
        if !needs.instances.is_empty() {
            let rows = self.writer.instances(&needs.instances).await?;
            state.instances = rows.into_iter().map(|row| (row.id, row)).collect();
        }
        if !needs.leases.is_empty() {
            state.leases = self.writer.leases(&needs.leases).await?.into_iter().collect();
        }
        if !needs.endorsements.is_empty() {
            let rows = self.writer.endorsements(&needs.endorsements).await?;
            state.grants = rows.into_iter().map(|row| (row.grant.slot(), row)).collect();
        }
        Ok(state)
    }

    /// The newest heartbeats up to a height, from the events: those of `heartbeat` may be gone. Only a reorg below what
    /// was final, or as good as final, needs it.
    async fn newest_heartbeats(&self, touched: &Touched, height: u64) -> Result<Vec<HeartbeatRow>, IndexerError> {
        let mut wanted = touched.instances.clone();
        let (mut found, mut before) = (Vec::new(), (height + 1, 0));
        while !wanted.is_empty() {
            let entries = self.decoded(self.writer.heartbeat_events(before.0, before.1).await?)?;
            let Some(Entry { row, .. }) = entries.last() else { break };
            before = (row.block.number, row.log_index);
            found.extend(entries.iter().flat_map(heartbeats).filter(|beat| wanted.remove(&beat.instance)));
        }
        Ok(found)
    }

    /// Decodes logs that the index has already.
    pub(crate) fn decoded(&self, rows: Vec<EventRow>) -> Result<Vec<Entry>, IndexerError> {
        let Origin { contract, endorsements, .. } = self.origin;
        let contracts = Contracts { registry: contract, endorsements };
        rows.into_iter().map(|row| decode_row(contracts, row)).collect()
    }

    fn state_of(&self, history: History) -> Result<State, IndexerError> {
        let past = Past {
            instances: self.decoded(history.instances)?,
            heartbeats: history.heartbeats,
            rosters: self.decoded(history.rosters)?,
            namespaces: self.decoded(history.namespaces)?,
            grants: self.decoded(history.grants)?,
        };
        Ok(past.rebuild())
    }

    fn moved(&mut self, head: &BlockRow, heads: Heads, events: u64) {
        (self.head, self.head_time) = (head.block, head.time);
        self.progress.send_modify(|progress| {
            progress.head = head.block.number;
            progress.tip = heads.latest;
            progress.events += events;
        });
        self.vitals.proceeds(head.block, heads);
        metrics::events(events);
    }

    /// The highest block of the index that will stay: a finalized one; on a chain without finality one that is as far
    /// below the tip as blocks are remembered.
    pub(crate) fn settled(&self, head: BlockRef, heads: Heads) -> u64 {
        let settled = match heads.finalized {
            0 => heads.latest.saturating_sub(self.window.saturating_mul(WINDOWS_KEPT)),
            finalized => finalized,
        };
        settled.min(head.number)
    }

    /// The first day that heartbeats may need a partition of, once the index stands at `head`.
    fn heartbeats_from(&self, head: &BlockRow, heads: Heads) -> u64 {
        match self.keep_heartbeats {
            days @ 1.. if self.settled(head.block, heads) == head.block.number => {
                self.heartbeats_from.max((head.time / DAY).saturating_sub(days))
            }
            _ => self.heartbeats_from,
        }
    }

    /// Says that the head is the chain's tip.
    pub(crate) async fn confirm(&self, heads: Heads) -> Result<(), IndexerError> {
        self.vitals.write("confirm", self.writer.confirm(self.head, heads)).await?;
        self.vitals.proceeds(self.head, heads);
        self.progress.send_if_modified(|progress| {
            let before = *progress;
            progress.tip = heads.latest;
            *progress != before
        });
        Ok(())
    }

    /// Whether `block` comes right after the head.
    pub(crate) fn is_followed_by(&self, block: &BlockRow) -> bool {
        block.block.number == self.head.number + 1 && block.parent_hash == self.head.hash
    }
}

/// The blocks that follow on one another, up to the first one that does not.
pub(crate) fn linked(mut blocks: Vec<BlockRow>) -> Vec<BlockRow> {
    if let Some(last) = blocks.windows(2).position(|pair| pair[1].parent_hash != pair[0].block.hash) {
        blocks.truncate(last + 1);
    }
    blocks
}
