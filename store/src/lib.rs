//! All SQL of Rollcall: the schema, what the indexer writes, what the gateway reads.
//!
//! Nobody else speaks SQL. What this crate does **not** do: decode logs, decide what a reorg undoes (`indexer`), or
//! decide who is live (`gateway`).
//!
//! In reading order:
//! - [`rows`]: the rows of the tables as types
//! - [`schema`]: connect, migrate, the roles; [`pulse`]: is the database still there
//! - [`ingest`]: what the indexer writes
//! - [`query`]: what the gateway reads
//! - [`audit`]: what a check of the whole index reads
//! - [`reindex`]: an index that is built anew takes the place of the one in use

pub mod audit;
pub mod ingest;
pub mod pulse;
pub mod query;
pub mod reindex;
pub mod rows;
pub mod schema;

mod error;

pub use error::StoreError;
