//! What the indexer reads back: the state that a batch changes, and what a reorg is found and rebuilt by.

use std::collections::BTreeSet;

use alloy_primitives::{B256, Bytes};
use domain::{BlockRef, InstanceId, Lease, NamespaceId, ServiceKey};
use sqlx::{PgPool, postgres::PgRow};

use super::{
    Writer,
    columns::{Columns, big},
};
use crate::{
    StoreError,
    rows::{BlockRow, Checkpoint, EventRow, HeartbeatRow, InstanceRow, NamespaceRow, Origin, ServiceRow},
};

/// What blocks that go away have written to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Instances with an event or a heartbeat in them; those that they only say who may act for, or endorse, aside.
    pub instances: BTreeSet<InstanceId>,
    /// Services whose roster changed in them.
    pub services: BTreeSet<ServiceKey>,
    /// Namespaces that were claimed, transferred, opened or closed in them.
    pub namespaces: BTreeSet<NamespaceId>,
}

/// All that the state of what was touched is a function of. Each event carries all the state that it sets, so the
/// newest event of each kind is enough; every list is in no particular order.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The newest event of each kind of each instance, heartbeats aside.
    pub instances: Vec<EventRow>,
    /// The newest heartbeat of each instance.
    pub heartbeats: Vec<HeartbeatRow>,
    /// The newest event of each kind of each service, of whichever instance.
    pub rosters: Vec<EventRow>,
    /// The newest event of each kind of each namespace.
    pub namespaces: Vec<EventRow>,
    /// The newest event of each kind of each slot that the blocks above have set: proposals, grants, endorsements.
    pub grants: Vec<EventRow>,
}

/// The checkpoint, or none if the database holds no index yet.
///
/// # Errors
/// [`StoreError::Database`], [`StoreError::Corrupt`].
pub async fn checkpoint(pool: &PgPool) -> Result<Option<Checkpoint>, StoreError> {
    // Not prepared: a newer indexer may migrate the schema under this one, which then has to see that it was replaced.
    let row = sqlx::query("SELECT * FROM checkpoint").persistent(false).fetch_optional(pool).await?;
    row.as_ref().map(checkpoint_row).transpose()
}

impl Writer {
    /// The hashes that the index knows the chain by, lowest first: the unfinalized window and what is left of older
    /// blocks. Its last is the head of the index.
    pub async fn blocks(&self) -> Result<Vec<BlockRef>, StoreError> {
        let rows = sqlx::query("SELECT number, hash FROM block ORDER BY number").fetch_all(&self.pool).await?;
        rows.iter().map(|row| block_ref(&Columns { table: "block", row }, "number", "hash")).collect()
    }

