//! An index that is built anew beside the one in use takes its place: one transaction, and nobody reads or writes half
//! of it.
//!
//! The new index is filled by an ordinary [`Writer`](crate::ingest::Writer) whose connections see the schema
//! [`BESIDE`](crate::schema::BESIDE) alone ([`Place::Beside`](crate::schema::Place)). What is here is who may do so, when the new index is fit
//! to be used (`fit`), and how the tables change places (`objects`).

use std::time::Duration;

use alloy_primitives::B256;
use domain::BlockRef;
use sqlx::{Connection, PgConnection, PgPool, raw_sql};

use crate::{
    StoreError,
    ingest::{self, columns::big, load::checkpoint_row},
    rows::Checkpoint,
};

mod fit;
mod objects;

pub use fit::NotYet;

/// The schema of the index that was in use before.
pub const OLD: &str = "rollcall_old";

/// Nobody waits longer than this for the tables to change places: not reached, it is tried again. Shorter than
/// Postgres takes to look for a deadlock, so that it is never somebody else who has to give way.
const LOCKED_FOR: Duration = Duration::from_millis(500);

/// SQLSTATE of "lock not available", "deadlock detected" and "query canceled": somebody has the tables in use.
const IN_USE: [&str; 3] = ["55P03", "40P01", "57014"];

/// The right to build an index beside the one in use, which only one has at a time. It goes with the connection.
#[derive(Debug)]
pub struct Reindex {
    db: PgConnection,
}

/// What came of an attempt to take the place of the index in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// It is in use from now on, from this head on.
    Done(BlockRef),
    /// The one before stays in use.
    NotYet(NotYet),
}

impl Reindex {
    /// Takes the right. `live` are connections to the index in use.
    ///
    /// # Errors
    /// [`StoreError::Reindexing`] if somebody else has the right; [`StoreError::NoIndex`] if there is nothing to
    /// replace; [`StoreError::Database`].
    pub async fn begin(live: &PgPool) -> Result<Self, StoreError> {
        let options = live.connect_options().as_ref().clone().application_name("rollcall-reindex").options([
            // To drop large tables takes its time.
            ("statement_timeout", "0"),
        ]);
        let mut db = PgConnection::connect_with(&options).await?;
        let lock = "SELECT pg_try_advisory_lock(hashtext('rollcall_reindex'))";
        if !sqlx::query_scalar::<_, bool>(lock).fetch_one(&mut db).await? {
            return Err(StoreError::Reindexing);
        }
        ingest::checkpoint(live).await?.ok_or(StoreError::NoIndex)?;
        Ok(Self { db })
    }

    /// Makes the schema for the new index. One that is half built is kept, unless it has to be a fresh one.
    ///
    /// # Errors
    /// [`StoreError::Database`], also if the role may not make schemas.
    pub async fn prepare(&mut self, fresh: bool) -> Result<(), StoreError> {
        if fresh {
            raw_sql("DROP SCHEMA IF EXISTS rollcall_next CASCADE").execute(&mut self.db).await?;
        }
        // IF NOT EXISTS would ask for the right to make it where it is there already.
        let exists = "SELECT to_regnamespace('rollcall_next') IS NOT NULL";
        if !sqlx::query_scalar::<_, bool>(exists).fetch_one(&mut self.db).await? {
            raw_sql("CREATE SCHEMA rollcall_next").execute(&mut self.db).await?;
        }
        Ok(())
    }

    /// The checkpoint of the index in use.
    ///
    /// # Errors
    /// [`StoreError::NoIndex`], [`StoreError::Database`], [`StoreError::Corrupt`].
    pub async fn live(&mut self) -> Result<Checkpoint, StoreError> {
        live(&mut self.db).await
    }

    /// The checkpoint of the new index, or none before it has one.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Corrupt`].
    pub async fn beside(&mut self) -> Result<Option<Checkpoint>, StoreError> {
        beside(&mut self.db).await
    }

    /// Whether the new index could ever take the place of the one in use: it must be of the same contracts, and nothing
    /// of strangers may depend on the tables that go.
    ///
    /// # Errors
    /// [`StoreError::NoSuccessor`] if not; [`StoreError::Database`].
    pub async fn check(&mut self) -> Result<(), StoreError> {
        if let Some(beside) = beside(&mut self.db).await? {
            fit::same(&live(&mut self.db).await?, &beside)?;
            objects::check(&mut self.db).await?;
        }
        Ok(())
    }

    /// Puts the new index in the place of the one in use, which is then in the schema [`OLD`], unless it is not fit yet.
    /// Gateways are told to read everything anew, and the writers of both indexes are fenced. What only the old index
    /// knew, the events that reorgs took out, is taken over.
    ///
    /// `stuck` is the checkpoint of an index in use that has come to nothing for long: while it is the same, that index
    /// is replaced whatever it says.
    ///
    /// # Errors
    /// [`StoreError::NoSuccessor`], [`StoreError::NoIndex`], [`StoreError::Database`]. The one before stays in use then,
    /// unless the connection broke during the commit: without a [`beside`](Self::beside) it was done.
    pub async fn swap(&mut self, stuck: Option<&Checkpoint>) -> Result<Swap, StoreError> {
        // First a look that is in nobody's way.
        if let Err(not_yet) = self.fits(stuck).await? {
            return Ok(Swap::NotYet(not_yet));
        }
        raw_sql("DROP SCHEMA IF EXISTS rollcall_old CASCADE").execute(&mut self.db).await?;
        objects::keep_orphans(&mut self.db).await?;
        match self.swap_now(stuck).await {
            Err(StoreError::Database(sqlx::Error::Database(e)))
                if e.code().is_some_and(|code| IN_USE.contains(&&*code)) =>
            {
                Ok(Swap::NotYet(NotYet::InUse))
            }
            other => other,
        }
    }

