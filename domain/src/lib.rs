//! The words of Rollcall as types: what a service, an instance, a lease and a block are, and what follows from them.
//!
//! Everything here is pure: no chain, no database, no network. The only thing that touches the machine is
//! [`SystemClock`], the one implementation of [`Clock`] that programs use; tests use [`ManualClock`].
//!
//! What this crate does **not** do: decode logs (`bindings`), keep rows (`store`), or shape JSON (`api`).
//!
//! In reading order:
//! - [`ids`]: how names become 32-byte ids, the same way as the contract does it
//! - [`text`]: the alphabet of names, labels and versions
//! - [`record`]: what an owner publishes about an instance, and the hash that commits to it
//! - [`lease`]: ttl, last heartbeat, status, and the one definition of "live"
//! - [`permissions`]: what an owner may let an operator do
//! - [`topic`]: what an endorsement is about
//! - [`layout`]: where the contracts keep their words
//! - [`block`]: block references and finality
//! - [`clock`]: the injected clock and chain time

pub mod block;
pub mod clock;
pub mod ids;
pub mod layout;
pub mod lease;
pub mod permissions;
pub mod record;
pub mod text;
pub mod topic;

pub use alloy_primitives::{Address, B256, Bytes};
pub use block::{BlockRef, Finality, Heads};
pub use clock::{ChainTime, Clock, ManualClock, SystemClock};
pub use ids::{InstanceId, Namespace, NamespaceId, ServiceKey};
pub use lease::{Lease, Status};
pub use permissions::Permissions;
pub use record::Record;
pub use text::TextError;
pub use topic::Topic;