    /// The highest block at or below a height that the index knows the hash of: one of the window, or below it one
    /// with an event.
    pub async fn known_block(&self, at_or_below: u64) -> Result<Option<BlockRef>, StoreError> {
        let row = sqlx::query(
            "(SELECT number, hash FROM block WHERE number <= $1 ORDER BY number DESC LIMIT 1)
             UNION ALL
             (SELECT block_number, block_hash FROM event WHERE block_number <= $1
              ORDER BY block_number DESC, log_index DESC LIMIT 1)
             ORDER BY number DESC LIMIT 1",
        )
        .bind(big("block number", at_or_below)?)
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| block_ref(&Columns { table: "block", row: &row }, "number", "hash")).transpose()
    }

    /// The instances of these ids, with their leases. Ids without a row are left out.
    pub async fn instances(&self, ids: &BTreeSet<InstanceId>) -> Result<Vec<InstanceRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM instance JOIN live USING (instance_id) WHERE instance_id = ANY($1)")
            .bind(words(ids.iter().map(|id| &id.0)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(instance_row).collect()
    }

    /// The leases of these instances. Ids without a row are left out.
    pub async fn leases(&self, ids: &BTreeSet<InstanceId>) -> Result<Vec<(InstanceId, Lease)>, StoreError> {
        let rows = sqlx::query("SELECT * FROM live WHERE instance_id = ANY($1)")
            .bind(words(ids.iter().map(|id| &id.0)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                let columns = Columns { table: "live", row };
                Ok((InstanceId(columns.word("instance_id")?), lease(&columns)?))
            })
            .collect()
    }

    /// The namespaces of these ids. Ids without a row are left out.
    pub async fn namespaces(&self, ids: &BTreeSet<NamespaceId>) -> Result<Vec<NamespaceRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM namespace WHERE namespace_id = ANY($1)")
            .bind(words(ids.iter().map(|id| &id.0)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(namespace_row).collect()
    }

    /// The services of these keys. Keys without a row are left out.
    pub async fn services(&self, keys: &BTreeSet<ServiceKey>) -> Result<Vec<ServiceRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM service WHERE service_key = ANY($1)")
            .bind(words(keys.iter().map(|key| &key.0)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(service_row).collect()
    }

    /// What the blocks above a height have written to.
    pub async fn touched_above(&self, number: u64) -> Result<Touched, StoreError> {
        let number = big("block number", number)?;
        let instances: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT instance_id FROM event WHERE block_number > $1 AND instance_id IS NOT NULL AND slot IS NULL
             UNION SELECT instance_id FROM heartbeat_all WHERE block_number > $1",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await?;
        let services: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT DISTINCT service_key FROM event JOIN instance USING (instance_id)
             WHERE block_number > $1 AND slot IS NULL AND kind <> 'Heartbeat'",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await?;
        let namespaces: Vec<Vec<u8>> = sqlx::query_scalar(
            "SELECT DISTINCT namespace_id FROM event
             WHERE block_number > $1 AND namespace_id IS NOT NULL AND instance_id IS NULL AND slot IS NULL",
        )
        .bind(number)
        .fetch_all(&self.pool)
        .await?;
        Ok(Touched {
            instances: set("event", instances, InstanceId)?,
            services: set("instance", services, ServiceKey)?,
            namespaces: set("event", namespaces, NamespaceId)?,
        })
    }

    /// What the state of all that was touched is a function of, up to and including a height.
    pub async fn history(&self, touched: &Touched, up_to: u64) -> Result<History, StoreError> {
        let up_to = big("block number", up_to)?;
        let instances = words(touched.instances.iter().map(|id| &id.0));
        let events = sqlx::query(
            "SELECT DISTINCT ON (instance_id, kind) * FROM event
             WHERE instance_id = ANY($1) AND slot IS NULL AND kind <> 'Heartbeat' AND block_number <= $2
             ORDER BY instance_id, kind, block_number DESC, log_index DESC",
        )
        .bind(&instances)
        .bind(up_to)
        .fetch_all(&self.pool)
        .await?;
        let heartbeats = sqlx::query(
            "SELECT heartbeat.* FROM unnest($1::bytea[]) AS touched (id)
             CROSS JOIN LATERAL (
                 SELECT * FROM heartbeat_all WHERE instance_id = touched.id AND block_number <= $2
                 ORDER BY block_number DESC, log_index DESC LIMIT 1
             ) AS heartbeat",
        )
        .bind(&instances)
        .bind(up_to)
        .fetch_all(&self.pool)
        .await?;
        let rosters = sqlx::query(
            "SELECT DISTINCT ON (instance.service_key, event.kind) event.*
             FROM instance JOIN event USING (instance_id)
             WHERE instance.service_key = ANY($1) AND event.slot IS NULL AND event.kind <> 'Heartbeat'
               AND event.block_number <= $2
             ORDER BY instance.service_key, event.kind, event.block_number DESC, event.log_index DESC",
        )
        .bind(words(touched.services.iter().map(|key| &key.0)))
        .bind(up_to)
        .fetch_all(&self.pool)
        .await?;
        let namespaces = sqlx::query(
            "SELECT DISTINCT ON (namespace_id, kind) * FROM event
             WHERE namespace_id = ANY($1) AND instance_id IS NULL AND slot IS NULL AND block_number <= $2
             ORDER BY namespace_id, kind, block_number DESC, log_index DESC",
        )
        .bind(words(touched.namespaces.iter().map(|id| &id.0)))
        .bind(up_to)
        .fetch_all(&self.pool)
        .await?;
        let grants = sqlx::query(
            "SELECT DISTINCT ON (slot, kind) * FROM event
             WHERE slot IS NOT NULL AND slot IN (SELECT slot FROM event WHERE block_number > $1) AND block_number <= $1
             ORDER BY slot, kind, block_number DESC, log_index DESC",
        )
        .bind(up_to)
        .fetch_all(&self.pool)
        .await?;
        Ok(History {
            instances: events.iter().map(event_row).collect::<Result<_, _>>()?,
            heartbeats: heartbeats.iter().map(heartbeat_row).collect::<Result<_, _>>()?,
            rosters: rosters.iter().map(event_row).collect::<Result<_, _>>()?,
            namespaces: namespaces.iter().map(event_row).collect::<Result<_, _>>()?,
            grants: grants.iter().map(event_row).collect::<Result<_, _>>()?,
        })
    }
}

fn words<'a>(ids: impl Iterator<Item = &'a B256>) -> Vec<&'a [u8]> {
    ids.map(B256::as_slice).collect()
}

fn set<T: Ord>(table: &'static str, ids: Vec<Vec<u8>>, id: fn(B256) -> T) -> Result<BTreeSet<T>, StoreError> {
    ids.iter()
        .map(|bytes| {
            B256::try_from(bytes.as_slice())
                .map(id)
                .map_err(|_| StoreError::Corrupt { table, what: format!("an id has {} bytes, not 32", bytes.len()) })
        })
        .collect()
}

fn block_ref(columns: &Columns<'_>, number: &'static str, hash: &'static str) -> Result<BlockRef, StoreError> {
    Ok(BlockRef { number: columns.number(number)?, hash: columns.word(hash)? })
}

