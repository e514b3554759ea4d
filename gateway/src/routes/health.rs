//! `GET /v1/discovery/health`

use api::{DiscoveryHealth, HealthMetrics, HealthStatus, Mode, Problem, timestamp};
use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{
    AppState,
    answer::{json, registry_headers},
    error::Error,
    freshness::lag,
    params::{self, Params},
    state::Vitals,
};

/// Shows how the gateway and its index feel
#[utoipa::path(
    get,
    path = "/v1/discovery/health",
    operation_id = "discovery_health",
    tag = "open discovery",
    responses(
        (status = 200, description = "It can answer", body = DiscoveryHealth),
        (status = 400, description = "It has no parameters", body = Problem, content_type = "application/problem+json"),
        (
            status = 503, description = "It holds no index yet, or did not answer in time",
            content((DiscoveryHealth = "application/json"), (Problem = "application/problem+json")),
        ),
    ),
)]
pub(crate) async fn health(State(state): State<AppState>, RawQuery(query): RawQuery) -> Result<Response, Error> {
    Params::parse(query.as_deref(), &params::NONE)?;
    let vitals = state.vitals();
    let status = status(&vitals);
    let body = DiscoveryHealth {
        status,
        timestamp: timestamp::from_seconds(state.clock().wall().as_secs()),
        metrics: metrics(&vitals),
    };
    let mut response = json(&body);
    if let Some((_, at)) = &vitals.loaded {
        registry_headers(response.headers_mut(), at);
    }
    if status == HealthStatus::Unavailable {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response.into_response())
}

fn status(vitals: &Vitals) -> HealthStatus {
    match &vitals.loaded {
        None => HealthStatus::Unavailable,
        Some((checkpoint, _)) if checkpoint.confirmations == 0 => HealthStatus::Unavailable,
        Some((_, at)) if vitals.not_ready.is_none() && at.mode == Mode::Normal => HealthStatus::Healthy,
        Some(_) => HealthStatus::Degraded,
    }
}

fn metrics(vitals: &Vitals) -> HealthMetrics {
    let counted = HealthMetrics {
        services: vitals.counts.services,
        instances: vitals.counts.instances,
        live_instances: vitals.counts.live,
        problem: vitals.not_ready.clone(),
        ..HealthMetrics::default()
    };
    let Some((checkpoint, at)) = &vitals.loaded else { return counted };
    HealthMetrics {
        chain_id: Some(checkpoint.origin.chain_id),
        contract: Some(checkpoint.origin.contract),
        chain_head: Some(checkpoint.heads.latest),
        safe: Some(checkpoint.heads.safe),
        finalized: Some(checkpoint.heads.finalized),
        indexed_block: Some(checkpoint.head.number),
        lag_blocks: Some(lag(checkpoint)),
        head_age_s: Some(at.head_age.as_secs()),
        mode: Some(at.mode),
        ..counted
    }
}
