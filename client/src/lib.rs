//! The SDK: publish services on the chain, deploy the contracts, and ask a gateway who is alive.
//!
//! What this crate does **not** do: index the chain or read a database (`indexer`, `store`), or read configuration
//! (`cli`). No key, password or API key shows in an error, a log or a `Debug` of this crate.
//!
//! In reading order:
//! - [`service`]: `acme/payments` and its registration as input, checked before anything is sent
//! - [`redact`]: URLs that do not show their secrets; [`keys`]: who signs
//! - [`error`]: why the chain did not do it; [`refusal`]: the contracts' own errors with their evidence
//! - [`chain`]: a node, asked with a bound on the time; `send`: one transaction after the other, also when
//!   other processes use the same key
//! - [`registry`]: the contract's views; [`publish`]: register, update, heartbeat, deregister
//! - `authority`: what the owner of a namespace decides; [`grants`]: operators, and the next owner; [`reap`]
//! - [`heartbeat`]: keeps leases alive until told to stop
//! - [`signed`]: calls that one signs and another sends, as JSON; [`signer`] makes them, [`relay`] sends them
//! - [`endorse`]: the second contract, endorsements
//! - [`deploy`]: puts both contracts on a chain, once
//! - [`discover`]: asks a gateway, and watches services

pub mod chain;
pub mod deploy;
pub mod discover;
pub mod endorse;
pub mod error;
pub mod grants;
pub mod heartbeat;
pub mod keys;
pub mod publish;
pub mod reap;
pub mod redact;
pub mod refusal;
pub mod registry;
pub mod relay;
pub mod service;
pub mod signed;
pub mod signer;

mod authority;
mod send;

pub use chain::Chain;
pub use discover::{DiscoverError, Gateway, GatewayKey, GatewayKeyError, Wanted, Watch};
pub use endorse::Endorsements;
pub use error::ChainError;
pub use grants::Grant;
pub use keys::{Key, KeyError};
pub use publish::Publisher;
pub use redact::SecretUrl;
pub use refusal::Refusal;
pub use registry::Registry;
pub use service::{Body, InputError, InstanceName, Registration, Service};
pub use signed::{Envelope, EnvelopeError};
pub use signer::Signer;
