//! `GET /v1/namespaces/{ns}/services/{name}/instances`

use std::{fmt, sync::LazyLock};

use api::{Consistency, Health, InstancesAnswer, Problem};
use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use domain::{Namespace, ServiceKey, TextError, text};
use utoipa::IntoParams;

use crate::{
    AppState,
    access::Reader,
    error::{Error, Kind},
    filter::FilterQuery,
    params::{Known, Params},
    peer::Peer,
    wait::Wait,
    wanted::Wanted,
};

/// Where it is.
pub(crate) const PATH: &str = "/v1/namespaces/{ns}/services/{name}/instances";

pub(crate) static KNOWN: LazyLock<Known> =
    LazyLock::new(|| Known::of::<FilterQuery>().and::<ListQuery>().and::<InstancesQuery>());

/// How many instances to answer with, and in which health.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are what `KNOWN` accepts")]
pub(crate) struct ListQuery {
    /// Live ones, which is the default; all that are listed; or all that are listed only if none is live.
    #[param(inline)]
    health: Option<Health>,
    /// How many instances to answer with.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
}

/// As of when to answer.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are what `KNOWN` accepts")]
pub(crate) struct InstancesQuery {
    /// As of which block: the head of the index, which is the default; the newest block that the chain calls safe, or
    /// finalized, that this gateway has seen as head. Leases are those of that block, and compared with its time.
    #[param(inline)]
    consistency: Option<Consistency>,
    /// A blocking query: `X-Registry-Index` of an answer. Waits until the service changes, however it does, or until `wait`
    /// is over. An index that this registry has not reached yet is of another one: the answer comes soon, with one that is
    /// valid.
    #[param(minimum = 1, format = "uint64", example = 65536)]
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
        FilterQuery,
        ListQuery,
        InstancesQuery,
    ),
    responses(
        (status = 200, description = "The instances that match", body = InstancesAnswer),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody ever registered this service", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The gateway holds no index yet or none that old, or too many wait already", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    reader: Reader,
    Path((ns, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
) -> Result<Response, Error> {
    let service = Service::parse(&ns, &name)?;
    reader.must_read(&service.namespace)?;
    let params = Params::parse(query.as_deref(), &KNOWN)?;
    let wanted = Wanted::from_params(&params)?;
    let wait = Wait::from_params(&params)?;
    if wait.is_some() && wanted.consistency != Consistency::Latest {
        let sent = wanted.consistency.as_str();
        return Err(Error::parameter("consistency", sent, "latest, where index is given", "it does not go with index"));
    }
    // Without a board it says below why there is no answer.
    if let Some((wait, board)) = wait.zip(state.board(&service.to_string())) {
        wait.until_changed(&state, &board, peer.as_deref()).await?;
    }
    let mut response = wanted.answer(&state, &service)?.answer(&headers);
    if wait.is_some() {
        // From a cache it would come at once.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// A service that a stranger asked for.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) namespace: Namespace,
    name: String,
}

impl Service {
    pub(crate) fn parse(ns: &str, name: &str) -> Result<Self, Error> {
        let bad = |parameter, sent, allowed, reason: TextError| {
            Error::parameter(parameter, sent, allowed, &reason.to_string())
        };
        let namespace: Namespace =
            ns.parse().map_err(|e| bad("ns", ns, "a label (a-z 0-9 . _ -) or an account (0x…)", e))?;
        text::check_name("service", name).map_err(|e| bad("name", name, "a name (a-z 0-9 . _ -)", e))?;
        Ok(Self { namespace, name: name.to_owned() })
    }

    /// Two hashes: what is ready is found without.
    pub(crate) fn key(&self) -> ServiceKey {
        ServiceKey::new(self.namespace.id(), &self.name)
    }

    /// Of a parameter that is `namespace/name`.
    pub(crate) fn named(parameter: &str, sent: &str) -> Result<Self, Error> {
        let bad = |reason: &str| Error::parameter(parameter, sent, "namespace/name, such as acme/payments", reason);
        let (namespace, name) = sent.split_once('/').ok_or_else(|| bad("it names no namespace"))?;
        let namespace: Namespace = namespace.parse().map_err(|reason: TextError| bad(&reason.to_string()))?;
        text::check_name("service", name).map_err(|reason| bad(&reason.to_string()))?;
        Ok(Self { namespace, name: name.to_owned() })
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
