//! Heartbeats: into the partition of their day, and out again a day at a time.

use std::{
    collections::BTreeSet,
    sync::{MutexGuard, PoisonError},
};

use alloy_primitives::B256;
use domain::BlockRef;
use sqlx::PgConnection;

use super::{
    Writer,
    columns::big,
    load::event_row,
    statements::{CHUNK, Write},
    write::{column, slices},
};
use crate::{
    StoreError,
    rows::{DAY, EventRow, HeartbeatRow},
};

/// The most days of one batch that get partitions of their own: the newest. A batch has more only where time leaps.
const DAYS: usize = 64;

/// How many events a look for heartbeats reads at a time.
const PAGE: i64 = 10_000;

/// How many old heartbeats are looked at in one transaction: some ten milliseconds, in which nothing else is written.
const OLD_PAGE: i64 = 2_000;

/// SQLSTATE of "lock not available".
const LOCKED: &str = "55P03";

/// A place among the old heartbeats, by instance; before all of them by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OldPlace {
    instance: Vec<u8>,
    block_number: i64,
    log_index: i64,
}

/// Takes out what blocks above a height said. `newest` are heartbeats of before: those that are gone come back.
pub(super) async fn rewind(db: &mut PgConnection, above: i64, newest: &[HeartbeatRow]) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM heartbeat WHERE block_number > $1").bind(above).execute(&mut *db).await?;
    sqlx::query("DELETE FROM heartbeat_old WHERE block_number > $1").bind(above).execute(&mut *db).await?;
    for rows in newest.chunks(CHUNK) {
        sqlx::query(
            "INSERT INTO heartbeat_old (instance_id, block_number, log_index, time)
             SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[])
                           AS t (instance_id, block_number, log_index, time)
             WHERE NOT EXISTS (SELECT FROM heartbeat_all AS known
                               WHERE known.instance_id = t.instance_id AND known.block_number = t.block_number
                                 AND known.log_index = t.log_index)",
        )
        .bind(slices(rows, |row| row.instance.0.as_slice()))
        .bind(column(rows, |row| big("block number", row.block_number))?)
        .bind(column(rows, |row| big("log index", row.log_index))?)
        .bind(column(rows, |row| big("time", row.time))?)
        .execute(&mut *db)
        .await?;
    }
    sqlx::query("UPDATE upkeep SET thinned_to = least(thinned_to, $1)").bind(above).execute(db).await?;
    Ok(())
}

/// Whether it failed because somebody else has a lock.
fn is_locked<T>(done: Result<T, sqlx::Error>) -> Result<bool, sqlx::Error> {
    match done {
        Ok(_) => Ok(false),
        Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some(LOCKED) => Ok(true),
        Err(e) => Err(e),
    }
}