pub(crate) fn block_row(row: &PgRow) -> Result<BlockRow, StoreError> {
    let c = Columns { table: "block", row };
    let (block, parent_hash) = (block_ref(&c, "number", "hash")?, c.word("parent_hash")?);
    Ok(BlockRow { block, parent_hash, time: c.number("time")? })
}

pub(crate) fn checkpoint_row(row: &PgRow) -> Result<Checkpoint, StoreError> {
    let c = Columns { table: "checkpoint", row };
    let next: u64 = c.number("next_block")?;
    let head = next.checked_sub(1).ok_or_else(|| c.corrupt("next_block is 0".into()))?;
    Ok(Checkpoint {
        origin: Origin {
            chain_id: c.number("chain_id")?,
            genesis_hash: c.word("genesis_hash")?,
            contract: c.address("contract")?,
            code_hash: c.word("code_hash")?,
            endorsements: c.optional_address("endorsements")?,
            deploy_block: block_ref(&c, "deploy_block", "deploy_hash")?,
        },
        headers_hash: c.get("headers_hash")?,
        head: BlockRef { number: head, hash: c.word("head_hash")? },
        head_time: c.number("head_time")?,
        heads: domain::Heads {
            latest: c.number("tip_block")?,
            safe: c.number("safe_block")?,
            finalized: c.number("finalized_block")?,
        },
        confirmations: c.get("confirmations")?,
        change_seq: c.get("change_seq")?,
        writer_epoch: c.get("writer_epoch")?,
        problem: c.get("problem")?,
    })
}

pub(crate) fn lease(c: &Columns<'_>) -> Result<Lease, StoreError> {
    Ok(Lease {
        owner: c.address("owner")?,
        last_heartbeat: c.number("last_heartbeat")?,
        ttl: c.small("ttl")?,
        status: c.status("status")?,
        epoch: c.small("epoch")?,
    })
}

pub(crate) fn instance_row(row: &PgRow) -> Result<InstanceRow, StoreError> {
    let c = Columns { table: "instance", row };
    Ok(InstanceRow {
        id: InstanceId(c.word("instance_id")?),
        service: ServiceKey(c.word("service_key")?),
        label: c.get("label")?,
        registrant: c.address("registrant")?,
        version: c.get("version")?,
        endpoints: c.get::<Vec<Vec<u8>>>("endpoints")?.into_iter().map(Bytes::from).collect(),
        metadata: c.bytes("metadata")?,
        record_hash: c.word("record_hash")?,
        registered_block: c.number("registered_block")?,
        updated_block: c.number("updated_block")?,
        reason: c.get::<Option<Vec<u8>>>("reason")?.map(Bytes::from),
        lease: lease(&c)?,
    })
}

pub(crate) fn namespace_row(row: &PgRow) -> Result<NamespaceRow, StoreError> {
    let c = Columns { table: "namespace", row };
    Ok(NamespaceRow {
        id: NamespaceId(c.word("namespace_id")?),
        label: c.get("label")?,
        owner: c.address("owner")?,
        open: c.get("open")?,
        epoch: c.small("epoch")?,
    })
}

pub(crate) fn service_row(row: &PgRow) -> Result<ServiceRow, StoreError> {
    let c = Columns { table: "service", row };
    Ok(ServiceRow {
        key: ServiceKey(c.word("service_key")?),
        namespace: NamespaceId(c.word("namespace_id")?),
        name: c.get("name")?,
        count: c.number("count")?,
        sequence: c.number("sequence")?,
    })
}

pub(crate) fn heartbeat_row(row: &PgRow) -> Result<HeartbeatRow, StoreError> {
    let c = Columns { table: "heartbeat", row };
    Ok(HeartbeatRow {
        instance: InstanceId(c.word("instance_id")?),
        block_number: c.number("block_number")?,
        log_index: c.number("log_index")?,
        time: c.number("time")?,
    })
}

pub(crate) fn event_row(row: &PgRow) -> Result<EventRow, StoreError> {
    let c = Columns { table: "event", row };
    let topics: &[u8] = c.get("topics")?;
    if !topics.len().is_multiple_of(32) {
        return Err(c.corrupt(format!("topics has {} bytes", topics.len())));
    }
    Ok(EventRow {
        block: block_ref(&c, "block_number", "block_hash")?,
        log_index: c.number("log_index")?,
        tx_hash: c.word("tx_hash")?,
        contract: c.address("contract")?,
        kind: c.get("kind")?,
        instance: c.optional_word("instance_id")?.map(InstanceId),
        namespace: c.optional_word("namespace_id")?.map(NamespaceId),
        slot: c.optional_word("slot")?,
        topics: topics.chunks_exact(32).map(B256::from_slice).collect(),
        data: c.bytes("data")?,
        time: c.optional_number("time")?,
    })
}
