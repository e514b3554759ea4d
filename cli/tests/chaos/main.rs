//! `rollcall indexer` and the Postgres that it writes into, killed by SIGKILL again and again at random moments. Whatever
//! the moment, the index becomes the one that nobody disturbed, row by row, and `rollcall indexer check` agrees.
//!
//! - `chance`: what is left to chance, and its seed; `story`: what happens on the chain
//! - `world`: chain, Postgres and databases; `process`: the indexer; `whole`: all of an index
//! - `crashes`: when, and who
//! - `backfill`, `live`: the tests

mod backfill;
mod chance;
mod crashes;
mod live;
mod process;
mod story;
mod whole;
mod world;