impl Writer {
    /// Inserts heartbeats, those of days before `from` among the old ones. Makes the partitions that they need; their days are
    /// the answer.
    pub(super) async fn insert_heartbeats(
        &self,
        write: &mut Write<'_>,
        rows: &[HeartbeatRow],
        from: u64,
    ) -> Result<Vec<i64>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let days: BTreeSet<u64> = rows.iter().map(|row| row.time / DAY).filter(|day| *day >= from).collect();
        let days: Vec<i64> = days.into_iter().rev().take(DAYS).map(|day| big("day", day)).collect::<Result<_, _>>()?;
        let first = days.last().map_or(i64::MAX, |day| *day);
        let known = {
            let known = self.days();
            days.iter().all(|day| known.contains(day))
        };
        if !known {
            sqlx::query("SELECT heartbeat_days($1)").bind(&days).execute(write.alone().await?).await?;
        }
        let (kept, old): (Vec<HeartbeatRow>, Vec<HeartbeatRow>) =
            rows.iter().partition(|row| i64::try_from(row.time / DAY).is_ok_and(|day| day >= first));
        for (statement, rows) in [
            (
                "INSERT INTO heartbeat (instance_id, block_number, log_index, time)
                 SELECT t.* FROM swapped, unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[]) AS t",
                kept,
            ),
            (
                "INSERT INTO heartbeat_old (instance_id, block_number, log_index, time)
                 SELECT t.* FROM swapped, unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[]) AS t",
                old,
            ),
        ] {
            for rows in rows.chunks(CHUNK) {
                write
                    .part(statement, rows.len())
                    .await?
                    .bind(slices(rows, |row| row.instance.0.as_slice()))
                    .bind(column(rows, |row| big("block number", row.block_number))?)
                    .bind(column(rows, |row| big("log index", row.log_index))?)
                    .bind(column(rows, |row| big("time", row.time))?);
            }
        }
        Ok(days)
    }

    /// The days whose partitions are there.
    pub(super) fn days(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the partition of the first day, if it is before `from`. What stays of it is the newest heartbeat of each
    /// instance up to the block `settled`, below which no reorg is expected, and all that came after it. Returns up to where
    /// there is nothing left to drop, at most `from`; none if somebody reads the heartbeats just now: try again later. It
    /// does not wait for them.
    ///
    /// A day at a time: nothing else is written meanwhile. What is superseded by it goes by
    /// [`thin_heartbeats`](Self::thin_heartbeats).
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn drop_heartbeats(&self, head: BlockRef, from: u64, settled: u64) -> Result<Option<u64>, StoreError> {
        let settled = big("block number", settled)?;
        let mut tx = self.pool.begin().await?;
        self.hold(&mut tx, head).await?;
        // Not its partitions, one of which a vacuum may be at work on.
        if is_locked(sqlx::query("LOCK TABLE ONLY heartbeat NOWAIT").execute(&mut *tx).await)? {
            return Ok(None);
        }
        self.days().clear();
        let first: Option<i32> = sqlx::query_scalar(
            "SELECT min(to_date(substr(relname, 11), 'YYYY_MM_DD')) - date '1970-01-01'
             FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = 'heartbeat'::regclass",
        )
        .fetch_one(&mut *tx)
        .await?;
        let first = first.and_then(|day| u64::try_from(day).ok());
        let to = first.map_or(from, |day| from.min(day.saturating_add(1)));
        let from = big("day", to)?;
        let drop = sqlx::query("SELECT heartbeat_drop($1, $2)").bind(from).bind(settled);
        if is_locked(drop.execute(&mut *tx).await)? {
            return Ok(None);
        }
        sqlx::query(
            "UPDATE upkeep SET heartbeats_from = greatest(heartbeats_from, $1), thinned_to = greatest(thinned_to, $2)",
        )
        .bind(from)
        .bind(settled)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some(to))
    }

    /// Deletes, of the next page of the old heartbeats, those that a newer one of the same instance stands for: of the days
    /// without partitions, and of blocks that were settled when the last one was dropped. Returns where to go on; none at
    /// the end.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn thin_heartbeats(&self, head: BlockRef, after: &OldPlace) -> Result<Option<OldPlace>, StoreError> {
        let mut tx = self.pool.begin().await?;
        self.hold(&mut tx, head).await?;
        let last: Option<(Vec<u8>, i64, i64)> = sqlx::query_as(
            "SELECT * FROM (SELECT instance_id, block_number, log_index FROM heartbeat_old
                            WHERE (instance_id, block_number, log_index) > ($1, $2, $3)
                            ORDER BY instance_id, block_number, log_index LIMIT $4) AS page
             ORDER BY instance_id DESC, block_number DESC, log_index DESC LIMIT 1",
        )
        .bind(&after.instance)
        .bind(after.block_number)
        .bind(after.log_index)
        .bind(OLD_PAGE)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((instance, block_number, log_index)) = last else { return Ok(None) };
        // A value and not EXISTS, which Postgres may take for a join with all of the table.
        sqlx::query(
            "DELETE FROM heartbeat_old AS old USING upkeep
             WHERE (old.instance_id, old.block_number, old.log_index) > ($1, $2, $3)
               AND (old.instance_id, old.block_number, old.log_index) <= ($4, $5, $6)
               AND old.time < upkeep.heartbeats_from * $7 AND old.block_number <= upkeep.thinned_to
               AND (SELECT newer.block_number FROM heartbeat_old AS newer
                    WHERE newer.instance_id = old.instance_id AND newer.block_number <= upkeep.thinned_to
                      AND (newer.block_number, newer.log_index) > (old.block_number, old.log_index)
                    LIMIT 1) IS NOT NULL",
        )
        .bind(&after.instance)
        .bind(after.block_number)
        .bind(after.log_index)
        .bind(&instance)
        .bind(block_number)
        .bind(log_index)
        .bind(big("seconds", DAY)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Some(OldPlace { instance, block_number, log_index }))
    }

    /// The next few thousand events with heartbeats before a place, newest first; none at the end.
    pub async fn heartbeat_events(&self, block: u64, log_index: u64) -> Result<Vec<EventRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM event
             WHERE (block_number, log_index) < ($1, $2)
               AND kind IN ('Heartbeat', 'HeartbeatBatch', 'SignedHeartbeatBatch')
             ORDER BY block_number DESC, log_index DESC LIMIT $3",
        )
        .bind(big("block number", block)?)
        .bind(big("log index", log_index)?)
        .bind(PAGE)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(event_row).collect()
    }

    /// Some of the blocks with events that need the time of their block and do not have it.
    pub async fn undated(&self) -> Result<Vec<BlockRef>, StoreError> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT DISTINCT block_number, block_hash FROM event
             WHERE time IS NULL AND kind IN ('Updated', 'Deregistered', 'StatusSet', 'Reaped', 'SignedHeartbeatBatch')
             ORDER BY block_number LIMIT 1000",
        )
        .fetch_all(&self.pool)
        .await?;
        let corrupt = |what: &str| StoreError::Corrupt { table: "event", what: what.to_owned() };
        rows.into_iter()
            .map(|(number, hash)| {
                let number = u64::try_from(number).map_err(|_| corrupt("block_number is negative"))?;
                let hash = B256::try_from(hash.as_slice()).map_err(|_| corrupt("block_hash has not 32 bytes"))?;
                Ok(BlockRef { number, hash })
            })
            .collect()
    }

    /// Notes the times of blocks with events that need them.
    pub async fn date(&self, times: &[(BlockRef, u64)]) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE event SET time = t.time
             FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS t (block_number, block_hash, time)
             WHERE event.block_number = t.block_number AND event.block_hash = t.block_hash AND event.time IS NULL
               AND kind IN ('Updated', 'Deregistered', 'StatusSet', 'Reaped', 'SignedHeartbeatBatch')",
        )
        .bind(column(times, |(block, _)| big("block number", block.number))?)
        .bind(slices(times, |(block, _)| block.hash.as_slice()))
        .bind(column(times, |(_, time)| big("block time", *time))?)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
