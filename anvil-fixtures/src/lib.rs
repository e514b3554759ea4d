//! Deterministic scenarios on Anvil, and the small chain states that they leave behind.
//!
//! A scenario is a function that plays transactions with fixed accounts and fixed block times, so that it leads to the
//! same block hashes on every machine. `cargo xtask fixtures` plays each into `anvil-fixtures/states/`; tests load the
//! states, or play the scenario themselves.
//!
//! What this crate does **not** do: start Anvil (`tools`), or know what the index or the gateway makes of it.
//!
//! In reading order:
//! - [`chain`]: an Anvil with the registry on it: send, mine, move time, reorg
//! - [`scenario`]: the scenarios and their states
//! - [`expected`]: what the contract itself says after a scenario
//! - [`governance`]: the scenario with every event, and the calls in it
//! - [`demo`]: the services of three companies that `rollcall up` shows

pub mod chain;
pub mod demo;
pub mod expected;
pub mod governance;
pub mod scenario;

mod hostile;

pub use chain::{Chain, GENESIS_TIME};
pub use expected::Expected;
pub use scenario::Scenario;
