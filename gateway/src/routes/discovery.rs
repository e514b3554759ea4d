//! `POST /v1/discovery/services`: the open discovery API

use api::{
    DiscoveryAnswer, DiscoveryInstance, DiscoveryQuery, Endpoint, Mode, Problem, discovery::PerformanceMetrics,
    timestamp,
};
use axum::{
    body::Bytes,
    extract::{RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::text::clip;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::instances::Service;
use crate::{
    AppState,
    access::Reader,
    answer::answer,
    error::{Error, Kind},
    filter::Filter,
    freshness::At,
    params::{self, Params},
    service::Member,
    surround::MAX_BODY,
    wanted::first_expiry,
};

/// The most instances of an answer.
const LIMIT: usize = 1_000;

/// Finds instances
///
/// The live instances of a service that claim to meet all constraints. An instance that claims nothing about a
/// constraint does not meet it.
#[utoipa::path(
    post,
    path = "/v1/discovery/services",
    operation_id = "discover",
    tag = "open discovery",
    request_body = DiscoveryQuery,
    responses(
        (status = 200, description = "The live instances that match", body = DiscoveryAnswer),
        (status = 400, description = "The body is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody ever registered this service", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The gateway holds no index yet", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn discover(
    State(state): State<AppState>,
    reader: Reader,
    RawQuery(query): RawQuery,
    mut headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    // For GET and HEAD alone (RFC 9110, 13.1.2).
    headers.remove(header::IF_NONE_MATCH);
    Params::parse(query.as_deref(), &params::NONE)?;
    let query = read_body(&headers, body)?;
    let service = Service::named("service_name", &query.service_name)?;
    reader.must_read(&service.namespace)?;
    let filter = Filter::from_constraints(query.constraints)?;

    let ((instances, mode, first_expiry), at) = state.read(|index, at| {
        let service = index.service(service.key()).ok_or_else(|| service.unknown())?;
        let mut found: Vec<&Member> =
            service.members().filter(|member| member.serves() && filter.matches(&member.instance)).collect();
        found.sort_by_cached_key(|member| (member.rank(at.now), filter.nearness(&member.instance)));
        found.truncate(LIMIT);
        let mode = if at.mode == Mode::Normal && service.is_preserved() { Mode::Preserved } else { at.mode };
        let shaped = found.iter().map(|member| shape(member, at.now)).collect();
        Ok((shaped, mode, first_expiry(found.iter().map(|member| &*member.instance), at.now)))
    })?;
    let now = timestamp::from_seconds(at.now);
    let at = At { mode, ..at };
    Ok(answer(&headers, &at, first_expiry, &DiscoveryAnswer { block: at.block, now, mode, instances }))
}

fn read_body(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<DiscoveryQuery, Error> {
    let bytes = json_body(headers, body)?;
    let query = from_json(&bytes)?;
    // serde also reads an object's fields from a list, one by one.
    match list_in(&serde_json::from_slice(&bytes).map_err(bad_body)?, "") {
        Some(path) => Err(Error::field(&path, "there is a list where an object is expected")),
        None => Ok(query),
    }
}

/// The bytes of a body that says that it is JSON.
pub(super) fn json_body(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<Bytes, Error> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        let detail = format!("the content-type is {:?}; send application/json", clip(media_type));
        return Err(Error::new(Kind::UnsupportedMediaType, detail));
    }
    body.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(Kind::BodyTooLarge, format!("the body may have {MAX_BODY} bytes")),
        _ => Error::new(Kind::BadBody, "the body broke off"),
    })
}

/// A body, or which of its fields is wrong.
pub(super) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| match error.path().iter().next() {
        Some(_) => Error::field(&error.path().to_string(), &clip_long(&error.inner().to_string())),
        None => bad_body(error.into_inner()),
    })?;
    json.end().map_err(bad_body)?;
    Ok(value)
}

/// What the parser says.
pub(super) fn bad_body(error: serde_json::Error) -> Error {
    Error::new(Kind::BadBody, clip_long(&error.to_string()))
}

/// Where the first list is; `path` is where the value is.
fn list_in(value: &Value, path: &str) -> Option<String> {
    match value {
        Value::Array(_) => Some(path.trim_start_matches('.').to_owned()),
        Value::Object(fields) => fields.iter().find_map(|(name, field)| list_in(field, &format!("{path}.{name}"))),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What the parser says, with names that a stranger chose in it: clipped, but with room for what is allowed.
pub(super) fn clip_long(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn shape(member: &Member, now: u64) -> DiscoveryInstance {
    let instance = &member.instance;
    let uri = instance.endpoints().iter().find_map(Endpoint::uri);
    let (address, port) = uri.map(host_and_port).unwrap_or_default();
    DiscoveryInstance {
        id: instance.id(),
        address,
        port,
        metadata: instance.claims().cloned(),
        health_status: if member.is_suspect() { "suspect" } else { "healthy" }.to_owned(),
        performance_metrics: PerformanceMetrics {
            heartbeat_age_s: now.saturating_sub(instance.lease.last_heartbeat),
            expires_at: timestamp::from_seconds(instance.lease.expires_at()),
            latency_ms: instance.claims().and_then(|claims| claims.get("latency_ms")?.as_f64()),
        },
    }
}

/// The host and the port of `https://host:port/…` or `host:port`, as far as they are there.
pub(crate) fn host_and_port(endpoint: &str) -> (Option<String>, Option<u16>) {
    let url = match endpoint.contains("://") {
        true => Url::parse(endpoint).ok(),
        // `mailto:x@y` is no host with a port.
        false => Url::parse(&format!("tcp://{endpoint}")).ok().filter(|url| url.username().is_empty()),
    };
    let host = url.as_ref().and_then(Url::host_str).filter(|host| !host.is_empty());
    let Some((url, host)) = url.as_ref().zip(host) else { return (None, None) };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (Some(bare.to_owned()), url.port_or_known_default())
}
