//! Uptimes: what they follow from, and where they go.

use domain::{BlockRef, InstanceId};
use sqlx::{PgConnection, postgres::PgRow};

use super::{
    Writer,
    columns::{Columns, big},
    load::{block_row, event_row},
    next,
    statements::CHUNK,
    write::{column, integer, slices},
};
use crate::{
    StoreError,
    rows::{BlockRow, DAY, EventRow, LeaseRow, Upkeep, UptimeRow},
};

/// How many events are read at a time; more, where a block has more.
const PAGE: i64 = 10_000;

/// What some days were like, and where the next one begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollUp {
    /// The days.
    pub rows: Vec<UptimeRow>,
    /// The leases that these days changed, as they were at their end.
    pub leases: Vec<LeaseRow>,
    /// The next day.
    pub day: u64,
    /// Its events begin above this block.
    pub block: u64,
}

impl Writer {
    /// How far the history is kept and rolled up.
    pub async fn upkeep(&self) -> Result<Upkeep, StoreError> {
        upkeep(&mut *self.pool.acquire().await?).await
    }

    /// The highest block at or below a height that the index knows the time of.
    pub async fn block_at(&self, at_or_below: u64) -> Result<Option<BlockRow>, StoreError> {
        let row = sqlx::query("SELECT * FROM block WHERE number <= $1 ORDER BY number DESC LIMIT 1")
            .bind(big("block number", at_or_below)?)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(block_row).transpose()
    }

    /// The height up to which the next few thousand events above `number` go, all of a block or none; none if there are
    /// no more.
    pub async fn next_events(&self, number: u64) -> Result<Option<u64>, StoreError> {
        next_events(&mut *self.pool.acquire().await?, number).await
    }

    /// The events above one height up to another, in order.
    pub async fn events(&self, above: u64, to: u64) -> Result<Vec<EventRow>, StoreError> {
        events(&mut *self.pool.acquire().await?, above, to).await
    }

    /// All leases as they were when the first day began that is not rolled up.
    pub async fn rolled_leases(&self) -> Result<Vec<LeaseRow>, StoreError> {
        rolled_leases(&mut *self.pool.acquire().await?).await
    }

    /// Writes what some days were like. `head` is where the index stands.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn roll_up(&self, head: BlockRef, days: &RollUp) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        self.hold(&mut tx, head).await?;
        for rows in days.rows.chunks(CHUNK) {
            sqlx::query(
                "INSERT INTO uptime (instance_id, day, seconds_up, heartbeats)
                 SELECT instance_id, date '1970-01-01' + day, seconds_up, heartbeats
                 FROM unnest($1::bytea[], $2::integer[], $3::integer[], $4::bigint[])
                      AS t (instance_id, day, seconds_up, heartbeats)",
            )
            .bind(slices(rows, |row| row.instance.0.as_slice()))
            .bind(column(rows, |row| date(row.day))?)
            .bind(column(rows, |row| integer("seconds", row.seconds_up))?)
            .bind(column(rows, |row| big("heartbeats", row.heartbeats))?)
            .execute(&mut *tx)
            .await?;
        }
        for rows in days.leases.chunks(CHUNK) {
            sqlx::query(
                "INSERT INTO uptime_lease (instance_id, last_heartbeat, ttl, status)
                 SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::integer[], $4::smallint[])
                 ON CONFLICT (instance_id) DO UPDATE
                 SET last_heartbeat = EXCLUDED.last_heartbeat, ttl = EXCLUDED.ttl, status = EXCLUDED.status",
            )
            .bind(slices(rows, |row| row.instance.0.as_slice()))
            .bind(column(rows, |row| big("last heartbeat", row.last_heartbeat))?)
            .bind(column(rows, |row| integer("ttl", row.ttl))?)
            .bind(slices(rows, |row| i16::from(row.status as u8)))
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query("UPDATE upkeep SET uptime_day = $1, uptime_block = $2")
            .bind(big("day", days.day)?)
            .bind(big("block number", days.block)?)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Keeps all others from writing until the end of the transaction, if the index is still ours and at `head`.
    pub(super) async fn hold(&self, db: &mut PgConnection, head: BlockRef) -> Result<(), StoreError> {
        let held = sqlx::query(
            "SELECT FROM checkpoint WHERE next_block = $1 AND head_hash = $2 AND writer_epoch = $3 FOR UPDATE",
        )
        .bind(next(head)?)
        .bind(head.hash.as_slice())
        .bind(self.epoch)
        .fetch_optional(db)
        .await?;
        if held.is_some() { Ok(()) } else { Err(self.fenced(head)) }
    }
}

