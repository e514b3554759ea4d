//! What surrounds the routes. It is one layer, since each layer costs each request.
//!
//! From without to within: what goes with all answers ([`mark_answer`]); counting, traces and timing; how often a client may
//! ask; that whatever fails is a problem; who asks.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::text::clip;
use futures::FutureExt;
use tokio::time::timeout;
use tower_http::cors::{Any as AnyOrigin, CorsLayer};
use tracing::Instrument;

use crate::{
    AppState,
    access::{Access, guard},
    error::{Error, Kind},
    rate::Limiter,
    timing, traces,
};

/// The largest body that a request may have, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// How long a request may take, its body included.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Who is let in, how often, and where that is counted.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: AppState,
    access: Access,
    limiter: Option<Arc<Limiter>>,
}

impl Surroundings {
    pub(crate) fn new(state: AppState, access: Access, limiter: Option<Arc<Limiter>>) -> Self {
        Self(Arc::new(Inner { state, access, limiter }))
    }
}

/// Surrounds the routes for everybody.
pub(crate) async fn surround(
    State(Surroundings(around)): State<Surroundings>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = observed(&around, route, request, next).await;
    mark_answer(response.headers_mut());
    response
}

/// Surrounds those for operators.
pub(crate) async fn surround_admin(request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let mut response = sound(method, uri, next.run(limited_in_size(request))).await;
    harden_answer(response.headers_mut());
    response
}

/// Counts requests by route template, traces them, and tells how long they took to those who ask.
async fn observed(around: &Inner, route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let state = &around.state;
    let method = known_method(request.method());
    let traced = traces::Traced::begin(&request, route.as_ref().map(MatchedPath::as_str), method);
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let began = state.clock().monotonic();
    let (mut response, timed) = match timing::wanted(request.headers()) {
        Ok(timed) => (limited(around, route, request, next).instrument(traced.span.clone()).await, timed),
        Err(error) => (error.into_response(), false),
    };
    let took = state.clock().monotonic().saturating_sub(began);
    let status = response.status().as_u16();
    tracing::debug!(%method, %route, status, ?took, "answered");
    traced.answered(&mut response);
    if timed {
        timing::tell(&mut response, took);
    }
    state.telemetry().request(route, method, status, took);
    response
}

/// Lets in who does not ask too often, and may ask.
async fn limited(around: &Inner, route: &str, request: Request, next: Next) -> Response {
    let Inner { state, access, limiter } = around;
    let (method, uri) = (request.method().clone(), request.uri().clone());
    sound(method, uri, guard(state, access, limiter.as_deref(), route, limited_in_size(request), next)).await
}

fn limited_in_size(mut request: Request) -> Request {
    DefaultBodyLimit::max(MAX_BODY).apply(&mut request);
    request
}

/// Whatever panics, or fails in a place that knows no problems, becomes one here; headers such as `Allow` stay.
async fn sound(method: Method, uri: Uri, answer: impl Future<Output = Response>) -> Response {
    let response = match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(response) => response,
        Err(panic) => panicked(&*panic),
    };
    let status = response.status();
    let is_ours =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/"));
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let path = clip(uri.path());
    let (kind, detail) = match status {
        StatusCode::NOT_FOUND => (Kind::UnknownRoute, format!("there is nothing at {path:?}")),
        StatusCode::METHOD_NOT_ALLOWED => {
            (Kind::MethodNotAllowed, format!("{path:?} has no method {:?}", clip(method.as_str())))
        }
        status if status.is_client_error() => (Kind::BadRequest, format!("{path:?} cannot be read: {status}")),
        _ => (Kind::Internal, "the log of the gateway tells more".to_owned()),
    };
    let mut problem = Error::new(kind, detail).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    tracing::error!(panic = ?text.unwrap_or_default(), "a request made the gateway panic");
    Error::new(Kind::Internal, "the log of the gateway tells more").into_response()
}

/// Ends requests that take too long, such as those whose body never comes.
pub(crate) async fn hurry(request: Request, next: Next) -> Response {
    match timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("there was no answer within {} s", ANSWER_WITHIN.as_secs());
            Error::new(Kind::Timeout, detail).into_response()
        }
    }
}

/// A method as a label: strangers may send any word.
pub(crate) fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What pages may read of an answer but its body.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-registry-block,x-registry-head-age,x-registry-index,x-registry-mode,x-registry-now,etag,retry-after,www-authenticate,\
     server-timing,traceparent",
);

/// For how long a browser need not ask again.
const CORS_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Answers the question which requests pages may send: all that there are. No gateway knows cookies, so a page can do nothing
/// that any stranger could not.
pub(crate) fn cors() -> CorsLayer {
    let headers = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_NONE_MATCH,
        HeaderName::from_static("last-event-id"),
        HeaderName::from_static("traceparent"),
        HeaderName::from_static("x-server-timing"),
    ];
    let allowed = CorsLayer::new().allow_origin(AnyOrigin).allow_methods([Method::GET, Method::HEAD, Method::POST]);
    allowed.allow_headers(headers).max_age(CORS_FOR)
}

/// Any page may read it, its headers as well, and it is as hard as it can be.
pub(crate) fn mark_answer(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    harden_answer(headers);
}

/// Nobody guesses types, and nothing runs as a page but what says so itself.
fn harden_answer(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}
