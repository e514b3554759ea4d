//! What can go wrong between us and Postgres.

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Postgres did not answer, or said no.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The database holds no index yet.
    #[error("the database holds no index yet: start `rollcall indexer` on it first")]
    NoIndex,
    /// Another writer has moved the checkpoint: this one must stop, or read the checkpoint anew.
    #[error("another writer moved the index: expected to continue after block {expected}, epoch {epoch}")]
    Fenced {
        /// The head that this writer knows.
        expected: domain::BlockRef,
        /// The epoch of this writer.
        epoch: i64,
    },
    /// A row that no writer of ours could have written.
    #[error("table {table} has a row that is not valid: {what}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// What is wrong with the row.
        what: String,
    },
    /// A number of the chain that Postgres cannot hold.
    #[error("{what} is {value}: too large for a bigint")]
    TooLarge {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: u64,
    },
    /// Not a name that we give to a role.
    #[error("{0:?} is no name for a role: 1 to 63 of a-z 0-9 _, and no digit first")]
    InvalidRole(String),
}
