//! What the indexer writes.
//!
//! Everything goes through a [`Writer`], and every write of one is a single transaction that begins with a
//! compare-and-swap on the checkpoint. So a batch is applied exactly once, rows and checkpoint are never apart, and a
//! writer that another one has replaced can do nothing any more, however late it wakes up.
//!
//! - [`mod@load`]: what the indexer reads back; [`leader`]: which of several indexers works
//! - `statements`: a write, and how its parts become statements
//! - `write`: the parts of a batch; `grants`: those of proposals, grants and endorsements; `heartbeats`: those of
//!   heartbeats, by day
//! - `uptime`: what becomes of a day when it is over
//! - `rebuild`: all state anew
//! - `columns`: columns to values and back

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use alloy_primitives::B256;
use domain::{BlockRef, Heads, InstanceId, Lease};
use sqlx::PgPool;

use crate::{
    StoreError,
    rows::{BlockRow, Checkpoint, EventRow, GrantRow, HeartbeatRow, InstanceRow, NamespaceRow, Origin, ServiceRow},
};
use columns::big;
use write::Change;

pub mod leader;
pub mod load;

pub(crate) mod columns;
pub(crate) mod grants;
mod heartbeats;
mod rebuild;
mod statements;
pub(crate) mod uptime;
mod write;

pub use heartbeats::OldPlace;
pub use load::{History, Touched, checkpoint};
pub use rebuild::Whole;
pub use uptime::RollUp;

/// How many rows `changes` keeps: a gateway that is further behind reads everything anew.
pub const CHANGES_KEPT: i64 = 100_000;

/// So many events are worth a statement more.
const MANY: usize = 100;

/// How many blocks go by until rows that nobody needs any more are deleted.
const PRUNE_EVERY: u64 = 16;

/// How many times the window `block` may keep, on a chain whose finality is further behind than the window.
pub const WINDOWS_KEPT: u64 = 16;

/// The one that may write. A newer one fences it: all of its writes then fail with [`StoreError::Fenced`].
#[derive(Debug, Clone)]
pub struct Writer {
    pool: PgPool,
    epoch: i64,
    /// Days whose partitions of heartbeats this writer has seen to.
    days: Arc<Mutex<BTreeSet<i64>>>,
}

/// What a run of blocks does to the index. State rows are whole rows, and replace what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// The blocks to remember: all of them, or just the last one where nobody will ask for the others.
    pub blocks: Vec<BlockRow>,
    /// The logs, in chain order.
    pub events: Vec<EventRow>,
    /// One for each instance and log that renews it.
    pub heartbeats: Vec<HeartbeatRow>,
    /// Heartbeats of days before this one get no partition: there is none any more, or it would go at once.
    pub heartbeats_from: u64,
    /// Namespaces as they are after the batch.
    pub namespaces: Vec<NamespaceRow>,
    /// Services as they are after the batch.
    pub services: Vec<ServiceRow>,
    /// Instances whose record changed, as they are after the batch, with their leases.
    pub instances: Vec<InstanceRow>,
    /// Leases of other instances, whose record did not change.
    pub leases: Vec<(InstanceId, Lease)>,
    /// Proposals, grants and endorsements as they are after the batch.
    pub grants: Vec<GrantRow>,
}

/// What a reorg does to the index: everything above the ancestor goes away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reorg {
    /// The highest block that the index and the chain share: the new head of the index.
    pub ancestor: BlockRow,
    /// Hash of the chain's head when the reorg was found.
    pub found_at: B256,
    /// What goes away has written to these. What of it is not among the rows below did not exist yet at the ancestor.
    pub touched: Touched,
    /// Namespaces as they were at the ancestor.
    pub namespaces: Vec<NamespaceRow>,
    /// Services as they were at the ancestor.
    pub services: Vec<ServiceRow>,
    /// Instances as they were at the ancestor.
    pub instances: Vec<InstanceRow>,
    /// The newest heartbeats of some of them up to the ancestor: those that are gone come back.
    pub heartbeats: Vec<HeartbeatRow>,
    /// Of the proposals, grants and endorsements that go away: those that were in their places at the ancestor.
    pub grants: Vec<GrantRow>,
}