/// Begins all uptimes anew, if some of them follow from events that go away.
pub(super) async fn rewind(db: &mut PgConnection, ancestor: &BlockRow) -> Result<(), StoreError> {
    let stale = sqlx::query(
        "UPDATE upkeep SET uptime_day = 0, uptime_block = 0
         WHERE uptime_day > 0 AND (uptime_block > $1 OR uptime_day * $3 > $2)",
    )
    .bind(big("block number", ancestor.block.number)?)
    .bind(big("block time", ancestor.time)?)
    .bind(big("seconds", DAY)?)
    .execute(&mut *db)
    .await?;
    if stale.rows_affected() > 0 {
        sqlx::query("DELETE FROM uptime").execute(&mut *db).await?;
        sqlx::query("DELETE FROM uptime_lease").execute(db).await?;
    }
    Ok(())
}

pub(crate) async fn upkeep(db: &mut PgConnection) -> Result<Upkeep, StoreError> {
    let row = sqlx::query("SELECT * FROM upkeep").fetch_one(db).await?;
    let c = Columns { table: "upkeep", row: &row };
    Ok(Upkeep {
        heartbeats_from: c.number("heartbeats_from")?,
        thinned_to: c.number("thinned_to")?,
        uptime_day: c.number("uptime_day")?,
        uptime_block: c.number("uptime_block")?,
    })
}

pub(crate) async fn next_events(db: &mut PgConnection, number: u64) -> Result<Option<u64>, StoreError> {
    let to: Option<i64> = sqlx::query_scalar(
        "SELECT max(block_number) FROM (SELECT block_number FROM event WHERE block_number > $1
                                        ORDER BY block_number, log_index LIMIT $2) page",
    )
    .bind(big("block number", number)?)
    .bind(PAGE)
    .fetch_one(db)
    .await?;
    let corrupt = |to| StoreError::Corrupt { table: "event", what: format!("block_number is {to}") };
    to.map(|to| u64::try_from(to).map_err(|_| corrupt(to))).transpose()
}

pub(crate) async fn events(db: &mut PgConnection, above: u64, to: u64) -> Result<Vec<EventRow>, StoreError> {
    let rows = sqlx::query(
        "SELECT * FROM event WHERE block_number > $1 AND block_number <= $2 ORDER BY block_number, log_index",
    );
    let rows = rows.bind(big("block number", above)?).bind(big("block number", to)?).fetch_all(db);
    rows.await?.iter().map(event_row).collect()
}

pub(crate) async fn rolled_leases(db: &mut PgConnection) -> Result<Vec<LeaseRow>, StoreError> {
    let rows = sqlx::query("SELECT * FROM uptime_lease ORDER BY instance_id").fetch_all(db).await?;
    rows.iter()
        .map(|row| {
            let c = Columns { table: "uptime_lease", row };
            Ok(LeaseRow {
                instance: InstanceId(c.word("instance_id")?),
                last_heartbeat: c.number("last_heartbeat")?,
                ttl: c.small("ttl")?,
                status: c.status("status")?,
            })
        })
        .collect()
}

pub(crate) fn uptime_row(row: &PgRow) -> Result<UptimeRow, StoreError> {
    let c = Columns { table: "uptime", row };
    let day: i32 = c.get("day")?;
    Ok(UptimeRow {
        day: u64::try_from(day).map_err(|_| c.corrupt(format!("day is {day}")))?,
        instance: InstanceId(c.word("instance_id")?),
        seconds_up: c.small("seconds_up")?,
        heartbeats: c.number("heartbeats")?,
    })
}

/// A day as what is added to 1970-01-01.
pub(crate) fn date(day: u64) -> Result<i32, StoreError> {
    i32::try_from(day).map_err(|_| StoreError::TooLarge { what: "day", value: day })
}
