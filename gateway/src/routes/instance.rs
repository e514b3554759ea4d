//! `GET /v1/instances/{id}`

use api::{InstanceAnswer, Problem, timestamp};
use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use domain::InstanceId;

use super::instances::first_expiry;
use crate::{
    AppState,
    answer::answer,
    error::{Error, Kind},
    params::{Known, Params},
};

const KNOWN: Known = Known { once: &[], repeated: &[], words: "none" };

/// Shows one instance
///
/// In whatever status, expired ones too: `live` says whether to use it.
#[utoipa::path(
    get,
    path = "/v1/instances/{id}",
    operation_id = "get_instance",
    tag = "discovery",
    params(("id" = String, Path, description = "The instance's id", pattern = "^0x[0-9a-fA-F]{64}$")),
    responses(
        (status = 200, description = "The instance", body = InstanceAnswer),
        (status = 400, description = "The id is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody registered this instance", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The gateway holds no index yet", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    Params::parse(query.as_deref(), KNOWN)?;
    let id = parse(&id)?;
    let ((instance, first_expiry), at) = state.read(|index, at| {
        let unknown = || Error::new(Kind::UnknownInstance, format!("nobody registered the instance {id}"));
        let instance = index.instance(id).ok_or_else(unknown)?;
        Ok((instance.served(at.now), first_expiry([instance], at.now)))
    })?;
    let body = InstanceAnswer { block: at.block, now: timestamp::from_seconds(at.now), mode: at.mode, instance };
    Ok(answer(&at, first_expiry, &body))
}

fn parse(id: &str) -> Result<InstanceId, Error> {
    let allowed = "0x and 64 hexadecimal digits";
    let bad = || Error::parameter("id", id, allowed, "this is no id of an instance");
    // The prefix is part of it: one instance, one way to write it but for the case of the digits.
    if !id.starts_with("0x") {
        return Err(bad());
    }
    id.parse().map_err(|_| bad())
}
