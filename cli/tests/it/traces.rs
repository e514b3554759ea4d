//! Spans of requests reach a collector.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{ResourceSpans, Span},
};
use prost::Message;
use reqwest::Response;

use crate::{gateway::Gateway, program::folder};

const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/none";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Takes what exporters send.
pub struct Collector {
    pub url: String,
    received: Receiver<ExportTraceServiceRequest>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (send, received) = channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut bytes = Vec::new();
                let mut chunk = [0; 4096];
                while whole(&bytes).is_none() {
                    match stream.read(&mut chunk) {
                        Ok(read @ 1..) => bytes.extend_from_slice(&chunk[..read]),
                        _ => break,
                    }
                }
                if let Some(body) = whole(&bytes) {
                    assert!(bytes.starts_with(b"POST /v1/traces HTTP/1.1\r\n"));
                    let _ = send.send(ExportTraceServiceRequest::decode(body).expect("OTLP"));
                }
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            }
        });
        Self { url, received }
    }

    /// All spans that came until now, after an exporter has ended.
    pub fn spans(&self) -> Vec<Span> {
        let scopes = self.resources().into_iter().flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }

    fn resources(&self) -> Vec<ResourceSpans> {
        self.received.try_iter().flat_map(|request| request.resource_spans).collect()
    }
}

/// The body of a request, if all of it is there.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
    let length: usize = text.split("content-length: ").nth(1)?.lines().next()?.trim().parse().ok()?;
    bytes[head..].get(..length)
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|one| one.key == key)?.value.clone()?.value?;
    match value {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{key}: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn ask(gateway: &Gateway, path: &str, traceparent: &str) -> Response {
    gateway.http.get(gateway.url(path)).header("traceparent", traceparent).send().await.expect("an answer")
}

fn header(response: &Response) -> Option<&str> {
    response.headers().get("traceparent").map(|value| value.to_str().expect("text"))
}

#[tokio::test]
async fn a_request_is_a_span_below_that_of_who_asked() {
    let (folder, collector) = (folder(), Collector::start());
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url), ("OTEL_RESOURCE_ATTRIBUTES", "region=eu")];
    let gateway = Gateway::start(folder.path(), &["--database-url", NOWHERE], &environment);

    let child = ask(&gateway, "/livez", &format!("00-{TRACE}-{PARENT}-01")).await;
    let unsampled = ask(&gateway, "/readyz", &format!("00-{TRACE}-{PARENT}-00")).await;
    assert!(header(&unsampled).expect("a traceparent").ends_with("-00"));
    for nonsense in ["nonsense", "00-0-0-01", &format!("00-{}-{PARENT}-01", "0".repeat(32)), "ff-1-1-1"] {
        assert_eq!(header(&ask(&gateway, "/v1/nonsense", nonsense).await), None, "{nonsense}");
    }
    let root = gateway.get("/v1/services").await;
    assert_eq!((root.status().as_u16(), header(&root)), (503, None));
    gateway.stop();

    let resources = collector.resources();
    let resource = resources[0].resource.as_ref().expect("a resource");
    assert_eq!(text(&resource.attributes, "service.name").as_deref(), Some("rollcall"));
    assert_eq!(text(&resource.attributes, "region").as_deref(), Some("eu"));
    let spans: Vec<&Span> = resources.iter().flat_map(|all| &all.scope_spans).flat_map(|scope| &scope.spans).collect();
    let named = |name: &str| spans.iter().copied().filter(|span| span.name == name).collect::<Vec<_>>();
    assert!(named("GET /readyz").is_empty(), "its caller did not want it");

    let [livez] = named("GET /livez")[..] else { panic!("{spans:#?}") };
    assert_eq!((hex(&livez.trace_id), hex(&livez.parent_span_id)), (TRACE.to_owned(), PARENT.to_owned()));
    assert_eq!(header(&child), Some(&*format!("00-{TRACE}-{}-01", hex(&livez.span_id))));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/livez"),
        ("url.path", "/livez"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(text(&livez.attributes, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(livez.kind, 2, "a server's");
    assert!(livez.end_time_unix_nano >= livez.start_time_unix_nano);

    let [services] = named("GET /v1/services")[..] else { panic!("{spans:#?}") };
    assert!(services.parent_span_id.is_empty());
    assert_eq!(text(&services.attributes, "http.response.status_code").as_deref(), Some("503"));
    assert_eq!(services.status.as_ref().expect("a status").code, 2, "an error");
    // What has no route has no name of a stranger's choice.
    assert_eq!(named("GET").len(), 4);
}

#[tokio::test]
async fn without_a_collector_there_are_no_spans() {
    let folder = folder();
    for environment in
        [&[][..], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"), ("OTEL_SDK_DISABLED", "true")]]
    {
        let gateway = Gateway::start(folder.path(), &["--database-url", NOWHERE], environment);
        assert_eq!(header(&ask(&gateway, "/livez", &format!("00-{TRACE}-{PARENT}-01")).await), None);
        gateway.stop();
    }
}

#[tokio::test]
async fn a_collector_that_does_not_answer_holds_up_nobody() {
    let folder = folder();
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", deaf.local_addr().expect("an address"));
    let gateway = Gateway::start(folder.path(), &["--database-url", NOWHERE], &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]);
    assert_eq!(gateway.get("/livez").await.status(), 200);
    let stops = tokio::task::spawn_blocking(|| gateway.stop());
    tokio::time::timeout(Duration::from_secs(30), stops).await.expect("it ends").expect("in order");
}