/// Starts an index, if the database holds none: nothing is applied yet, and `start` is the block before the first one
/// to apply.
///
/// # Errors
/// [`StoreError::Database`].
pub async fn init(pool: &PgPool, origin: &Origin, start: &BlockRow, heads: Heads) -> Result<(), StoreError> {
    sqlx::query(
        "WITH started AS (
         INSERT INTO checkpoint (chain_id, genesis_hash, contract, code_hash, deploy_block, deploy_hash, next_block,
                                 head_hash, head_time, tip_block, safe_block, finalized_block, endorsements)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING RETURNING one)
         INSERT INTO block (number, hash, parent_hash, time) SELECT $14, $8, $15, $9 FROM started",
    )
    .bind(big("chain id", origin.chain_id)?)
    .bind(origin.genesis_hash.as_slice())
    .bind(origin.contract.as_slice())
    .bind(origin.code_hash.as_slice())
    .bind(big("block number", origin.deploy_block.number)?)
    .bind(origin.deploy_block.hash.as_slice())
    .bind(next(start.block)?)
    .bind(start.block.hash.as_slice())
    .bind(big("block time", start.time)?)
    .bind(big("block number", heads.latest)?)
    .bind(big("block number", heads.safe)?)
    .bind(big("block number", heads.finalized)?)
    .bind(origin.endorsements.as_ref().map(|address| address.as_slice()))
    .bind(big("block number", start.block.number)?)
    .bind(start.parent_hash.as_slice())
    .execute(pool)
    .await?;
    Ok(())
}

impl Writer {
    /// Becomes the writer, fences the one before, and clears its problem. Returns where to go on. No epoch comes twice,
    /// even if the database lost its last commits: it is at least the time in milliseconds.
    ///
    /// # Errors
    /// [`StoreError::NoIndex`] before [`init`]; [`StoreError::Database`].
    pub async fn take_over(pool: &PgPool) -> Result<(Self, Checkpoint), StoreError> {
        let row = sqlx::query(
            "UPDATE checkpoint SET problem = NULL,
                        writer_epoch = greatest(writer_epoch + 1, floor(extract(epoch FROM clock_timestamp()) * 1000))
                 RETURNING checkpoint.*",
        )
        .fetch_optional(pool)
        .await?
        .ok_or(StoreError::NoIndex)?;
        let checkpoint = load::checkpoint_row(&row)?;
        Ok((Self { pool: pool.clone(), epoch: checkpoint.writer_epoch, days: Arc::default() }, checkpoint))
    }

    /// The epoch in which this writer may write.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Applies the blocks from the one after `parent` up to and including `head`. `heads` is what the chain says of
    /// itself: a batch that reaches `heads.latest` confirms the tip, as [`confirm`](Self::confirm) does. `window` is
    /// how many blocks below the head are remembered for reorgs at least; more are while they are not final.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the index does not stand at `parent` or this writer was replaced;
    /// [`StoreError::TooLarge`], [`StoreError::Database`]. Nothing is applied then, unless the connection broke during
    /// the commit: read the checkpoint to know.
    pub async fn apply(
        &self,
        parent: BlockRef,
        head: BlockRow,
        heads: Heads,
        window: u64,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        let changes: Vec<Change> = (batch.namespaces.iter().map(|row| ("namespace", row.id.0)))
            .chain(batch.instances.iter().map(|row| ("instance", row.id.0)))
            .chain(batch.leases.iter().map(|(id, _)| ("instance", id.0)))
            .chain(batch.grants.iter().map(grants::change))
            .collect();
        let mut write = self.begin(parent, &head, heads, changes.len())?;
        if batch.events.len() >= MANY {
            // Else Postgres plans the first few inserts anew each time, with all of their rows in hand.
            sqlx::raw_sql("SET LOCAL plan_cache_mode = force_generic_plan").execute(write.alone().await?).await?;
        }
        if parent.number / PRUNE_EVERY != head.block.number / PRUNE_EVERY {
            write::prune(&mut write, floor(head.block.number, heads.finalized, window)).await?;
        }
        write::blocks(&mut write, &batch.blocks).await?;
        write::events(&mut write, &batch.events).await?;
        let days = self.insert_heartbeats(&mut write, &batch.heartbeats, batch.heartbeats_from).await?;
        write::namespaces(&mut write, &batch.namespaces).await?;
        write::services(&mut write, &batch.services).await?;
        write::instances(&mut write, &batch.instances).await?;
        write::leases(&mut write, &batch.leases).await?;
        grants::write(&mut write, &batch.grants).await?;
        write::changes(&mut write, &changes).await?;
        write.commit().await?;
        self.days().extend(days);
        Ok(())
    }

