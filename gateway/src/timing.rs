//! `Server-Timing`, for those who ask for it.
//!
//! Who sends `X-Server-Timing: 1` is told how long the answer took the gateway. The body and its `ETag` are the same; a cache
//! keeps such an answer apart (`Vary`), so that nobody is told of another's request.

use std::{fmt::Write, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};

use crate::error::Error;

pub(crate) const ASK: HeaderName = HeaderName::from_static("x-server-timing");
const TELL: HeaderName = HeaderName::from_static("server-timing");

/// Parts of the whole that a route tells of, each by a name of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timings(Vec<(&'static str, Duration)>);

impl Timings {
    /// Adds a part to an answer.
    pub(crate) fn add(response: &mut Response, name: &'static str, took: Duration) {
        response.extensions_mut().get_or_insert_default::<Self>().0.push((name, took));
    }
}

/// Whether a request says something about it.
pub(crate) fn is_asked(headers: &HeaderMap) -> bool {
    headers.contains_key(ASK)
}

/// Whether a request asks for it.
pub(crate) fn wanted(headers: &HeaderMap) -> Result<bool, Error> {
    match headers.get(ASK).map(HeaderValue::as_bytes) {
        None | Some(b"0") => Ok(false),
        Some(b"1") => Ok(true),
        Some(other) => {
            let sent = String::from_utf8_lossy(other);
            Err(Error::parameter(ASK.as_str(), &sent, "1 or 0", "no such choice"))
        }
    }
}

/// Tells how long an answer took, in milliseconds.
pub(crate) fn tell(response: &mut Response, total: Duration) {
    let mut text = format!("total;dur={:.3}", millis(total));
    if let Some(Timings(parts)) = response.extensions().get() {
        for (name, took) in parts {
            let _ = write!(text, ", {name};dur={:.3}", millis(*took));
        }
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(TELL, value);
    }
    headers.append(header::VARY, HeaderValue::from_static("x-server-timing"));
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
