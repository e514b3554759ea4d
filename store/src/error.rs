//! What can go wrong between us and Postgres.

use std::time::Duration;

use sqlx::migrate::MigrateError;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Postgres did not answer, or said no.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// Postgres said nothing at all: its machine or the network may be gone.
    #[error("database: it has said nothing for {0:?}")]
    Silent(Duration),
    /// The schema could not be brought up to date.
    #[error("database schema: {0}")]
    Migrate(#[from] MigrateError),
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
    /// Two would build the same index.
    #[error("another `rollcall indexer reindex` is at work on this database")]
    Reindexing,
    /// The index that was built beside must not take the place of the one in use.
    #[error("the new index cannot replace the one in use: {0}")]
    NoSuccessor(String),
}

impl StoreError {
    /// Whether trying again cannot help: the URL is none, the server does not let this role in or does not have the
    /// database, the schema is of another program, or a row is not valid. All else may pass by itself.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Corrupt { .. } | Self::InvalidRole(_) | Self::Reindexing | Self::NoSuccessor(_) => true,
            Self::Migrate(MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _)) | Self::Database(e) => {
                is_refusal(e)
            }
            Self::Migrate(_) => true,
            Self::Silent(_) | Self::NoIndex | Self::Fenced { .. } | Self::TooLarge { .. } => false,
        }
    }
}

/// SQLSTATE class 28 is "invalid authorization", 3D000 "no such database", 42501 "insufficient privilege".
fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Configuration(_) => true,
        sqlx::Error::Database(e) => {
            e.code().is_some_and(|code| code.starts_with("28") || code == "3D000" || code == "42501")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_not_permanent() {
        assert!(!StoreError::Database(sqlx::Error::PoolTimedOut).is_permanent());
        assert!(!StoreError::Migrate(MigrateError::Execute(sqlx::Error::PoolTimedOut)).is_permanent());
        assert!(StoreError::Migrate(MigrateError::VersionMismatch(1)).is_permanent());
        assert!(StoreError::Database(sqlx::Error::Configuration("no URL".into())).is_permanent());
    }
}