    /// Takes the index back from `head`, where it stands, to an ancestor of it. The events above the ancestor move to
    /// `event_orphan`; `heads` is what the chain says of itself.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn reorg(&self, head: BlockRef, heads: Heads, reorg: &Reorg) -> Result<(), StoreError> {
        let Reorg { ancestor, found_at, touched, namespaces, services, instances, heartbeats: newest, grants } = reorg;
        let changes: Vec<Change> = std::iter::once(("reorg", ancestor.block.hash))
            .chain(touched.namespaces.iter().map(|id| ("namespace", id.0)))
            .chain(touched.instances.iter().map(|id| ("instance", id.0)))
            .collect();
        let above = big("block number", ancestor.block.number)?;
        let mut write = self.begin(head, ancestor, heads, changes.len())?;
        let tx = write.alone().await?;
        sqlx::query(
            "WITH gone AS (DELETE FROM event WHERE block_number > $1 RETURNING *)
             INSERT INTO event_orphan (block_number, log_index, block_hash, tx_hash, kind, instance_id, namespace_id,
                                       topics, data, contract, slot, time, orphaned_by)
             SELECT block_number, log_index, block_hash, tx_hash, kind, instance_id, namespace_id, topics, data,
                    contract, slot, time, $2
             FROM gone ON CONFLICT DO NOTHING",
        )
        .bind(above)
        .bind(found_at.as_slice())
        .execute(&mut *tx)
        .await?;
        heartbeats::rewind(&mut *tx, above, newest).await?;
        uptime::rewind(&mut *tx, ancestor).await?;
        sqlx::query("DELETE FROM block WHERE number > $1").bind(above).execute(&mut *tx).await?;

        let ids: Vec<&[u8]> = touched.namespaces.iter().map(|id| id.0.as_slice()).collect();
        sqlx::query("DELETE FROM namespace WHERE namespace_id = ANY($1)").bind(ids).execute(&mut *tx).await?;
        let ids: Vec<&[u8]> = touched.services.iter().map(|key| key.0.as_slice()).collect();
        sqlx::query("DELETE FROM service WHERE service_key = ANY($1)").bind(ids).execute(&mut *tx).await?;
        let ids: Vec<&[u8]> = touched.instances.iter().map(|id| id.0.as_slice()).collect();
        sqlx::query("DELETE FROM instance WHERE instance_id = ANY($1)").bind(&ids).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM live WHERE instance_id = ANY($1)").bind(&ids).execute(&mut *tx).await?;
        grants::delete_above(&mut *tx, above).await?;

        write::blocks(&mut write, std::slice::from_ref(ancestor)).await?;
        write::namespaces(&mut write, namespaces).await?;
        write::services(&mut write, services).await?;
        write::instances(&mut write, instances).await?;
        grants::write(&mut write, grants).await?;
        write::changes(&mut write, &changes).await?;
        write::prune_changes(&mut write).await?;
        write.commit().await
    }

    /// Says that `head`, where the index stands, is the chain's tip now; all is well then. Nobody is notified: gateways
    /// look at the checkpoint once a second.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn confirm(&self, head: BlockRef, heads: Heads) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE checkpoint
             SET confirmations = confirmations + 1, problem = NULL,
                 tip_block = $4, safe_block = $5, finalized_block = $6
             WHERE next_block = $1 AND head_hash = $2 AND writer_epoch = $3",
        )
        .bind(next(head)?)
        .bind(head.hash.as_slice())
        .bind(self.epoch)
        .bind(big("block number", heads.latest)?)
        .bind(big("block number", heads.safe)?)
        .bind(big("block number", heads.finalized)?)
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(self.fenced(head)) }
    }

    /// Notes that the chain's headers hash as Ethereum's. Does nothing if this writer was replaced.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn note_headers_hash(&self) -> Result<(), StoreError> {
        sqlx::query("UPDATE checkpoint SET headers_hash = true WHERE writer_epoch = $1")
            .bind(self.epoch)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Notes why the index is not well, or that it is. Does nothing if this writer was replaced.
    ///
    /// # Errors
    /// [`StoreError::Database`]; also when `problem` has a NUL character.
    pub async fn set_problem(&self, problem: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("UPDATE checkpoint SET problem = $2 WHERE writer_epoch = $1 AND problem IS DISTINCT FROM $2")
            .bind(self.epoch)
            .bind(problem)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    fn fenced(&self, expected: BlockRef) -> StoreError {
        StoreError::Fenced { expected, epoch: self.epoch }
    }
}

fn next(head: BlockRef) -> Result<i64, StoreError> {
    big("block number", head.number.saturating_add(1))
}

/// Below this no reorg reaches.
fn floor(head: u64, finalized: u64, window: u64) -> u64 {
    (head.saturating_sub(window).min(finalized)).max(head.saturating_sub(window.saturating_mul(WINDOWS_KEPT)))
}
