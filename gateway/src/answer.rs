//! Answers and their headers.

use api::Mode;
use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    error::{Error, Kind},
    freshness::At,
};

pub(crate) const BLOCK: HeaderName = HeaderName::from_static("x-registry-block");
pub(crate) const HEAD_AGE: HeaderName = HeaderName::from_static("x-registry-head-age");
pub(crate) const MODE: HeaderName = HeaderName::from_static("x-registry-mode");

/// The longest that a cache may keep an answer, in seconds: a new instance is seen after that at the latest.
const MAX_AGE: u64 = 5;

/// The longest that a cache may keep an answer that is not given in mode `normal`.
const MAX_AGE_DEGRADED: u64 = 1;

/// The block, its age and the mode. No value of them comes from a stranger.
pub(crate) fn registry_headers(headers: &mut HeaderMap, at: &At) {
    headers.insert(BLOCK, at.block.number.into());
    headers.insert(HEAD_AGE, at.head_age.as_secs().into());
    headers.insert(MODE, HeaderValue::from_static(at.mode.as_str()));
}

/// An answer out of the index. A cache may keep it until the first of the live leases in it ends, but not for long.
pub(crate) fn answer(at: &At, first_expiry: Option<u64>, body: &impl Serialize) -> Response {
    let max_age = match at.mode {
        Mode::Normal => MAX_AGE,
        Mode::Preserved | Mode::Stale => MAX_AGE_DEGRADED,
    };
    let max_age = first_expiry.map_or(max_age, |expiry| expiry.saturating_sub(at.now).min(max_age));
    let mut response = json(body);
    let headers = response.headers_mut();
    registry_headers(headers, at);
    if let Ok(value) = HeaderValue::try_from(format!("public, max-age={max_age}")) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    response
}

/// JSON that no cache may keep.
pub(crate) fn json(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => {
            ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], bytes).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            Error::new(Kind::Internal, "the answer cannot be written as JSON").into_response()
        }
    }
}
