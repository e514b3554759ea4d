//! `GET /v1/services`

use std::{
    ops::Bound,
    sync::{Arc, LazyLock},
};

use api::{Problem, ServiceSummary, ServicesAnswer, timestamp};
use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{Namespace, TextError, text};
use utoipa::IntoParams;

use crate::{
    AppState,
    access::Reader,
    answer::answer,
    error::Error,
    params::{Known, Params},
};

const LIMIT: usize = 1_000;
const LIMIT_DEFAULT: usize = 100;

pub(crate) static KNOWN: LazyLock<Known> = LazyLock::new(Known::of::<ServicesQuery>);

/// Which services to list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are what `KNOWN` accepts")]
pub(crate) struct ServicesQuery {
    /// Services of this namespace alone: a label, or the address of an account.
    #[param(example = "acme", pattern = "^(0x[0-9a-fA-F]{40}|[a-z0-9][a-z0-9._-]{0,62})$")]
    namespace: Option<String>,
    /// Services whose name begins with this.
    #[param(pattern = "^([a-z0-9][a-z0-9._-]{0,62})?$")]
    prefix: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many services to answer with.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// Lists services
///
/// All services that anybody ever registered an instance of, ordered by namespace and name. A page that follows another
/// may be of a later block; services that exist all along are listed exactly once. Services of namespaces that the caller
/// may not read are left out.
#[utoipa::path(
    get,
    path = "/v1/services",
    operation_id = "list_services",
    tag = "discovery",
    params(ServicesQuery),
    responses(
        (status = 200, description = "A page of services", body = ServicesAnswer),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The gateway holds no index yet", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    reader: Reader,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let params = Params::parse(query.as_deref(), &KNOWN)?;
    let namespace = params.read("namespace", "a label (a-z 0-9 . _ -) or an account", |ns| ns.parse::<Namespace>())?;
    namespace.as_ref().map_or(Ok(()), |namespace| reader.must_read(namespace))?;
    let namespace: Option<Arc<str>> = namespace.map(|ns| ns.to_string().into());
    let prefix = params.read("prefix", "the beginning of a name (a-z 0-9 . _ -)", parse_prefix)?.unwrap_or_default();
    let cursor = params.read("cursor", "next_cursor of the page before", |cursor| {
        read_cursor(cursor).ok_or("it is not one of ours")
    })?;
    let limit = params.limit(1..=LIMIT, LIMIT_DEFAULT)?;

    let (mut page, at) = state.read(|index, _| {
        let first = namespace.clone().map(|ns| (ns, Arc::from(prefix.as_str())));
        let after = match (cursor, first) {
            (Some(cursor), Some(first)) if first > cursor => Bound::Included(first),
            (Some(cursor), _) => Bound::Excluded(cursor),
            (None, Some(first)) => Bound::Included(first),
            (None, None) => Bound::Unbounded,
        };
        let services = index
            .services_after(after, namespace.as_deref(), &prefix, |namespace| reader.may_read_text(namespace))
            // One more than wanted: then there is a next page.
            .take(limit + 1)
            .map(|service| ServiceSummary {
                namespace: service.namespace.to_string(),
                name: service.name.to_string(),
                key: service.key,
                authority: index.authority(service),
                listed: service.count,
                live: service.live(),
            });
        Ok(services.collect::<Vec<_>>())
    })?;
    let more = page.len() > limit;
    page.truncate(limit);
    let body = ServicesAnswer {
        block: at.block,
        now: timestamp::from_seconds(at.now),
        mode: at.mode,
        next_cursor: page.last().filter(|_| more).map(write_cursor),
        services: page,
    };
    Ok(answer(&headers, &at, None, &body))
}

fn parse_prefix(prefix: &str) -> Result<String, TextError> {
    if !prefix.is_empty() {
        text::check_name("name", prefix)?;
    }
    Ok(prefix.to_owned())
}

/// The last service of a page. Neither part has a slash.
fn write_cursor(last: &ServiceSummary) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}/{}", last.namespace, last.name))
}

fn read_cursor(cursor: &str) -> Option<(Arc<str>, Arc<str>)> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (namespace, name) = text.split_once('/')?;
    namespace.parse::<Namespace>().ok()?;
    text::check_name("name", name).ok()?;
    Some((namespace.into(), name.into()))
}
