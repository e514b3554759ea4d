//! A span for each request, as OpenTelemetry names its parts. Where nobody collects spans, none is made.

use axum::{
    http::{HeaderValue, Request, header},
    response::Response,
};
use domain::text::clip;
use opentelemetry::{global, trace::TraceContextExt};
use opentelemetry_http::HeaderExtractor;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of all spans that are meant for OpenTelemetry, and of nothing else.
pub const SPANS: &str = "otel";

const TRACEPARENT: &str = "traceparent";

/// A request that is being answered.
pub(crate) struct Traced {
    pub(crate) span: Span,
    /// Whether it came with a `traceparent`.
    is_child: bool,
}

impl Traced {
    /// Begins a span: a child of the one that the `traceparent` of the request names, or the first of a trace.
    pub(crate) fn begin<B>(request: &Request<B>, route: Option<&str>, method: &'static str) -> Self {
        let span = tracing::info_span!(
            target: SPANS,
            "request",
            otel.name = Empty,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = Empty,
            http.response.status_code = Empty,
            url.path = Empty,
        );
        if span.is_disabled() {
            return Self { span, is_child: false };
        }
        match route {
            Some(route) => span.record("http.route", route).record("otel.name", format!("{method} {route}")),
            None => span.record("otel.name", method),
        };
        span.record("url.path", clip(request.uri().path()));
        let parent = global::get_text_map_propagator(|known| known.extract(&HeaderExtractor(request.headers())));
        // It fails where nobody collects spans.
        let is_child = parent.has_active_span() && span.set_parent(parent).is_ok();
        Self { span, is_child }
    }

    /// Writes down how it was answered. Who sent a `traceparent` is told which span the answer comes from; others are not,
    /// since their caches would tell it to everybody.
    pub(crate) fn answered(self, response: &mut Response) {
        if self.span.is_disabled() {
            return;
        }
        self.span.record("http.response.status_code", response.status().as_u16());
        if response.status().is_server_error() {
            self.span.record("otel.status_code", "ERROR");
        }
        if self.is_child {
            let context = self.span.context();
            let (own, flags) = (context.span().span_context().clone(), context.span().span_context().trace_flags());
            let text = format!("00-{}-{}-{:02x}", own.trace_id(), own.span_id(), flags);
            if let Ok(value) = HeaderValue::try_from(text) {
                response.headers_mut().insert(TRACEPARENT, value);
                response.headers_mut().append(header::VARY, HeaderValue::from_static(TRACEPARENT));
            }
        }
    }
}

/// A part of the work on a request.
pub(crate) fn part(name: &'static str) -> Span {
    let span = tracing::info_span!(target: SPANS, "part", otel.name = Empty);
    span.record("otel.name", name);
    span
}

/// Work that goes on when the request that began it is answered: in its trace, but not a part of its time.
pub(crate) fn sequel(name: &'static str) -> Span {
    let span = tracing::info_span!(target: SPANS, parent: None, "sequel", otel.name = Empty);
    if !span.is_disabled() {
        span.record("otel.name", name);
        let _ = span.set_parent(Span::current().context());
    }
    span
}
