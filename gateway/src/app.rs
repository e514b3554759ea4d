//! All routes, and what surrounds them.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, OriginalUri, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use domain::text::clip;
use tokio::time::timeout;
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{Any as AnyOrigin, CorsLayer},
};
use tracing::Instrument;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    access::{self, Access},
    contract,
    error::{Error, Kind},
    rate::{Limiter, limit},
    routes, timing, traces,
};

/// The largest body that a request may have, in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// How long a request may take, its body included.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rollcall gateway",
        description = "Service discovery whose catalogue no single party can forge. Every answer names the block that \
                       it is true at, the chain time that leases were compared with, and the mode: `normal`; \
                       `preserved` when the indexer or its node stands still, and nobody expires; `stale` when the \
                       gateway cannot read the index and serves what it knows. Errors are problems as RFC 9457 has \
                       them. Who sends `X-Server-Timing: 1` is told in `Server-Timing` how long the answer took.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "discovery", description = "Who serves what, now"),
        (name = "open discovery", description = "The open discovery API"),
        (name = "operations", description = "For those who run a gateway"),
    ),
)]
struct Document;

/// The contract of the API.
pub fn openapi() -> utoipa::openapi::OpenApi {
    quick().merge(patient()).into_openapi()
}

/// All routes over what `state` knows, for those whom `access` lets in, as often as `limiter` lets them.
pub(crate) fn app(state: AppState, access: Access, limiter: Option<Arc<Limiter>>) -> Router {
    let (router, mut document) = quick().layer(from_fn(hurry)).merge(patient()).split_for_parts();
    if !access.is_public() {
        access::require(&mut document);
    }
    let router = router
        .merge(routes::docs::router(&document))
        .fallback(no_such_route)
        .layer(from_fn_with_state((state.clone(), access), access::guard))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(only_problems));
    let router = match limiter {
        Some(limiter) => router.layer(from_fn_with_state(limiter, limit)),
        None => router,
    };
    router.layer(from_fn_with_state(state.clone(), observe)).layer(cors()).layer(from_fn(mark)).with_state(state)
}

/// What operators ask for. None of it is for strangers.
pub(crate) fn admin(state: AppState) -> Router {
    Router::new()
        .route("/livez", get(routes::probes::livez))
        .route("/readyz", get(routes::probes::readyz))
        .route("/metrics", get(routes::probes::metrics))
        .fallback(no_such_admin_route)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(only_problems))
        .layer(from_fn(hurry))
        .layer(from_fn(harden))
        .with_state(state)
}

/// Routes that may wait for something to change.
fn patient() -> OpenApiRouter<AppState> {
    let mut router =
        OpenApiRouter::new().routes(routes!(routes::instances::list)).routes(routes!(routes::watch::watch));
    contract::document(router.get_openapi_mut());
    router
}

/// All other routes.
fn quick() -> OpenApiRouter<AppState> {
    let mut router = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(routes::services::list))
        .routes(routes!(routes::instance::get))
        .routes(routes!(routes::history::list))
        .routes(routes!(routes::uptime::get))
        .routes(routes!(routes::namespace::get))
        .routes(routes!(routes::discovery::discover))
        .routes(routes!(routes::registration::register))
        .routes(routes!(routes::health::health))
        .routes(routes!(routes::probes::livez))
        .routes(routes!(routes::probes::readyz));
    contract::document(router.get_openapi_mut());
    router
}

/// What pages may read of an answer but its body.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "x-registry-block,x-registry-head-age,x-registry-index,x-registry-mode,x-registry-now,etag,retry-after,www-authenticate",
);

/// Answers the question which requests pages may send: any page may read, and none may send anything but reads.
fn cors() -> CorsLayer {
    let allowed = CorsLayer::new().allow_origin(AnyOrigin).allow_methods([Method::GET, Method::HEAD]);
    allowed.allow_headers([header::AUTHORIZATION])
}

async fn no_such_route(OriginalUri(uri): OriginalUri) -> Error {
    Error::new(Kind::UnknownRoute, format!("there is nothing at {:?}; /docs lists what there is", clip(uri.path())))
}

async fn no_such_admin_route(OriginalUri(uri): OriginalUri) -> Error {
    let path = clip(uri.path());
    Error::new(Kind::UnknownRoute, format!("there is nothing at {path:?}, only /livez, /readyz and /metrics"))
}

/// Whatever fails in a layer that knows no problems becomes one here; headers such as `Allow` stay.
async fn only_problems(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), clip(request.uri().path()));
    let response = next.run(request).await;
    let status = response.status();
    let is_ours =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"application/"));
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
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

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref().copied());
    tracing::error!(panic = ?text.unwrap_or_default(), "a request made the gateway panic");
    Error::new(Kind::Internal, "the log of the gateway tells more").into_response()
}

/// Ends requests that take too long, such as those whose body never comes.
async fn hurry(request: Request, next: Next) -> Response {
    match timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("there was no answer within {} s", ANSWER_WITHIN.as_secs());
            Error::new(Kind::Timeout, detail).into_response()
        }
    }
}

/// Counts requests by route template, traces them, and tells how long they took to those who ask.
async fn observe(State(state): State<AppState>, route: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let method = known_method(request.method());
    let traced = traces::Traced::begin(&request, route.as_ref().map(MatchedPath::as_str), method);
    let route = route.map_or_else(|| "none".to_owned(), |route| route.as_str().to_owned());
    let began = state.clock().monotonic();
    let (mut response, timed) = match timing::wanted(request.headers()) {
        Ok(timed) => (next.run(request).instrument(traced.span.clone()).await, timed),
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

/// What goes with all answers to strangers.
async fn mark(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    mark_answer(response.headers_mut());
    response
}

/// Any page may read it, its headers as well, and it is as hard as it can be.
pub(crate) fn mark_answer(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    harden_answer(headers);
}

async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    harden_answer(response.headers_mut());
    response
}

/// Nobody guesses types, and nothing runs as a page but what says so itself.
fn harden_answer(headers: &mut HeaderMap) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let nothing = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(nothing);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}
