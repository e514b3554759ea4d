//! The open discovery API: one question with constraints, one list of instances.

use domain::InstanceId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{BlockInfo, Mode};

/// Which instances are wanted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscoveryQuery {
    /// `namespace/name`.
    #[schema(
        example = "acme/payments",
        pattern = "^(0x[0-9a-fA-F]{40}|[a-z0-9][a-z0-9._-]{0,62})/[a-z0-9][a-z0-9._-]{0,62}$"
    )]
    pub service_name: String,
    /// What the instances must claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints: Option<Constraints>,
}

/// What an instance must claim in its metadata. One that claims nothing about it does not match.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Constraints {
    /// Where it must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// How fast it must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// How much it must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// Compared with `region`, `zone` and `geo` of the metadata.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The nearest to this place come first, those that claim no place last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Geo>,
    /// The most that is acceptable between `near`, which must be given as well, and the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub max_distance_km: Option<f64>,
}

/// A place on the globe, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Geo {
    /// Latitude.
    #[schema(minimum = -90, maximum = 90, example = 52.52)]
    pub lat: f64,
    /// Longitude.
    #[schema(minimum = -180, maximum = 180, example = 13.405)]
    pub lon: f64,
}

/// Compared with `latency_ms` of the metadata.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The most that is acceptable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub max_ms: Option<f64>,
}

/// The least that is acceptable, compared with `resources` of the metadata.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub cpu: Option<f64>,
    /// Memory in megabytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub memory_mb: Option<f64>,
    /// Storage in gigabytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0)]
    pub storage_gb: Option<f64>,
}

/// The live instances that match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiscoveryAnswer {
    /// The block that this is true at.
    pub block: BlockInfo,
    /// The chain time that leases were compared with.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub now: OffsetDateTime,
    /// How far this can be trusted to be up to date.
    pub mode: Mode,
    /// The instances, ordered by id; with `near`, the nearest first.
    pub instances: Vec<DiscoveryInstance>,
}

/// An instance as the open discovery API shapes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiscoveryInstance {
    /// The id; `GET /v1/instances/{id}` tells more.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub id: InstanceId,
    /// Claimed: the host of the first endpoint that is a URI; null if none is.
    #[schema(example = "a1.payments.example")]
    pub address: Option<String>,
    /// Claimed: its port, or the one that its scheme implies; null if neither is known.
    #[schema(example = 8443)]
    pub port: Option<u16>,
    /// Claimed: the metadata, if it is a JSON object; else null.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Map<String, Value>>,
    /// By its lease; always `healthy` here, since none but live instances are answered.
    #[schema(example = "healthy")]
    pub health_status: String,
    /// What is known about how it does.
    pub performance_metrics: PerformanceMetrics,
}

/// What is known about how an instance does. Nothing here is merged: each field has one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PerformanceMetrics {
    /// By the chain: seconds of chain time since the last heartbeat.
    pub heartbeat_age_s: u64,
    /// By the chain: the last second at which the lease runs.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// Claimed: `latency_ms` of the metadata; null if there is none.
    pub latency_ms: Option<f64>,
}