    async fn fits(&mut self, stuck: Option<&Checkpoint>) -> Result<Result<BlockRef, NotYet>, StoreError> {
        fits(&mut self.db, stuck).await
    }

    async fn swap_now(&mut self, stuck: Option<&Checkpoint>) -> Result<Swap, StoreError> {
        let mut tx = self.db.begin().await?;
        let millis = LOCKED_FOR.as_millis().to_string();
        sqlx::query("SELECT set_config('lock_timeout', $1, true)").bind(millis).execute(&mut *tx).await?;
        // Whoever writes an index, or reads more than a row of it, begins with its checkpoint.
        raw_sql("LOCK TABLE checkpoint, rollcall_next.checkpoint IN ACCESS EXCLUSIVE MODE").execute(&mut *tx).await?;
        let head = match fits(&mut tx, stuck).await? {
            Ok(head) => head,
            Err(not_yet) => return Ok(Swap::NotYet(not_yet)),
        };
        objects::check(&mut tx).await?;
        objects::keep_orphans(&mut tx).await?;
        // Both writers are fenced, and gateways have to see that changes of the one do not go on with the other's.
        let seq: i64 = sqlx::query_scalar(
            "UPDATE rollcall_next.checkpoint AS beside
             SET writer_epoch = greatest(live.writer_epoch, beside.writer_epoch) + 1,
                 change_seq = greatest(live.change_seq, beside.change_seq) + 1,
                 confirmations = greatest(live.confirmations, beside.confirmations) + 1,
                 headers_hash = live.headers_hash OR beside.headers_hash
             FROM checkpoint AS live RETURNING beside.change_seq",
        )
        .fetch_one(&mut *tx)
        .await?;
        raw_sql("DELETE FROM rollcall_next.changes").execute(&mut *tx).await?;
        sqlx::query("INSERT INTO rollcall_next.changes (seq, kind, subject) VALUES ($1, 'reorg', $2)")
            .bind(seq)
            .bind(head.hash.as_slice())
            .execute(&mut *tx)
            .await?;
        objects::change_places(&mut tx).await?;
        raw_sql("SELECT pg_notify('rollcall_changes', '')").execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Swap::Done(head))
    }

    /// Drops the index that was in use before, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn drop_old(&mut self) -> Result<(), StoreError> {
        raw_sql("DROP SCHEMA IF EXISTS rollcall_old CASCADE").execute(&mut self.db).await?;
        Ok(())
    }
}

async fn live(db: &mut PgConnection) -> Result<Checkpoint, StoreError> {
    let row = sqlx::query("SELECT * FROM checkpoint").persistent(false).fetch_optional(db).await?;
    checkpoint_row(&row.ok_or(StoreError::NoIndex)?)
}

async fn beside(db: &mut PgConnection) -> Result<Option<Checkpoint>, StoreError> {
    let made = "SELECT to_regclass('rollcall_next.checkpoint') IS NOT NULL";
    if !sqlx::query_scalar::<_, bool>(made).fetch_one(&mut *db).await? {
        return Ok(None);
    }
    let row = sqlx::query("SELECT * FROM rollcall_next.checkpoint").persistent(false).fetch_optional(db).await?;
    row.as_ref().map(checkpoint_row).transpose()
}

async fn fits(db: &mut PgConnection, stuck: Option<&Checkpoint>) -> Result<Result<BlockRef, NotYet>, StoreError> {
    let live = live(db).await?;
    let Some(beside) = beside(db).await? else { return Ok(Err(NotYet::Filling)) };
    fit::same(&live, &beside)?;
    let known = hash_beside(&mut *db, live.head.number).await?;
    let is_stuck = stuck.is_some_and(|stuck| stuck.is_where(&live));
    let days: (i64, i64) =
        sqlx::query_as("SELECT live.uptime_day, beside.uptime_day FROM upkeep AS live, rollcall_next.upkeep AS beside")
            .persistent(false)
            .fetch_one(db)
            .await?;
    Ok(fit::fits(&live, &beside, (known, days.1 >= days.0), is_stuck).map(|()| beside.head))
}

/// The hash that the new index knows the block of a height by, if it remembers it.
async fn hash_beside(db: &mut PgConnection, number: u64) -> Result<Option<B256>, StoreError> {
    let hash: Option<Vec<u8>> = sqlx::query_scalar(
        "SELECT hash FROM rollcall_next.block WHERE number = $1
         UNION ALL SELECT block_hash FROM rollcall_next.event WHERE block_number = $1 LIMIT 1",
    )
    .bind(big("block number", number)?)
    .persistent(false)
    .fetch_optional(db)
    .await?;
    hash.map(|hash| {
        B256::try_from(hash.as_slice()).map_err(|_| StoreError::Corrupt {
            table: "block",
            what: format!("the hash of block {number} has {} bytes, not 32", hash.len()),
        })
    })
    .transpose()
}
