//! The indexer on a real Anvil and a real Postgres. After every story the index must say what the contract says.

mod days;
mod faults;
mod governance;
mod look;
mod reader;
mod reorgs;
mod stories;
mod trouble;
mod world;
