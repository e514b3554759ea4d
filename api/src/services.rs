//! The list of services.

use domain::{Address, ServiceKey};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{BlockInfo, Mode};

/// A service that somebody has registered an instance of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceSummary {
    /// The namespace: a label, or the address of an account.
    #[schema(example = "acme")]
    pub namespace: String,
    /// The name.
    #[schema(example = "payments")]
    pub name: String,
    /// `keccak256(abi.encode(namespace_id, keccak256(name)))`.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub key: ServiceKey,
    /// Who owns the namespace, and so decides who may register.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::account::option")]
    #[schema(value_type = Option<String>, nullable = false, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub authority: Option<Address>,
    /// How many instances are listed, by the contract's own count.
    pub listed: u64,
    /// How many of them are live.
    pub live: u64,
}

/// A page of services, ordered by namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServicesAnswer {
    /// The block that this is true at.
    pub block: BlockInfo,
    /// The chain time that leases were compared with.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub now: OffsetDateTime,
    /// How far this can be trusted to be up to date.
    pub mode: Mode,
    /// The services.
    pub services: Vec<ServiceSummary>,
    /// Asks for the next page, as `cursor`; there is none after the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}
