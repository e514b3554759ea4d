//! What stands before the routes: lets a request in as somebody, or answers why not.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{FromRequestParts, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::Namespace;

use super::{
    Access,
    audit::Refused,
    identity::Identity,
    lasting::{Credentials, LATE},
    refusal::{Reason, Refusal},
};
use crate::{
    AppState,
    error::{Error, Kind},
    peer::Peer,
    rate::Limiter as AddressLimiter,
};

/// Who asks, for the handlers: an extension of each request.
#[derive(Debug, Clone)]
pub(crate) struct Reader(Option<Arc<Identity>>);

impl Reader {
    /// Whether the namespace may be read.
    pub(crate) fn may_read(&self, namespace: &Namespace) -> bool {
        self.0.as_ref().is_none_or(|identity| identity.namespaces.has(namespace))
    }

    /// The same for a namespace as the index writes it.
    pub(crate) fn may_read_text(&self, namespace: &str) -> bool {
        self.0.as_ref().is_none_or(|identity| identity.namespaces.has_text(namespace))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// How long to wait, if this is one too many.
    pub(crate) fn count(&self) -> Result<(), Duration> {
        self.0.as_ref().map_or(Ok(()), |identity| identity.count())
    }

    /// An answer to somebody is no answer to anybody: caches that several share must not keep it.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        if self.0.is_none() {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_name(header::AUTHORIZATION));
        let public = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok()?.strip_prefix("public"));
        if let Some(value) = public.and_then(|rest| HeaderValue::try_from(format!("private{rest}")).ok()) {
            headers.insert(header::CACHE_CONTROL, value);
        }
    }

    /// Refuses a namespace that may not be read.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub(crate) fn must_read(&self, namespace: &Namespace) -> Result<(), Error> {
        if self.may_read(namespace) { Ok(()) } else { Err(forbidden()) }
    }

    /// The same for a namespace as the index writes it.
    ///
    /// # Errors
    /// [`Kind::Forbidden`].
    pub(crate) fn must_read_text(&self, namespace: &str) -> Result<(), Error> {
        if self.may_read_text(namespace) { Ok(()) } else { Err(forbidden()) }
    }
}

impl Access {
    /// Who asks, if that is certain and they may read the namespace. Nobody is told, and nothing counted.
    pub(crate) fn find(&self, headers: &HeaderMap, peer: &Peer, namespace: &str) -> Option<Reader> {
        if self.is_public() {
            return Some(Reader(None));
        }
        let reader = Reader(Some(self.identify(headers, Some(peer)).ok()?));
        reader.may_read_text(namespace).then_some(reader)
    }
}

fn forbidden() -> Error {
    Error::new(Kind::Forbidden, Reason::Namespace.detail())
}

/// Fails where nobody has decided who asks: a route without a guard shows nothing.
impl<S: Sync> FromRequestParts<S> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let unguarded = || Error::new(Kind::Internal, "nobody has decided who asks");
        parts.extensions.get::<Self>().cloned().ok_or_else(unguarded)
    }
}

/// Routes that answer strangers: probes, and the public contract of the API.
pub(super) fn is_open(route: &str) -> bool {
    matches!(route, "/livez" | "/readyz" | "/openapi.json" | "/docs") || route.starts_with("/docs/")
}

/// Decides about each request before its route sees it. Whoever is known may ask as often as their own limit says; the others
/// of an address together, as often as `limiter` says.
pub(crate) async fn guard(
    state: &AppState,
    access: &Access,
    limiter: Option<&AddressLimiter>,
    route: &str,
    mut request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let peer = request.extensions().get::<Peer>().cloned();
    let refused = |reason, identity: Option<&Identity>| {
        state.telemetry().refused(reason);
        access.audit().refused(&Refused { reason, identity, peer: peer.as_ref(), method: &method, route });
    };
    let stranger = |request: &Request| match limiter.map_or(Ok(()), |limiter| limiter.admit(request)) {
        Ok(()) => None,
        Err(error) => {
            refused(Reason::TooFast, None);
            Some(error.into_response())
        }
    };
    if access.is_public() || is_open(route) {
        if let Some(problem) = stranger(&request) {
            return problem;
        }
        request.extensions_mut().insert(Reader(None));
        return next.run(request).await;
    }
    let identity = match admit(access, request.headers(), peer.as_ref()) {
        Ok(identity) => identity,
        Err((Refusal { reason, identity }, wait)) => {
            if wait.is_none()
                && let Some(problem) = stranger(&request)
            {
                return problem;
            }
            refused(reason, identity.as_deref());
            return problem(reason, wait);
        }
    };
    let reader = Reader(Some(Arc::clone(&identity)));
    request.extensions_mut().insert(reader.clone());
    let credentials = Credentials::of(&request, peer.clone());
    let began = state.clock().monotonic();
    let mut response = next.run(request).await;
    if state.clock().monotonic().saturating_sub(began) > LATE
        && let Err(reason) = credentials.still(access, &identity)
    {
        refused(reason, Some(&identity));
        return if reason == Reason::Namespace { forbidden().into_response() } else { problem(reason, None) };
    }
    if response.status() == StatusCode::FORBIDDEN {
        refused(Reason::Namespace, Some(&identity));
    }
    reader.mark(response.headers_mut());
    credentials.keep(access, identity, response)
}

/// Who it is, if they may ask just now; else why not, and how long to wait.
fn admit(
    access: &Access,
    headers: &HeaderMap,
    peer: Option<&Peer>,
) -> Result<Arc<Identity>, (Refusal, Option<Duration>)> {
    let identity = access.identify(headers, peer).map_err(|refusal| (refusal, None))?;
    match identity.count() {
        Ok(()) => Ok(identity),
        Err(wait) => Err((Refusal { reason: Reason::TooFast, identity: Some(identity) }, Some(wait))),
    }
}

fn problem(reason: Reason, wait: Option<Duration>) -> Response {
    let Some(wait) = wait else {
        let mut response = Error::new(Kind::Unauthorized, reason.detail()).into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(reason.challenge()));
        return response;
    };
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let mut response = Error::new(Kind::TooManyRequests, reason.detail()).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, seconds.max(1).into());
    response
}

/// The token of the one header `Authorization: Bearer …`; none if there is no such header.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Reason> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let value = match (all.next(), all.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| Reason::Malformed)?,
        (Some(_), Some(_)) => return Err(Reason::Malformed),
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && is_token(token) => Ok(Some(token)),
        _ => Err(Reason::Malformed),
    }
}

/// `b64token` of RFC 6750.
fn is_token(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}
