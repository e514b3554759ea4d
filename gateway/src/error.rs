//! Problems, as the routes answer them, and what keeps a gateway from running.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use api::{Problem, governance::plain_text, problem::TYPE_PREFIX};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::text::clip;

use crate::{AccessError, answer::registry_headers, freshness::At};

/// What keeps a gateway from running.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// Somebody else listens there.
    #[error("{0} is taken by another program: stop it, or give the gateway another address to listen on")]
    Taken(SocketAddr),
    /// The same, for operators.
    #[error(
        "{0} is taken by another program: stop it, or choose another address with --admin-listen (none: no metrics)"
    )]
    AdminTaken(SocketAddr),
    /// The system does not let us listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A certificate, a key or the CAs of clients cannot be used.
    #[error("TLS cannot use {}: {reason}", .file.display())]
    Tls {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The database URL is none.
    #[error("the database URL cannot be read: {0}; it must look like postgres://user:password@host:5432/rollcall")]
    DatabaseUrl(store::StoreError),
    /// Nobody said who may ask, or what says so cannot be read.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The snapshot on disk would be in no folder.
    #[error("a snapshot cannot be kept at {0:?}: it must be a file in a folder that exists")]
    Snapshot(PathBuf),
    /// A bug: the feed or the server ended by itself.
    #[error("the gateway's {0} ended unexpectedly")]
    Ended(&'static str),
}

/// The kinds of problem. docs/errors.md explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadRequest,
    BadParameter,
    UnknownParameter,
    BadBody,
    Unauthorized,
    Forbidden,
    UnknownRoute,
    UnknownService,
    UnknownInstance,
    UnknownNamespace,
    MethodNotAllowed,
    BodyTooLarge,
    UnsupportedMediaType,
    TooManyRequests,
    Internal,
    NotImplemented,
    NotReady,
    RegistrationRefused,
    RelayExhausted,
    RelayUnavailable,
    Timeout,
    TooManyWatches,
    NotYet,
    Busy,
    DatabaseAway,
}

impl Kind {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 25] = [
        Self::BadRequest,
        Self::BadParameter,
        Self::UnknownParameter,
        Self::BadBody,
        Self::Unauthorized,
        Self::Forbidden,
        Self::UnknownRoute,
        Self::UnknownService,
        Self::UnknownInstance,
        Self::UnknownNamespace,
        Self::MethodNotAllowed,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::TooManyRequests,
        Self::Internal,
        Self::NotImplemented,
        Self::NotReady,
        Self::RegistrationRefused,
        Self::RelayExhausted,
        Self::RelayUnavailable,
        Self::Timeout,
        Self::TooManyWatches,
        Self::NotYet,
        Self::Busy,
        Self::DatabaseAway,
    ];

    /// The word in `type`, the title, the status.
    pub(crate) fn parts(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::BadRequest => ("bad-request", "The request cannot be read", StatusCode::BAD_REQUEST),
            Self::BadParameter => ("bad-parameter", "A parameter is not valid", StatusCode::BAD_REQUEST),
            Self::UnknownParameter => ("unknown-parameter", "There is no such parameter", StatusCode::BAD_REQUEST),
            Self::BadBody => ("bad-body", "The body is not valid", StatusCode::BAD_REQUEST),
            Self::Unauthorized => ("unauthorized", "The gateway does not know who asks", StatusCode::UNAUTHORIZED),
            Self::Forbidden => ("forbidden", "Who asks may not read this", StatusCode::FORBIDDEN),
            Self::UnknownRoute => ("unknown-route", "There is no such resource", StatusCode::NOT_FOUND),
            Self::UnknownService => ("unknown-service", "Nobody ever registered this service", StatusCode::NOT_FOUND),
            Self::UnknownInstance => ("unknown-instance", "Nobody registered this instance", StatusCode::NOT_FOUND),
            Self::UnknownNamespace => ("unknown-namespace", "Nobody claimed this namespace", StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => {
                ("method-not-allowed", "The resource does not have this method", StatusCode::METHOD_NOT_ALLOWED)
            }
            Self::BodyTooLarge => ("body-too-large", "The body is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => {
                ("unsupported-media-type", "The body is not JSON", StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            Self::TooManyRequests => ("too-many-requests", "The client asks too often", StatusCode::TOO_MANY_REQUESTS),
            Self::Internal => ("internal", "The gateway has a bug", StatusCode::INTERNAL_SERVER_ERROR),
            Self::NotImplemented => ("not-implemented", "This gateway does not do that", StatusCode::NOT_IMPLEMENTED),
            Self::RegistrationRefused => ("registration-refused", "The registration is refused", StatusCode::CONFLICT),
            Self::RelayExhausted => {
                ("relay-exhausted", "The gateway may spend no more on registrations", StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::RelayUnavailable => {
                ("relay-unavailable", "The gateway cannot send it now", StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::NotReady => ("not-ready", "The gateway cannot answer yet", StatusCode::SERVICE_UNAVAILABLE),
            Self::TooManyWatches => {
                ("too-many-watches", "Too many wait for changes already", StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::NotYet => ("not-yet", "The gateway does not know that far back", StatusCode::SERVICE_UNAVAILABLE),
            Self::Timeout => ("timeout", "The request took too long", StatusCode::SERVICE_UNAVAILABLE),
            Self::Busy => ("busy", "Too many ask at the same time", StatusCode::SERVICE_UNAVAILABLE),
            Self::DatabaseAway => ("database-away", "The database does not answer", StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// A problem on its way to the client.
#[derive(Debug)]
pub(crate) struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    problem: Problem,
    at: Option<At>,
    retry_after: Option<u64>,
}

impl Error {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (word, title, status) = kind.parts();
        let problem = Problem {
            kind: format!("{TYPE_PREFIX}{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: plain_text(detail.into().as_bytes()),
            parameter: None,
            sent: None,
            allowed: None,
        };
        let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self(Box::new(Inner { problem, at: None, retry_after }))
    }

    /// A parameter with a value that is not allowed; `reason` says why.
    pub(crate) fn parameter(name: &str, sent: &str, allowed: &str, reason: &str) -> Self {
        let mut error = Self::new(Kind::BadParameter, format!("parameter {name}: {reason}; allowed: {allowed}"));
        let problem = &mut error.0.problem;
        problem.parameter = Some(name.to_owned());
        problem.sent = Some(clip(sent));
        problem.allowed = Some(allowed.to_owned());
        error
    }

    /// A field of the body that cannot be read; `reason` says why.
    pub(crate) fn field(path: &str, reason: &str) -> Self {
        let path = clip(path);
        let mut error = Self::new(Kind::BadBody, format!("field {path}: {reason}"));
        error.0.problem.parameter = Some(path);
        error
    }

    /// A parameter that the route does not have.
    pub(crate) fn unknown_parameter(name: &str, allowed: &str) -> Self {
        let name = clip(name);
        let detail = format!("there is no parameter {name:?} here; allowed: {allowed}");
        let mut error = Self::new(Kind::UnknownParameter, detail);
        error.0.problem.parameter = Some(name);
        error.0.problem.allowed = Some(allowed.to_owned());
        error
    }

    /// Says when to ask again: in whole seconds, and no sooner.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
        self
    }

    /// Says as of which block this is so.
    pub(crate) fn at(mut self, at: At) -> Self {
        self.0.at = Some(at);
        self
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let Inner { problem, at, retry_after } = *self.0;
        let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(at) = at {
            registry_headers(headers, &at);
        }
        response
    }
}
