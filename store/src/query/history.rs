//! What ever happened to an instance. Nobody keeps that in memory: each question is one to the database, so that there
//! are few at a time, and each is short.

use std::{ops::RangeInclusive, time::Duration};

use alloy_primitives::{Address, B256, Bytes};
use domain::{BlockRef, InstanceId};
use sqlx::{
    Connection, PgConnection, PgPool, Postgres, SqlSafeStr,
    postgres::{PgArguments, PgPoolOptions, PgRow},
    query::Query,
};

use super::{BEGIN, checkpoint, hold};
use crate::{
    StoreError,
    ingest::{
        columns::{Columns, big},
        load::event_row,
        uptime,
    },
    rows::{Checkpoint, Upkeep, UptimeRow},
    schema::quiet,
};

/// How many questions can be answered at the same time: so many connections there are, and no more.
pub const CONNECTIONS: u32 = 4;

/// How long a question may wait for a connection: longer, if the database does not answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// Answers questions about the past, on connections of its own: the feed never waits for them.
#[derive(Debug, Clone)]
pub struct HistoryReader {
    pool: PgPool,
}

/// Which events to read.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of which instance.
    pub instance: InstanceId,
    /// The newest first, or the oldest.
    pub newest_first: bool,
    /// Only what comes after this place in that order.
    pub after: Option<Place>,
    /// The most events.
    pub limit: u32,
    /// Names in the ABI of events that make the record and the lease; not those of heartbeats.
    pub of_record: Vec<&'static str>,
    /// Names in the ABI of events that set a slot of what is said of the instance.
    pub said: Vec<&'static str>,
    /// Its heartbeats as well, as far as they are kept.
    pub heartbeats: bool,
}

/// The place of a log in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Height of its block.
    pub block: u64,
    /// Its index in the block.
    pub log_index: u64,
}

/// A page of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it is true at.
    pub checkpoint: Checkpoint,
    /// How far heartbeats are kept.
    pub upkeep: Upkeep,
    /// The events in order.
    pub rows: Vec<HistoryRow>,
    /// Whether there are more.
    pub more: bool,
}

/// A log of the contracts that is about an instance, or about several and this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// The contract that emitted it.
    pub contract: Address,
    /// The block that holds it.
    pub block: BlockRef,
    /// The block's time, where the index has it.
    pub time: Option<u64>,
    /// Its index in the block.
    pub log_index: u64,
    /// The transaction that emitted it.
    pub tx_hash: B256,
    /// The event's name in the ABI.
    pub kind: String,
    /// Topics and data, unless it is about several instances: those may be many.
    pub log: Option<(Vec<B256>, Bytes)>,
    /// If it is a heartbeat, the chain time that the lease begins anew at.
    pub heartbeat: Option<u64>,
}

/// The uptimes of some days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uptimes {
    /// What they are true at.
    pub checkpoint: Checkpoint,
    /// How far they go.
    pub upkeep: Upkeep,
    /// The days on which the instance was up or sent a heartbeat, in order.
    pub rows: Vec<UptimeRow>,
}

impl HistoryReader {
    /// Connects when it is first asked. A statement may take 2 s.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the URL is none.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let options = quiet(url)?.application_name("rollcall-gateway-history").options([
            ("default_transaction_read_only", "on"),
            ("jit", "off"),
            ("statement_timeout", "2s"),
            ("lock_timeout", "1s"),
            ("idle_in_transaction_session_timeout", "10s"),
        ]);
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT_WITHIN);
        Ok(Self { pool: pool.connect_lazy_with(options) })
    }

    /// A page of what happened to an instance.
    ///
    /// # Errors
    /// [`StoreError::NoIndex`] if no indexer has worked on the database; [`StoreError::Database`],
    /// [`StoreError::Corrupt`].
    pub async fn events(&self, wanted: &Wanted) -> Result<Page, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let page = events(&mut connection, wanted).await;
        if page.is_err() {
            // After a migration Postgres refuses, for ever, what this connection prepared for the schema before it.
            connection.close_on_drop();
        }
        page
    }

    /// What an instance did on some days, which are chosen by how far uptimes go.
    ///
    /// # Errors
    /// As [`events`](Self::events).
    pub async fn uptimes(
        &self,
        instance: InstanceId,
        choose: impl FnOnce(&Upkeep) -> RangeInclusive<u64> + Send,
    ) -> Result<Uptimes, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let found = uptimes(&mut connection, instance, choose).await;
        if found.is_err() {
            connection.close_on_drop();
        }
        found
    }
}

async fn events(db: &mut PgConnection, wanted: &Wanted) -> Result<Page, StoreError> {
    let mut tx = db.begin_with(BEGIN).await?;
    hold(&mut tx).await?;
    let (checkpoint, upkeep) = (checkpoint(&mut tx).await?, uptime::upkeep(&mut tx).await?);
    let mut rows = page(&mut tx, wanted).await?;
    tx.commit().await?;
    let limit = wanted.limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Page { checkpoint, upkeep, rows, more })
}

