//! The ABI of the contracts in Rust, and their logs decoded into domain types.
//!
//! The ABI comes from `contracts/abi/*.json` when this crate is compiled; nothing generated is in the
//! tree. What this crate does **not** do: talk to a node (callers bring an alloy provider), or follow what an event
//! does to the catalogue (`indexer`).
//!
//! In reading order:
//! - [`abi`]: what `sol!` makes of the ABI: calls, events, errors, the bytecode
//! - [`canonical`]: where the contracts are on every chain
//! - [`event`]: [`Event`], what a log of the contracts says
//! - [`decode`](mod@decode): topics and data in, an [`Event`] or the reason why not out; never a panic, never silence

pub mod abi;
pub mod canonical;
pub mod decode;
pub mod event;

pub use abi::{Endorsements, IRegistryTypes, ServiceRegistry};
pub use decode::{DecodeError, decode, decode_endorsement};
pub use event::Event;

#[cfg(test)]
mod tests;
