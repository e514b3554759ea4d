//! `GET /v1/namespaces/{ns}/services/{name}/instances`

use std::{collections::HashMap, fmt, sync::Arc};

use api::{Consistency, Health, InstancesAnswer, Mode, Observed, Problem};
use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use domain::{Namespace, ServiceKey, text};
use utoipa::IntoParams;

use super::filter::Filter;
use crate::{
    AppState,
    answer::{self, written},
    board::Ready,
    error::{Error, Kind},
    freshness::At,
    params::{Known, Params},
    peer::Peer,
    service::{Instance, Member},
    wait::Wait,
};

const LIMIT: usize = 1_000;

pub(crate) const KNOWN: Known = Known {
    once: &["health", "version", "zone", "region", "limit", "consistency", "index", "wait"],
    repeated: &["tag", "meta."],
    words: "health, version, tag, zone, region, meta.<key>, limit, consistency, index, wait",
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
    /// As of which block: the head of the index, which is the default; the newest block that the chain calls safe, or
    /// finalized, that this gateway has seen as head. Leases are those of that block, and compared with its time.
    #[param(inline)]
    consistency: Option<Consistency>,
    /// A blocking query: `X-Registry-Index` of an answer. Waits until the service changes, however it does, or until `wait`
    /// is over. An index that this registry has not reached yet is of another one: the answer comes soon, with one that is
    /// valid.
    #[param(minimum = 1, example = 65536)]
    index: Option<u64>,
    /// How long a blocking query may take, such as `30s` or `5m`; up to a sixteenth more, lest all come back at once.
    #[param(example = "30s", pattern = "^[1-9][0-9]*(ms|s|m)$", default = "5m")]
    wait: Option<String>,
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
    Path((ns, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
) -> Result<Response, Error> {
    let path = format!("{ns}/{name}");
    if query.is_none()
        && let Some(ready) = ready(&state, &path, Health::Healthy)
    {
        return Ok(ready.answer(&headers));
    }
    let service = Service::parse(&ns, &name)?;
    let params = Params::parse(query.as_deref(), KNOWN)?;
    let wanted = Wanted::from_params(&params)?;
    let wait = Wait::from_params(&params)?;
    if wait.is_some() && wanted.consistency != Consistency::Latest {
        let sent = wanted.consistency.as_str();
        return Err(Error::parameter("consistency", sent, "latest, where index is given", "it does not go with index"));
    }
    if let Some(wait) = wait {
        let board = state.board(&service.to_string()).ok_or_else(|| service.unknown())?;
        wait.until_changed(&state, &board, peer.as_deref()).await?;
    }
    wanted.answer(&state, &service).map(|found| found.answer(&headers))
}

/// An answer, and what it is true at.
pub(crate) struct Found {
    pub(crate) ready: Arc<Ready>,
    pub(crate) at: At,
}

impl Found {
    fn answer(&self, request: &HeaderMap) -> Response {
        answer::ready(request, &self.at, &self.ready)
    }
}

/// The plain answer of a service, if it is ready.
fn ready(state: &AppState, path: &str, health: Health) -> Option<Found> {
    let (at, board) = (state.at()?, state.board(path)?);
    Some(Found { ready: board.ready(health, at.mode, at.now)?, at })
}

/// Which instances of a service are wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    consistency: Consistency,
    health: Health,
    filter: Filter,
    limit: usize,
}

impl Wanted {
    pub(crate) fn from_params(params: &Params) -> Result<Self, Error> {
        let (health, filter) = (params.health()?, Filter::from_params(params)?);
        let consistency = params.consistency()?;
        Ok(Self { consistency, health, filter, limit: params.limit(1..=LIMIT, LIMIT)? })
    }

    /// Whether the answer is worth to be kept: others will ask for it.
    pub(crate) fn is_plain(&self) -> bool {
        self.filter.is_plain() && self.limit == LIMIT
    }

    pub(crate) fn answer(&self, state: &AppState, service: &Service) -> Result<Found, Error> {
        if self.consistency != Consistency::Latest {
            return self.answer_as_of(state, service);
        }
        if self.is_plain()
            && let Some(ready) = ready(state, &service.to_string(), self.health)
        {
            return Ok(ready);
        }
        let (ready, at) = state.read(|index, at| {
            let service = index.service(service.key).ok_or_else(|| service.unknown())?;
            let (health, mut chosen) = self.choose(service, at.now);
            let matched = chosen.len() as u64;
            chosen.truncate(self.limit);
            let mode = if at.mode == Mode::Normal && service.is_preserved() { Mode::Preserved } else { at.mode };
            let body = InstancesAnswer {
                namespace: service.namespace.to_string(),
                service: service.name.to_string(),
                block: at.block,
                mode,
                health,
                matched,
                instances: chosen.iter().map(|member| member.served(at.now)).collect(),
            };
            let expiry = first_expiry(chosen.iter().map(|member| &*member.instance), at.now);
            let members = chosen.into_iter().cloned().collect();
            let ready = Ready::new(mode, expiry, written(&body)?);
            let ready = Arc::new(ready.of_service(service.board.index(), at.mode, service.due(), members));
            if self.is_plain() {
                service.board.keep(self.health, Arc::clone(&ready));
            }
            Ok(ready)
        })?;
        Ok(Found { ready, at })
    }

    /// The answer as it was at a block that is final, or as good as final: with the leases of then, at the time of then.
    fn answer_as_of(&self, state: &AppState, service: &Service) -> Result<Found, Error> {
        let (ready, at) = state.read(|index, at| {
            let height = if self.consistency == Consistency::Finalized { at.finalized } else { at.safe };
            let Some(block) = index.head_at(height) else {
                let first = index.first_head().unwrap_or_default();
                let detail = format!(
                    "the chain calls block {height} {}, and this gateway has seen it from block {first} on: until that is \
                     {0}, ask another gateway, or for latest",
                    self.consistency.as_str()
                );
                return Err(Error::new(Kind::NotYet, detail));
            };
            let known = index.service(service.key).ok_or_else(|| service.unknown())?;
            if known.past.from() > block.number {
                return Err(Error::new(Kind::NotYet, "the service changed too often since: ask for latest"));
            }
            let then = u64::try_from(block.time.unix_timestamp()).unwrap_or_default();
            let mut chosen = known.at(block.number);
            chosen.retain(|instance| self.filter.matches(instance));
            let live = |instance: &Arc<Instance>| instance.lease.is_live(then);
            let health = match self.health {
                Health::HealthyOrElseAll if !chosen.iter().any(live) => Health::All,
                Health::HealthyOrElseAll => Health::Healthy,
                asked => asked,
            };
            if health == Health::Healthy {
                chosen.retain(live);
            }
            let matched = chosen.len() as u64;
            chosen.truncate(self.limit);
            let body = InstancesAnswer {
                namespace: known.namespace.to_string(),
                service: known.name.to_string(),
                block,
                mode: at.mode,
                health,
                matched,
                instances: chosen.iter().map(|instance| instance.served(live(instance), Observed::default())).collect(),
            };
            Ok((Arc::new(Ready::new(at.mode, None, written(&body)?)), block, then))
        })?;
        let (ready, block, now) = ready;
        Ok(Found { ready, at: At { block, now, head_time: now, ..at } })
    }

    /// The instances to answer with, the doubtful ones last, and what they are.
    pub(crate) fn choose<'a>(&self, service: &'a crate::service::Service, now: u64) -> (Health, Vec<&'a Member>) {
        let mut matching: Vec<&Member> =
            service.members().filter(|member| self.filter.matches(&member.instance)).collect();
        matching.sort_by_key(|member| member.rank(now));
        let health = match self.health {
            Health::HealthyOrElseAll if !matching.iter().any(|member| member.serves()) => Health::All,
            Health::HealthyOrElseAll => Health::Healthy,
            asked => asked,
        };
        if health == Health::Healthy {
            matching.retain(|member| member.serves());
        }
        (health, matching)
    }
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
    namespace: Namespace,
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
        Error::new(Kind::UnknownService, format!("nobody ever registered an instance of {self}"))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
