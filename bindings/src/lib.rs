//! The contract's ABI in Rust, and its logs decoded into domain types.
//!
//! The ABI comes from `contracts/abi/ServiceRegistry.json` when this crate is compiled; nothing generated is in the
//! tree. What this crate does **not** do: talk to a node (callers bring an alloy provider), or follow what an event
//! does to the catalogue (`indexer`).
//!
//! In reading order:
//! - [`abi`]: what `sol!` makes of the ABI: calls, events, errors, the bytecode
//! - [`event`]: [`Event`], what a log of the contract says
//! - [`decode`](mod@decode): topics and data in, an [`Event`] or the reason why not out; never a panic, never silence

pub mod abi;
pub mod decode;
pub mod event;

pub use abi::{Endorsements, IRegistryTypes, ServiceRegistry};
pub use decode::{DecodeError, decode};
pub use event::Event;

#[cfg(test)]
mod tests;
