//! Answers and their headers.

use std::{
    cell::RefCell,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use api::Mode;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body::Frame;
use serde::Serialize;

use crate::{
    board::Ready,
    encoding::Encoding,
    error::{Error, Kind},
    freshness::At,
};

pub(crate) const BLOCK: HeaderName = HeaderName::from_static("x-registry-block");
pub(crate) const HEAD_AGE: HeaderName = HeaderName::from_static("x-registry-head-age");
/// The index of a service: give it back as `index` to wait for the next change.
pub(crate) const INDEX: HeaderName = HeaderName::from_static("x-registry-index");
/// Chain time in seconds since 1970.
pub(crate) const NOW: HeaderName = HeaderName::from_static("x-registry-now");
pub(crate) const MODE: HeaderName = HeaderName::from_static("x-registry-mode");

/// The longest that a cache may keep an answer, in seconds: a new instance is seen after that at the latest.
const MAX_AGE: u64 = 5;

/// The longest that a cache may keep an answer that is not given in mode `normal`.
const MAX_AGE_DEGRADED: u64 = 1;

/// How many headers an answer has room for before it has to move them.
const HEADERS: usize = 24;

/// The block, its age and the mode. No value of them comes from a stranger.
pub(crate) fn registry_headers(headers: &mut HeaderMap, at: &At) {
    let [block, head_age, now] =
        STAMP.with_borrow_mut(|stamp| stamp.write([at.block.number, at.head_age.as_secs(), at.now]));
    headers.insert(BLOCK, block);
    headers.insert(HEAD_AGE, head_age);
    headers.insert(NOW, now);
    headers.insert(MODE, HeaderValue::from_static(at.mode.as_str()));
}

thread_local! {
    static STAMP: RefCell<Stamp> = RefCell::default();
}

/// Numbers as they were written last: thousands of answers have the same.
#[derive(Default)]
struct Stamp([Option<(u64, HeaderValue)>; 3]);

impl Stamp {
    fn write(&mut self, numbers: [u64; 3]) -> [HeaderValue; 3] {
        let mut last = self.0.iter_mut();
        numbers.map(|number| match last.next() {
            Some(Some((known, value))) if *known == number => value.clone(),
            Some(slot) => slot.insert((number, number.into())).1.clone(),
            None => number.into(),
        })
    }
}

/// An answer out of the index. A cache may keep it until the first of the live leases in it ends, but not for long.
pub(crate) fn answer(request: &HeaderMap, at: &At, first_expiry: Option<u64>, body: &impl Serialize) -> Response {
    match written(body) {
        Ok(bytes) => ready(request, at, &Ready::new(at.mode, first_expiry, bytes)),
        Err(error) => error.into_response(),
    }
}

/// An answer that is ready: its bytes as the client accepts them, or that it has them already.
pub(crate) fn ready(request: &HeaderMap, at: &At, ready: &Ready) -> Response {
    let (body, encoding) = ready.encoded(Encoding::accepted(request));
    let known = request.get_all(header::IF_NONE_MATCH).iter().any(|tags| ready.is_known(tags, encoding));
    let mut response = Response::new(if known { Body::new(Unsaid) } else { Body::from(body) });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    registry_headers(headers, &At { mode: ready.mode, ..*at });
    if let Some(index) = &ready.index_header {
        headers.insert(INDEX, index.clone());
    }
    headers.insert(header::ETAG, ready.tag(encoding).clone());
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CACHE_CONTROL, max_age(at, ready));
    if !known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        encoding.header().map(|value| headers.insert(header::CONTENT_ENCODING, value));
    }
    response
}

/// No body, of a length that is not told: that of a 304 is none of nothing, but would be that of the answer which is not sent.
struct Unsaid;

impl http_body::Body for Unsaid {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }
}

fn max_age(at: &At, ready: &Ready) -> HeaderValue {
    // A cache has no chain time of its own: the next block may end a lease that by now still runs.
    let (most, from) = if ready.mode == Mode::Normal { (MAX_AGE, at.next) } else { (MAX_AGE_DEGRADED, at.now) };
    HeaderValue::from_static(match ready.first_expiry.map_or(most, |expiry| expiry.saturating_sub(from).min(most)) {
        0 => "public, max-age=0",
        1 => "public, max-age=1",
        2 => "public, max-age=2",
        3 => "public, max-age=3",
        4 => "public, max-age=4",
        _ => "public, max-age=5",
    })
}

/// A body as JSON.
pub(crate) fn written(body: &impl Serialize) -> Result<Bytes, Error> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written as JSON");
        Error::new(Kind::Internal, "the answer cannot be written as JSON")
    })
}

/// JSON that no cache may keep.
pub(crate) fn json(body: &impl Serialize) -> Response {
    match written(body) {
        Ok(bytes) => {
            ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], bytes).into_response()
        }
        Err(error) => error.into_response(),
    }
}
