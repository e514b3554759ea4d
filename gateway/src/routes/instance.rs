//! `GET /v1/instances/{id}`

use api::{Endorsement, InstanceAnswer, Operator, Permission, Problem, Scope, timestamp};
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use domain::InstanceId;
use store::query::LIST;
use utoipa::IntoParams;

use crate::{
    AppState,
    access::Reader,
    answer::answer,
    error::{Error, Kind},
    freshness::At,
    index::Index,
    params::{self, Params},
    service::Instance,
    wanted::first_expiry,
};

/// Which instance.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "documents what `parse` reads")]
pub(crate) struct InstancePath {
    /// The instance's id.
    #[param(pattern = "^0x[0-9a-fA-F]{64}$")]
    id: String,
}

/// Shows one instance
///
/// In whatever status, expired ones too: `live` says whether to use it. Who may act for its owner and who endorses it
/// comes with it, at most 100 of each.
#[utoipa::path(
    get,
    path = "/v1/instances/{id}",
    operation_id = "get_instance",
    tag = "discovery",
    params(InstancePath),
    responses(
        (status = 200, description = "The instance", body = InstanceAnswer),
        (status = 400, description = "The id is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody registered this instance", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The gateway holds no index yet", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    reader: Reader,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    Params::parse(query.as_deref(), &params::NONE)?;
    let id = parse(&id)?;
    let ((body, first_expiry), at) = state.read(|index, at| {
        let unknown = || Error::new(Kind::UnknownInstance, format!("nobody registered the instance {id}"));
        let instance = index.instance(id).ok_or_else(unknown)?;
        reader.must_read_text(instance.namespace())?;
        Ok((shape(index, instance, at), first_expiry([instance], at.now)))
    })?;
    Ok(answer(&headers, &at, first_expiry, &body))
}

fn shape(index: &Index, instance: &Instance, at: &At) -> InstanceAnswer {
    let said = index.said_of(instance);
    let own = said.map(|said| &said.operators);
    let owners = index.operators(instance.lease.owner);
    let operators = [(own, Scope::Instance), (owners, Scope::Owner)];
    let operators = || operators.into_iter().filter_map(|(list, scope)| Some((list?, scope)));
    let items = operators().flat_map(|(list, scope)| list.items.iter().map(move |operator| (operator, scope)));
    let endorsements = said.map(|said| &said.endorsements);
    InstanceAnswer {
        block: at.block,
        now: timestamp::from_seconds(at.now),
        mode: at.mode,
        instance: index.served(instance, at.now),
        proposed_owner: said.and_then(|said| said.proposed_owner),
        operators: items
            .take(LIST)
            .map(|(operator, scope)| Operator {
                account: operator.account,
                permissions: Permission::all_in(operator.permissions),
                expires_at: timestamp::from_seconds(operator.expires_at),
                scope,
            })
            .collect(),
        operators_total: operators().map(|(list, _)| list.total).sum(),
        endorsements: endorsements
            .into_iter()
            .flat_map(|list| &list.items)
            .map(|endorsement| Endorsement {
                endorser: endorsement.endorser,
                topic: endorsement.topic,
                digest: endorsement.digest,
                expires_at: timestamp::from_seconds(endorsement.expires_at),
            })
            .collect(),
        endorsements_total: endorsements.map_or(0, |list| list.total),
    }
}

pub(super) fn parse(id: &str) -> Result<InstanceId, Error> {
    let allowed = "0x and 64 hexadecimal digits";
    let bad = || Error::parameter("id", id, allowed, "this is no id of an instance");
    // The prefix is part of it: one instance, one way to write it but for the case of the digits.
    if !id.starts_with("0x") {
        return Err(bad());
    }
    id.parse().map_err(|_| bad())
}