async fn uptimes(
    db: &mut PgConnection,
    instance: InstanceId,
    choose: impl FnOnce(&Upkeep) -> RangeInclusive<u64> + Send,
) -> Result<Uptimes, StoreError> {
    let mut tx = db.begin_with(BEGIN).await?;
    hold(&mut tx).await?;
    let (checkpoint, upkeep) = (checkpoint(&mut tx).await?, uptime::upkeep(&mut tx).await?);
    let days = choose(&upkeep);
    let rows = sqlx::query(
        "SELECT instance_id, day - date '1970-01-01' AS day, seconds_up, heartbeats FROM uptime
         WHERE instance_id = $1 AND day BETWEEN date '1970-01-01' + $2 AND date '1970-01-01' + $3
         ORDER BY uptime.day",
    )
    .persistent(false)
    .bind(instance.0.as_slice())
    .bind(uptime::date(*days.start())?)
    .bind(uptime::date(*days.end())?)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let rows = rows.iter().map(uptime::uptime_row).collect::<Result<_, _>>()?;
    Ok(Uptimes { checkpoint, upkeep, rows })
}

/// Reads each of three indexes in order and no further than the page goes: what makes the record, what is said of the
/// instance, each kind by itself, and its heartbeats, of which each names its log.
macro_rules! page {
    ($after:literal, $order:literal) => {
        concat!(
            "SELECT event.block_number, event.log_index, event.block_hash, event.tx_hash, event.contract, event.kind,
                    event.instance_id, event.namespace_id, event.slot, coalesce(event.time, block.time) AS time,
                    page.heartbeat,
                    CASE WHEN event.instance_id IS NULL THEN '' ELSE event.topics END AS topics,
                    CASE WHEN event.instance_id IS NULL THEN '' ELSE event.data END AS data
             FROM (
                 (SELECT block_number, log_index, NULL::bigint AS heartbeat FROM event
                  WHERE instance_id = $1 AND slot IS NULL AND kind <> 'Heartbeat' AND kind = ANY($2)
                    AND (block_number, log_index) ",
            $after,
            " ($5, $6) ORDER BY block_number ",
            $order,
            ", log_index ",
            $order,
            " LIMIT $7)
                 UNION ALL
                 (SELECT said.* FROM unnest($3::text[]) AS wanted (kind) CROSS JOIN LATERAL (
                      SELECT block_number, log_index, NULL::bigint FROM event
                      WHERE instance_id = $1 AND slot IS NOT NULL AND kind = wanted.kind
                        AND (block_number, log_index) ",
            $after,
            " ($5, $6) ORDER BY block_number ",
            $order,
            ", log_index ",
            $order,
            " LIMIT $7) AS said)
                 UNION ALL
                 (SELECT block_number, log_index, time FROM heartbeat_all
                  WHERE $4 AND instance_id = $1 AND (block_number, log_index) ",
            $after,
            " ($5, $6) ORDER BY block_number ",
            $order,
            ", log_index ",
            $order,
            " LIMIT $7)
                 ORDER BY block_number ",
            $order,
            ", log_index ",
            $order,
            " LIMIT $7
             ) AS page
             LEFT JOIN event ON event.block_number = page.block_number AND event.log_index = page.log_index
             LEFT JOIN block ON block.number = event.block_number AND block.hash = event.block_hash
             ORDER BY page.block_number ",
            $order,
            ", page.log_index ",
            $order,
        )
    };
}

const NEWEST_FIRST: &str = page!("<", "DESC");
const OLDEST_FIRST: &str = page!(">", "ASC");

/// The events that are wanted, and one more.
async fn page(db: &mut PgConnection, wanted: &Wanted) -> Result<Vec<HistoryRow>, StoreError> {
    let sql = if wanted.newest_first { NEWEST_FIRST } else { OLDEST_FIRST };
    bound(sql, wanted)?.fetch_all(db).await?.iter().map(history_row).collect()
}

/// Planned for its values each time: a plan for any would expect pages so large that it reads whole tables. Nor may it
/// outlive a migration.
fn bound(sql: impl SqlSafeStr, wanted: &Wanted) -> Result<Query<'_, Postgres, PgArguments>, StoreError> {
    let end = if wanted.newest_first { i64::MAX } else { -1 };
    let (block, log_index) = match wanted.after {
        Some(place) => (big("block number", place.block)?, big("log index", place.log_index)?),
        None => (end, end),
    };
    Ok(sqlx::query(sql)
        .persistent(false)
        .bind(wanted.instance.0.as_slice())
        .bind(&wanted.of_record)
        .bind(&wanted.said)
        .bind(wanted.heartbeats)
        .bind(block)
        .bind(log_index)
        .bind(i64::from(wanted.limit) + 1))
}

fn history_row(row: &PgRow) -> Result<HistoryRow, StoreError> {
    let heartbeat = Columns { table: "heartbeat", row }.optional_number("heartbeat")?;
    let event = event_row(row)?;
    Ok(HistoryRow {
        contract: event.contract,
        block: event.block,
        time: event.time,
        log_index: event.log_index,
        tx_hash: event.tx_hash,
        kind: event.kind,
        log: event.instance.is_some().then_some((event.topics, event.data)),
        heartbeat,
    })
}

#[cfg(test)]
mod tests;
