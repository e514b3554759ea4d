//! How the gateway and its index feel.

use domain::Address;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::Mode;

/// How the gateway and its index feel, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Ready, in mode `normal`, and nobody reports a problem.
    Healthy,
    /// It answers, but not as of now, or the indexer reports a problem.
    Degraded,
    /// It holds no index yet, and can answer nothing.
    Unavailable,
}

/// The answer of `/v1/discovery/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiscoveryHealth {
    /// In one word.
    pub status: HealthStatus,
    /// When this was measured, by the machine's own clock.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: OffsetDateTime,
    /// In numbers.
    pub metrics: HealthMetrics,
}

/// The numbers. What the gateway does not know yet is null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthMetrics {
    /// The chain that the index mirrors.
    pub chain_id: Option<u64>,
    /// The contract that the index mirrors.
    #[serde(default, with = "crate::account::option")]
    #[schema(value_type = Option<String>, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub contract: Option<Address>,
    /// The chain's newest block when the indexer last asked.
    pub chain_head: Option<u64>,
    /// The newest block that the chain calls safe.
    pub safe: Option<u64>,
    /// The newest block that the chain calls finalized.
    pub finalized: Option<u64>,
    /// The head of the index.
    pub indexed_block: Option<u64>,
    /// How many blocks the index is behind the chain.
    pub lag_blocks: Option<u64>,
    /// Seconds since the indexer was last seen at the chain's tip.
    pub head_age_s: Option<u64>,
    /// How far answers can be trusted to be up to date.
    pub mode: Option<Mode>,
    /// How many services are known.
    pub services: u64,
    /// How many instances are known, in whatever status.
    pub instances: u64,
    /// How many instances are live.
    pub live_instances: u64,
    /// What is wrong: by the indexer, or why this gateway cannot read the index.
    pub problem: Option<String>,
}

/// The answer of `/livez` and `/readyz` when all is well; else it is a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Probe {
    /// `alive` or `ready`.
    #[schema(example = "ready")]
    pub status: String,
}
