//! What goes to an OpenTelemetry collector: the spans of requests to a gateway, by OTLP over HTTP.
//!
//! Off, unless the environment names a collector in the variables that OpenTelemetry has for that. Others of its variables
//! say how: headers, timeout, sampler, size of a batch, names of the resource.

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{KeyValue, global, trace::TracerProvider};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::{config::variable, out};

/// Either of them names a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// How long the last spans may take at the end.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Collects spans, if there is anybody to send them to.
pub fn layer<S>() -> Option<impl Layer<S>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let is_off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    if is_off || ENDPOINTS.iter().all(|name| variable(name).is_none()) {
        return None;
    }
    let exporter = match SpanExporter::builder().with_http().build() {
        Ok(exporter) => exporter,
        Err(error) => {
            // Nothing is logged yet. What is wrong with traces keeps nobody from being found.
            let _ = out::to_stderr(&format!("warning: no traces are sent: {error}\n"));
            return None;
        }
    };
    let provider = PROVIDER
        .get_or_init(|| SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource()).build());
    global::set_text_map_propagator(TraceContextPropagator::new());
    let spans = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("rollcall"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    Some(spans.with_filter(Targets::new().with_target(gateway::SPANS, tracing::Level::INFO)))
}

/// What the environment calls us (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), or else `rollcall`.
fn resource() -> Resource {
    let named = Resource::builder().build();
    let name = named.get(&"service.name".into()).map(|name| name.to_string());
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    match name {
        Some(name) if !name.starts_with("unknown_service") => resource.build(),
        _ => resource.with_service_name("rollcall").build(),
    }
}

/// Sends what was not sent yet.
pub fn flush() {
    if let Some(provider) = PROVIDER.get()
        && let Err(error) = provider.shutdown_with_timeout(FLUSH_WITHIN)
    {
        let _ = out::to_stderr(&format!("warning: the last traces were not sent: {error}\n"));
    }
}
