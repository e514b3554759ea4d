//! The world of the end-to-end tests: Anvil, Postgres, indexer and gateway, each on ports and a database of its own.
//!
//! A test moves the chain's time by mining blocks at exact times; the gateway's own clock is a [`domain::ManualClock`]
//! that stands still. Nothing here sleeps: [`World::synced`] and [`eventually`] wait for a condition, with a bound.
//!
//! In reading order:
//! - [`world`]: the world and its parts
//! - [`pace`]: a chain and a gateway whose clocks go together
//! - [`part`]: an indexer or gateway that can be stopped and started again
//! - [`database`]: one Postgres for all tests of a process, a database for each
//! - [`replica`]: a Postgres that follows another one
//! - [`watched`]: an indexer whose probes are asked, by a clock of the test's
//! - [`cache`]: a caching proxy before a gateway
//! - [`relay`]: a wire to Postgres that can be cut
//! - [`wait`]: waiting for conditions

pub mod cache;
pub mod database;
pub mod pace;
pub mod part;
pub mod relay;
pub mod replica;
pub mod wait;
pub mod watched;
pub mod world;

pub use wait::eventually;
pub use world::World;
