//! `GET /v1/namespaces/{ns}/services/{name}/instances`

use std::collections::HashMap;

use api::{Health, InstancesAnswer, Problem, timestamp};
use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};
use domain::{Namespace, ServiceKey, text};
use utoipa::IntoParams;

use super::filter::Filter;
use crate::{
    AppState,
    access::Reader,
    answer::answer,
    error::{Error, Kind},
    index::Instance,
    params::{Known, Params},
};

const LIMIT: usize = 1_000;

pub(crate) const KNOWN: Known = Known {
    once: &["health", "version", "zone", "region", "limit"],
    repeated: &["tag", "meta."],
    words: "health, version, tag, zone, region, meta.<key>, limit",
};

/// Which instances to answer with. All conditions must hold.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what `KNOWN` accepts")]
pub(crate) struct InstancesQuery {
    /// Live ones, which is the default; all that are listed; or all that are listed only if none is live.
    #[param(inline)]
    health: Option<Health>,
    /// A range of semantic versions: `1.2` and `^1.2` mean at least 1.2 and less than 2. An instance whose version is no
    /// semantic version does not match.
    #[param(example = "^1.2")]
    version: Option<String>,
    /// Claimed: `tags` has this one. May be given more than once.
    tag: Option<Vec<String>>,
    /// Claimed: `zone` is this.
    zone: Option<String>,
    /// Claimed: `region` is this.
    region: Option<String>,
    /// `meta.<key>=<value>`; claimed: this key of the metadata has this value, be it a text, a number or a truth value.
    /// May be given more than once.
    #[param(style = Form, explode, value_type = Option<Object>)]
    meta: Option<HashMap<String, String>>,
    /// How many instances to answer with.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
}

/// Lists the instances of a service
///
/// By default the live ones. A service that was never registered is unknown (404); one that is known and has no live
/// instances answers with an empty list.
#[utoipa::path(
    get,
    path = "/v1/namespaces/{ns}/services/{name}/instances",
    operation_id = "list_instances",
    tag = "discovery",
    params(
        (
            "ns" = String, Path, description = "A label, or the address of an account", example = "acme",
            pattern = "^(0x[0-9a-fA-F]{40}|[a-z0-9][a-z0-9._-]{0,62})$",
        ),
        ("name" = String, Path, description = "The name of the service", example = "payments", pattern = "^[a-z0-9][a-z0-9._-]{0,62}$"),
        InstancesQuery,
    ),
    responses(
        (status = 200, description = "The instances that match", body = InstancesAnswer),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody ever registered this service", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The gateway holds no index yet", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    reader: Reader,
    Path((ns, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    let service = Service::parse(&ns, &name)?;
    reader.must_read(&service.namespace)?;
    let params = Params::parse(query.as_deref(), KNOWN)?;
    let health = params.health()?;
    let filter = Filter::from_params(&params)?;
    let limit = params.limit(1..=LIMIT, LIMIT)?;

    let (found, at) = state.read(|index, at| {
        let service = index.service(service.key).ok_or_else(|| service.unknown())?;
        let matching: Vec<&Instance> = service.listed().filter(|instance| filter.matches(instance)).collect();
        let live = |instance: &&&Instance| instance.lease.is_live(at.now);
        let (health, chosen) = match health {
            Health::All => (Health::All, matching),
            Health::HealthyOrElseAll if !matching.iter().any(|instance| live(&instance)) => (Health::All, matching),
            Health::Healthy | Health::HealthyOrElseAll => {
                (Health::Healthy, matching.iter().filter(live).copied().collect())
            }
        };
        let body = InstancesAnswer {
            namespace: service.namespace.to_string(),
            service: service.name.to_string(),
            block: at.block,
            now: timestamp::from_seconds(at.now),
            mode: at.mode,
            health,
            matched: chosen.len() as u64,
            instances: chosen.iter().take(limit).map(|instance| instance.served(at.now)).collect(),
        };
        Ok((body, first_expiry(chosen.into_iter().take(limit), at.now)))
    })?;
    let (body, first_expiry) = found;
    Ok(answer(&at, first_expiry, &body))
}

/// When the first of the live leases ends.
pub(crate) fn first_expiry<'a>(instances: impl IntoIterator<Item = &'a Instance>, now: u64) -> Option<u64> {
    let live = instances.into_iter().filter(|instance| instance.lease.is_live(now));
    live.map(|instance| instance.lease.expires_at()).min()
}

/// A service that a stranger asked for.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) key: ServiceKey,
    pub(crate) namespace: Namespace,
    name: String,
}

impl Service {
    pub(crate) fn parse(ns: &str, name: &str) -> Result<Self, Error> {
        let bad = |parameter, sent, allowed, reason: domain::TextError| {
            Error::parameter(parameter, sent, allowed, &reason.to_string())
        };
        let namespace: Namespace =
            ns.parse().map_err(|e| bad("ns", ns, "a label (a-z 0-9 . _ -) or an account (0x…)", e))?;
        text::check_name("service", name).map_err(|e| bad("name", name, "a name (a-z 0-9 . _ -)", e))?;
        Ok(Self { key: ServiceKey::new(namespace.id(), name), namespace, name: name.to_owned() })
    }

    pub(crate) fn unknown(&self) -> Error {
        let Self { namespace, name, .. } = self;
        Error::new(Kind::UnknownService, format!("nobody ever registered an instance of {namespace}/{name}"))
    }
}
