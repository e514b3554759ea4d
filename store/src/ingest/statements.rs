//! The statements of one write. Each is a way to the database and back, which at the tip of a chain takes longer than all
//! else; so rows of several tables go in one statement as long as they are few, and a write that is one statement needs
//! no `BEGIN` and no `COMMIT`.

use std::fmt::Write as _;

use domain::{BlockRef, Heads};
use sqlx::{
    Arguments, AssertSqlSafe, Encode, PgConnection, Postgres, Transaction, Type, error::BoxDynError,
    postgres::PgArguments,
};

use super::{Writer, columns::big, next, write::count};
use crate::{StoreError, rows::BlockRow};

/// Rows per part: bounds the memory that a statement takes on both sides.
pub(super) const CHUNK: usize = 2_500;

/// Parts with more rows than this together are statements of their own: then the way does not count, but how long
/// Postgres plans.
const TOGETHER: usize = 500;

/// Moves the checkpoint, if it is still ours and where we think. Who listens is told at the commit; no gateway reads an
/// index that is built beside.
const SWAP: &str = "UPDATE checkpoint
     SET next_block = $4, head_hash = $5, head_time = $6, tip_block = $7, safe_block = $8, finalized_block = $9,
         change_seq = change_seq + $10,
         confirmations = confirmations + CASE WHEN $4 > $7 THEN 1 ELSE 0 END,
         problem = CASE WHEN $4 > $7 THEN NULL ELSE problem END
     WHERE next_block = $1 AND head_hash = $2 AND writer_epoch = $3
     RETURNING change_seq, CASE WHEN current_schema() IS DISTINCT FROM 'rollcall_next'
                                THEN pg_notify('rollcall_changes', '')::text END";

/// A write that begins with a compare-and-swap on the checkpoint. Nothing of it stays unless it is committed.
///
/// Its parts read `swapped`, a table with one row, or with none if the swap fails: `change_seq` is the last of the
/// sequence numbers that the write takes.
pub(super) struct Write<'w> {
    writer: &'w Writer,
    from: BlockRef,
    /// Not sent yet.
    statement: Statement,
    /// Once one statement was not enough.
    transaction: Option<Transaction<'static, Postgres>>,
}

impl Writer {
    /// A write that moves the index from one block to another and takes so many numbers of changes.
    pub(super) fn begin(
        &self,
        from: BlockRef,
        to: &BlockRow,
        heads: Heads,
        changes: usize,
    ) -> Result<Write<'_>, StoreError> {
        let mut statement = Statement::default();
        statement
            .part("swapped", SWAP, 1)
            .bind(next(from)?)
            .bind(from.hash.as_slice())
            .bind(self.epoch)
            .bind(next(to.block)?)
            .bind(to.block.hash.as_slice())
            .bind(big("block time", to.time)?)
            .bind(big("block number", heads.latest)?)
            .bind(big("block number", heads.safe)?)
            .bind(big("block number", heads.finalized)?)
            .bind(count(changes));
        Ok(Write { writer: self, from, statement, transaction: None })
    }
}

impl Write<'_> {
    /// A part that writes so many rows. Its parameters count from `$1`, and are to be bound to the answer.
    ///
    /// No part sees what the others of its statement write, so no two may be about the same row.
    pub(super) async fn part(&mut self, sql: &'static str, rows: usize) -> Result<&mut Statement, StoreError> {
        if self.statement.rows + rows > TOGETHER {
            self.send().await?;
        }
        let name = format!("part_{}", self.statement.parts);
        Ok(self.statement.part(&name, sql, rows))
    }

    /// The transaction, after all parts so far: for what cannot be a part.
    pub(super) async fn alone(&mut self) -> Result<&mut PgConnection, StoreError> {
        self.send().await
    }

    /// Makes it seen.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::Database`]. Nothing was written then, unless the connection broke meanwhile.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        if self.transaction.is_some() {
            self.send().await?;
        } else {
            let swapped = self.statement.run(&mut *self.writer.pool.acquire().await?).await?;
            swapped.ok_or_else(|| self.writer.fenced(self.from))?;
        }
        match self.transaction {
            Some(transaction) => Ok(transaction.commit().await?),
            None => Ok(()),
        }
    }

    async fn send(&mut self) -> Result<&mut PgConnection, StoreError> {
        let transaction = match self.transaction.take() {
            Some(transaction) => transaction,
            None => self.writer.pool.begin().await?,
        };
        let transaction = self.transaction.insert(transaction);
        if self.statement.rows > 0 {
            let swapped = std::mem::take(&mut self.statement).run(&mut *transaction).await?;
            let seq = swapped.ok_or_else(|| self.writer.fenced(self.from))?;
            self.statement.part("swapped", "SELECT $1::bigint AS change_seq", 0).bind(seq);
        }
        Ok(transaction)
    }
}

/// Parts that are sent together.
#[derive(Default)]
pub(super) struct Statement {
    sql: String,
    parts: usize,
    rows: usize,
    arguments: PgArguments,
    /// What went wrong first with an argument.
    error: Option<BoxDynError>,
}

impl Statement {
    fn part(&mut self, name: &str, sql: &str, rows: usize) -> &mut Self {
        let begin = if self.parts == 0 { "WITH" } else { "," };
        // Writing to a string does not fail.
        let _ = write!(self.sql, "{begin} {name} AS ({})", renumbered(sql, self.arguments.len()));
        self.parts += 1;
        self.rows += rows;
        self
    }

    /// The next parameter of the last part.
    pub(super) fn bind<'t, T: Encode<'t, Postgres> + Type<Postgres>>(&mut self, value: T) -> &mut Self {
        if let Err(error) = self.arguments.add(value) {
            self.error.get_or_insert(error);
        }
        self
    }

    /// `change_seq` of `swapped`, if that has a row.
    async fn run(&mut self, db: &mut PgConnection) -> Result<Option<i64>, StoreError> {
        let Self { mut sql, arguments, error, .. } = std::mem::take(self);
        if let Some(error) = error {
            return Err(sqlx::Error::Encode(error).into());
        }
        sql.push_str(" SELECT change_seq FROM swapped");
        Ok(sqlx::query_scalar_with(AssertSqlSafe(sql), arguments).fetch_optional(db).await?)
    }
}

/// The same SQL with parameters that count on from `before`.
fn renumbered(sql: &str, before: usize) -> String {
    let mut pieces = sql.split('$');
    let mut renumbered = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece.find(|c: char| !c.is_ascii_digit()).unwrap_or(piece.len());
        let (number, rest) = piece.split_at(digits);
        match number.parse::<usize>() {
            Ok(number) => {
                let _ = write!(renumbered, "${}{rest}", before + number);
            }
            Err(_) => {
                let _ = write!(renumbered, "${piece}");
            }
        }
    }
    renumbered
}

#[cfg(test)]
mod tests {
    use super::renumbered;

    #[test]
    fn parameters_count_on() {
        assert_eq!(renumbered("SELECT $1::bigint[], $12, ($2)", 0), "SELECT $1::bigint[], $12, ($2)");
        assert_eq!(renumbered("SELECT $1::bigint[], $12, ($2)", 9), "SELECT $10::bigint[], $21, ($11)");
        assert_eq!(renumbered("SELECT 1", 3), "SELECT 1");
    }
}
