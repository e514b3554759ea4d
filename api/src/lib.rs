//! The wire types of the gateway: what it serves is what the client parses.
//!
//! JSON in snake_case, times in RFC 3339, ids and hashes as `0x` and lower-case hexadecimal digits, accounts with the
//! checksum of EIP-55 in their letters. Every field has one provenance, and none is merged with another: the fields of
//! an [`Instance`] are the chain's and can be proved, but what the owner wrote into its endpoints and metadata is only
//! *claimed*, and nobody has checked it.
//!
//! What this crate does **not** do: speak HTTP (`gateway`, `client`), or decide who is live (`domain`).
//!
//! In reading order:
//! - [`block`]: the block and the mode that an answer is true at
//! - [`instance`]: instances, their endpoints and metadata
//! - [`metadata`]: which bytes are metadata, and how to serve those that are not
//! - [`governance`]: namespaces, operators, endorsements
//! - [`services`]: the list of services
//! - [`history`]: what happened to an instance, and its uptimes; [`day`]: days
//! - [`discovery`]: the open discovery API
//! - [`registration`]: registrations that one signs and a gateway sends
//! - [`health`]: how the gateway and its index feel
//! - [`problem`]: errors as RFC 9457 wants them
//! - [`timestamp`]: chain time as RFC 3339

pub mod block;
pub mod day;
pub mod discovery;
pub mod governance;
pub mod health;
pub mod history;
pub mod instance;
pub mod metadata;
pub mod problem;
pub mod registration;
pub mod services;
pub mod timestamp;

mod account;

pub use block::{BlockInfo, Consistency, Mode};
pub use day::Day;
pub use discovery::{Constraints, DiscoveryAnswer, DiscoveryInstance, DiscoveryQuery};
pub use governance::{Endorsement, NamespaceAnswer, Operator, Permission, Registrar, Scope};
pub use health::{DiscoveryHealth, HealthMetrics, HealthStatus, Probe};
pub use history::{HistoryAnswer, UptimeAnswer};
pub use instance::{
    Endpoint, Health, Instance, InstanceAnswer, InstancesAnswer, InstancesDelta, Observed, Status, Tier,
};
pub use metadata::Metadata;
pub use problem::Problem;
pub use registration::{RegistrationAnswer, RegistrationStatus, SignedRegistration};
pub use services::{ServiceSummary, ServicesAnswer};
