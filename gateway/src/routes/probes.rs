//! `GET /livez`, `/readyz`; `/metrics`, which is for operators

use api::{Probe, Problem};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use crate::{
    AppState,
    answer::json,
    error::{Error, Kind},
};

/// Whether the process works
///
/// Answers 200 as long as the process works, be the database there or not; 503 if its feed hangs: then restart it.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "operations",
    responses(
        (status = 200, description = "It works", body = Probe),
        (status = 503, description = "It hangs: restart it", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn livez(State(state): State<AppState>) -> Result<Response, Error> {
    if !state.is_alive() {
        return Err(Error::new(Kind::NotReady, "the feed hangs: restart the gateway"));
    }
    Ok(json(&Probe { status: "alive".to_owned() }))
}

/// Whether to send requests here
///
/// 200 in the modes `normal` and `preserved`. 503 without an index, in mode `stale`, while the indexer reports a problem,
/// while it reads the chain for the first time, and once the gateway has been told to stop. With an index, the gateway answers all the same: where no gateway
/// is ready, it is better to ask one that is not than none.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operations",
    responses(
        (status = 200, description = "It is ready", body = Probe),
        (status = 503, description = "It is not, and `detail` says why", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn readyz(State(state): State<AppState>) -> Result<Response, Error> {
    match state.vitals().not_ready {
        Some(reason) => Err(Error::new(Kind::NotReady, reason)),
        None => Ok(json(&Probe { status: "ready".to_owned() })),
    }
}

/// Metrics for Prometheus; for operators alone.
pub(crate) async fn metrics(State(state): State<AppState>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4"), (header::CACHE_CONTROL, "no-store")];
    (headers, state.telemetry().render(&state)).into_response()
}
