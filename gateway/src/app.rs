//! All routes.

use std::sync::Arc;

use axum::{
    Router,
    extract::OriginalUri,
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use domain::text::clip;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    AppState,
    access::{self, Access},
    contract,
    error::{Error, Kind},
    rate::Limiter,
    routes,
    surround::{Surroundings, cors, hurry, surround, surround_admin},
};

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
    let surroundings = Surroundings::new(state.clone(), access, limiter);
    router
        .merge(routes::docs::router(&document))
        .fallback(no_such_route)
        .layer(from_fn_with_state(surroundings, surround))
        .layer(cors())
        .with_state(state)
}

/// What operators ask for. None of it is for strangers.
pub(crate) fn admin(state: AppState) -> Router {
    Router::new()
        .route("/livez", get(routes::probes::livez))
        .route("/readyz", get(routes::probes::readyz))
        .route("/metrics", get(routes::probes::metrics))
        .fallback(no_such_admin_route)
        .layer(from_fn(hurry))
        .layer(from_fn(surround_admin))
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

async fn no_such_route(OriginalUri(uri): OriginalUri) -> Error {
    Error::new(Kind::UnknownRoute, format!("there is nothing at {:?}; /docs lists what there is", clip(uri.path())))
}

async fn no_such_admin_route(OriginalUri(uri): OriginalUri) -> Error {
    let path = clip(uri.path());
    Error::new(Kind::UnknownRoute, format!("there is nothing at {path:?}, only /livez, /readyz and /metrics"))
}
