//! `GET /v1/namespaces/{ns}`

use api::{NamespaceAnswer, Problem, Registrar, timestamp};
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use domain::{Namespace, TextError};

use crate::{
    AppState,
    access::Reader,
    answer::answer,
    error::{Error, Kind},
    params::{self, Params},
};

/// Shows one namespace
///
/// Who governs it, whether it is open to all, and whom its owner admits, at most 100 of these.
#[utoipa::path(
    get,
    path = "/v1/namespaces/{ns}",
    operation_id = "get_namespace",
    tag = "discovery",
    params((
        "ns" = String, Path, description = "A label, or the address of an account",
        pattern = "^(0x[0-9a-fA-F]{40}|[a-z0-9][a-z0-9._-]{0,62})$",
    )),
    responses(
        (status = 200, description = "The namespace", body = NamespaceAnswer),
        (status = 400, description = "The name is none", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody claimed this namespace", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The gateway holds no index yet", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    reader: Reader,
    Path(ns): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    Params::parse(query.as_deref(), &params::NONE)?;
    let bad = |reason: TextError| {
        Error::parameter("ns", &ns, "a label (a-z 0-9 . _ -) or an account (0x…)", &reason.to_string())
    };
    let namespace: Namespace = ns.parse().map_err(bad)?;
    reader.must_read(&namespace)?;
    let id = namespace.id();
    let (body, at) = state.read(|index, at| {
        let unknown = || Error::new(Kind::UnknownNamespace, format!("nobody claimed the namespace {namespace}"));
        let governed = index.governed(id).ok_or_else(unknown)?;
        let said = index.said_of_namespace(id, governed.epoch);
        let registrars = said.map(|said| &said.registrars);
        Ok(NamespaceAnswer {
            block: at.block,
            now: timestamp::from_seconds(at.now),
            mode: at.mode,
            namespace: namespace.to_string(),
            id,
            owner: governed.owner,
            open: governed.open,
            epoch: governed.epoch,
            proposed_owner: said.and_then(|said| said.proposed_owner),
            registrars: registrars
                .into_iter()
                .flat_map(|list| &list.items)
                .map(|registrar| Registrar {
                    account: registrar.account,
                    expires_at: timestamp::from_seconds(registrar.expires_at),
                })
                .collect(),
            registrars_total: registrars.map_or(0, |list| list.total),
        })
    })?;
    Ok(answer(&headers, &at, None, &body))
}
