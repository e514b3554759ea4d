//! Clients that are slow, silent, or many.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::routing::get as route;
use tokio::task::{JoinSet, yield_now};

use super::*;

/// More than all buffers between server and client hold.
const LARGE: usize = 64 * 1024 * 1024;

fn routes() -> Router {
    Router::new().route("/", route(async || "here")).route("/large", route(async || Bytes::from(vec![b'x'; LARGE])))
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let server =
        Running::start(routes(), Limits { head_within: SHORT, write_within: SHORT, ..Limits::default() }).await;
    for begun in ["", "G", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(begun.as_bytes()).await.expect("the beginning of a head");
        closed(&mut stream).await;
    }
    // Drop by drop is no better.
    let (mut reader, mut writer) = server.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        writer.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").await?;
        loop {
            writer.write_all(b"x").await?;
            tokio::time::sleep(SHORT / 10).await;
        }
        #[expect(unreachable_code, reason = "says what the errors above are")]
        Ok::<(), std::io::Error>(())
    });
    let mut said = Vec::new();
    let _ = timeout(PATIENCE, reader.read_to_end(&mut said)).await.expect("the connection is closed");
    dripping.abort();
    server.is_alone().await;
}

#[tokio::test]
async fn a_connection_that_does_nothing_is_closed() {
    let limits = Limits { idle_within: SHORT, ..Limits::default() };
    let server = Running::start(routes(), limits).await;
    let (mut client, task) = http2(server.connect().await).await;
    assert_eq!(text(client.send_request(get("http://x/")).await.expect("an answer")).await, "here");
    // It is told so: GOAWAY, and not an end out of nowhere.
    timeout(PATIENCE, task).await.expect("it is closed").expect("no panic").expect("in order");
    server.is_alone().await;
}

#[tokio::test]
async fn who_does_not_read_loses_the_connection() {
    let limits = Limits { idle_within: SHORT, write_within: SHORT, ..Limits::default() };
    let server = Running::start(routes(), limits).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("a request");
    server.is_alone().await;
    let begun = closed(&mut stream).await;
    assert!(begun.starts_with("HTTP/1.1 200") && begun.len() < LARGE, "{} bytes", begun.len());

    // A client of HTTP/2 can be alive, and still leave no room for an answer.
    let mut builder = conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(1_000);
    let (mut client, connection) = builder.handshake(TokioIo::new(server.connect().await)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let response = client.send_request(get("http://x/large")).await.expect("a head");
    server.is_alone().await;
    assert!(response.into_body().collect().await.is_err(), "the rest was cut");
}

#[tokio::test]
async fn one_client_cannot_take_all_connections() {
    let limits = Limits { connections: 4, connections_per_client: Some(2), ..Limits::default() };
    let server = Running::start(routes(), limits).await;
    let (mut first, _task) = http1(server.connect().await).await;
    assert_eq!(first.send_request(get("/")).await.expect("an answer").status(), 200);
    let (mut second, _task) = http2(server.connect().await).await;
    assert_eq!(second.send_request(get("http://x/")).await.expect("an answer").status(), 200);
    for _ in 0..5 {
        assert_eq!(closed(&mut server.connect().await).await, "", "one too many");
    }
    let (mut other, _task) = http1(server.connect_from("127.0.0.2").await).await;
    assert_eq!(other.send_request(get("/")).await.expect("an answer").status(), 200);
    assert_eq!(first.send_request(get("/")).await.expect("an answer").status(), 200);
    let refused = "connections_refused_total{listener=\"public\",reason=\"too_many\"} 5";
    assert!(server.metrics().contains(refused), "{}", server.metrics());

    // Who leaves makes room.
    drop(first);
    eventually(async || {
        let (mut again, _task) = http1(server.connect().await).await;
        again.send_request(get("/")).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn when_all_connections_are_taken_others_wait() {
    let server = Running::start(routes(), Limits { connections: 1, ..Limits::default() }).await;
    let (mut first, _task) = http1(server.connect().await).await;
    assert_eq!(first.send_request(get("/")).await.expect("an answer").status(), 200);
    let (mut second, _task) = http1(server.connect().await).await;
    let waiting = tokio::spawn(async move { second.send_request(get("/")).await.expect("an answer").status() });
    assert_eq!(first.send_request(get("/")).await.expect("an answer").status(), 200);
    assert!(!waiting.is_finished());
    drop(first);
    assert_eq!(timeout(PATIENCE, waiting).await.expect("in time").expect("no panic"), 200);
}

/// One that has begun, for as long as it lives.
struct Begun(Arc<AtomicUsize>);

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn requests_that_are_taken_back_leave_nothing_behind() {
    let running = Arc::<AtomicUsize>::default();
    let most = Arc::<AtomicUsize>::default();
    let (begun, peak) = (Arc::clone(&running), Arc::clone(&most));
    let never = async move || {
        peak.fetch_max(begun.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let _begun = Begun(begun);
        std::future::pending::<()>().await;
    };
    let server = Running::start(routes().route("/never", route(never)), Limits::default()).await;
    let (client, flood) = http2(server.connect().await).await;
    for _ in 0..40 {
        let mut requests = JoinSet::new();
        for _ in 0..50 {
            let mut client = client.clone();
            requests.spawn(async move { client.send_request(get("http://x/never")).await });
        }
        for _ in 0..10 {
            yield_now().await;
        }
        requests.shutdown().await;
    }
    assert!(most.load(Ordering::Relaxed) > 0);
    assert!(most.load(Ordering::Relaxed) <= 128, "{most:?} at once");
    eventually(async || running.load(Ordering::Relaxed) == 0).await;
    let (mut other, _task) = http2(server.connect().await).await;
    assert_eq!(other.send_request(get("http://x/")).await.expect("an answer").status(), 200);
    flood.abort();
}
