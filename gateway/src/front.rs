//! What requests are handed to: the routes, and before them the answers that are ready.
//!
//! Nearly all requests are for the plain list of a service's instances. Where that is ready it is given away at once,
//! without the routes and what surrounds them: the same bytes and headers, let in and counted alike. Wherever there is any doubt,
//! such as about who asks, the routes decide.

use std::sync::Arc;

use api::Health;
use axum::{
    Router,
    http::{HeaderMap, Method, Request},
    response::Response,
};

use crate::{
    AppState,
    access::{Access, Reader},
    app::app,
    peer::Peer,
    rate::Limiter,
    routes::instances,
    surround::mark_answer,
    timing,
    traces::Traced,
    wanted,
};

/// What requests are handed to. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    routes: Router,
    shortcut: Option<Arc<Shortcut>>,
}

#[derive(Debug)]
struct Shortcut {
    state: AppState,
    access: Access,
    limiter: Option<Arc<Limiter>>,
}

impl Front {
    /// All routes over what `state` knows, for those whom `access` lets in, as often as `limiter` lets them.
    pub(crate) fn new(state: AppState, access: Access, limiter: Option<Arc<Limiter>>) -> Self {
        let routes = app(state.clone(), access.clone(), limiter.clone());
        Self { routes, shortcut: Some(Arc::new(Shortcut { state, access, limiter })) }
    }

    pub(crate) fn routes(&self) -> Router {
        self.routes.clone()
    }

    /// The answer to a request, if it is ready.
    pub(crate) fn at_once<B>(&self, request: &Request<B>, peer: &Peer) -> Option<Response> {
        self.shortcut.as_deref()?.answer(request, peer)
    }
}

/// Routes alone.
impl From<Router> for Front {
    fn from(routes: Router) -> Self {
        Self { routes, shortcut: None }
    }
}

impl Shortcut {
    fn answer<B>(&self, request: &Request<B>, peer: &Peer) -> Option<Response> {
        let (uri, headers) = (request.uri(), request.headers());
        let is_plain = request.method() == Method::GET && uri.query().is_none() && !timing::is_asked(headers);
        if !is_plain {
            return None;
        }
        let began = self.state.clock().monotonic();
        let service = uri.path().strip_prefix("/v1/namespaces/")?.strip_suffix("/instances")?;
        // No name has a slash or a percent sign: what does not name a service so is not found.
        let (namespace, name) = service.split_once("/services/")?;
        let ready = wanted::ready(&self.state, &[namespace, name].join("/"), Health::Healthy)?;
        let reader = self.let_in(headers, peer, namespace)?;
        let traced = Traced::begin(request, Some(instances::PATH), "GET");
        let mut response = ready.answer(headers);
        reader.mark(response.headers_mut());
        mark_answer(response.headers_mut());
        let took = self.state.clock().monotonic().saturating_sub(began);
        let status = response.status().as_u16();
        tracing::debug!(method = "GET", route = instances::PATH, status, ?took, "answered");
        traced.answered(&mut response);
        self.state.telemetry().request(instances::PATH, "GET", status, took);
        Some(response)
    }

    /// Lets a request in that is certain to be let in.
    fn let_in(&self, headers: &HeaderMap, peer: &Peer, namespace: &str) -> Option<Reader> {
        let reader = self.access.find(headers, peer, namespace)?;
        match &self.limiter {
            Some(limiter) if self.access.is_public() => limiter.check(peer.client()).ok()?,
            _ => reader.count().ok()?,
        }
        Some(reader)
    }
}
