//! All of an index as of one moment, and whether it is whole.

use std::{collections::BTreeMap, fmt::Debug};

use anyhow::{Context, Result, ensure};
use bindings::Event;
use domain::{B256, InstanceId};
use indexer::apply::State;
use store::{
    audit::Audit,
    rows::{BlockRow, Checkpoint, EventRow, GrantRow, HeartbeatRow, InstanceRow, NamespaceRow, ServiceRow},
    schema::PgPool,
};

/// What one transaction sees.
pub struct Look {
    pub checkpoint: Checkpoint,
    pub blocks: Vec<BlockRow>,
    pub events: Vec<EventRow>,
    heartbeats: Vec<HeartbeatRow>,
    namespaces: Vec<NamespaceRow>,
    services: Vec<ServiceRow>,
    instances: Vec<InstanceRow>,
    grants: Vec<(B256, GrantRow)>,
    halves: u64,
}

impl Look {
    pub async fn at(pool: &PgPool) -> Result<Self> {
        let mut audit = Audit::begin(pool).await?;
        // Up to the largest height that there can be: also what should not be there.
        let all = i64::MAX.cast_unsigned();
        let mut grants = audit.grants().await?;
        grants.sort_by_key(|(slot, _)| *slot);
        Ok(Self {
            checkpoint: audit.checkpoint().clone(),
            blocks: audit.blocks().await?,
            events: audit.events(0, all).await?,
            heartbeats: audit.heartbeats(0, all).await?,
            namespaces: audit.namespaces().await?,
            services: audit.services().await?,
            // Far fewer than a page.
            instances: audit.instances(None).await?,
            grants,
            halves: audit.halves().await?,
        })
    }

    /// Whether it is a state that a chain had at some block, whichever chain. After a reorg and before the new branch that
    /// is the state at the common ancestor: the one is taken back and the other applied in transactions of their own.
    pub fn is_whole(&self) -> Result<()> {
        let Checkpoint { head, head_time, origin, .. } = &self.checkpoint;
        let last = self.blocks.last().context("no block is remembered")?;
        ensure!(last.block == *head && last.time == *head_time, "the last block is not the head: {last:?}");
        for pair in self.blocks.windows(2).filter(|pair| pair[0].block.number + 1 == pair[1].block.number) {
            ensure!(pair[1].parent_hash == pair[0].block.hash, "blocks of two chains: {pair:?}");
        }
        let (mut state, mut heartbeats) = (State::default(), Vec::new());
        for row in &self.events {
            ensure!(row.block.number <= head.number, "an event above the head: {row:?}");
            let at = self.blocks.binary_search_by_key(&row.block.number, |block| block.block.number);
            ensure!(at.is_ok_and(|at| self.blocks[at].block == row.block) || at.is_err(), "of another chain: {row:?}");
            let event = match row.contract == origin.contract {
                true => bindings::decode(&row.topics, &row.data)?,
                false => bindings::decode_endorsement(&row.topics, &row.data)?,
            };
            state.apply(row.block.number, row.log_index, &event)?;
            let (block_number, log_index) = (row.block.number, row.log_index);
            let beat = |(instance, time)| HeartbeatRow { instance, block_number, log_index, time };
            heartbeats.extend(beats(&event).into_iter().map(beat));
        }
        heartbeats.sort_by_key(|beat| (beat.block_number, beat.log_index, beat.instance));
        same("heartbeats", &self.heartbeats, &heartbeats)?;
        same("namespaces", &self.namespaces, &state.namespaces.into_values().collect::<Vec<_>>())?;
        same("services", &self.services, &state.services.into_values().collect::<Vec<_>>())?;
        same("instances", &self.instances, &state.instances.into_values().collect::<Vec<_>>())?;
        same("grants", &self.grants, &state.grants.into_iter().collect::<Vec<_>>())?;
        ensure!(self.halves == 0, "instances without a lease, or leases without an instance");
        Ok(())
    }

    /// Whether both say the same of the chain, row by row.
    pub fn is(&self, other: &Self) -> Result<()> {
        ensure!(self.checkpoint.head == other.checkpoint.head && self.checkpoint.origin == other.checkpoint.origin);
        same("events", &self.events, &other.events)?;
        same("heartbeats", &self.heartbeats, &other.heartbeats)?;
        same("namespaces", &self.namespaces, &other.namespaces)?;
        same("services", &self.services, &other.services)?;
        same("instances", &self.instances, &other.instances)?;
        same("grants", &self.grants, &other.grants)
    }
}

/// Who is renewed by an event, and when: of one that is twice in it, the last time.
fn beats(event: &Event) -> BTreeMap<InstanceId, u64> {
    match event {
        Event::Heartbeat { id, time } => BTreeMap::from([(*id, *time)]),
        Event::HeartbeatBatch { time, ids } => ids.iter().map(|id| (*id, *time)).collect(),
        Event::SignedHeartbeatBatch { beats } => beats.iter().copied().collect(),
        _ => BTreeMap::new(),
    }
}

fn same<T: PartialEq + Debug>(what: &str, ours: &[T], theirs: &[T]) -> Result<()> {
    if ours == theirs {
        return Ok(());
    }
    let at = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let (all, of) = (ours.len(), theirs.len());
    anyhow::bail!("{what} differ, {all} rows and {of}: first {:?}\nand {:?}", ours.get(at), theirs.get(at))
}
