//! How it ends.

use std::sync::Arc;

use axum::{extract::State, routing::get as route};
use tokio::sync::Notify;

use super::*;

/// A handler that has begun, and may go on.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    open: Arc<Notify>,
}

fn routes(gate: &Gate, state: &AppState) -> Router {
    let slow = async |State(gate): State<Gate>| {
        gate.begun.notify_one();
        gate.open.notified().await;
        "done"
    };
    let draining = state.draining().clone();
    let watch = async move |State(gate): State<Gate>| {
        gate.begun.notify_one();
        draining.cancelled().await;
        "the gateway ends"
    };
    Router::new().route("/slow", route(slow)).route("/watch", route(watch)).with_state(gate.clone())
}

async fn start(gate: &Gate, shutdown_timeout: Duration) -> Running {
    let state = AppState::new(ManualClock::new());
    let routes = routes(gate, &state);
    Running::with(state, routes, Limits::default(), None, shutdown_timeout).await
}

#[tokio::test]
async fn running_requests_end_and_no_new_ones_begin() {
    let gate = Gate::default();
    let server = start(&gate, PATIENCE).await;
    let (mut one, one_ends) = http1(server.connect().await).await;
    let one = tokio::spawn(async move { one.send_request(get("/slow")).await });
    gate.begun.notified().await;
    let (mut two, two_ends) = http2(server.connect().await).await;
    let mut more = two.clone();
    let two = tokio::spawn(async move { two.send_request(get("http://x/slow")).await });
    gate.begun.notified().await;
    let mut silent = server.connect().await;

    server.shutdown.cancel();
    assert_eq!(closed(&mut silent).await, "");
    eventually(async || TcpStream::connect(server.address).await.is_err()).await;
    assert!(server.state.vitals().not_ready.is_some_and(|reason| reason.contains("shutting down")));
    // GOAWAY: the client is told not to begin anything here.
    eventually(async || more.send_request(get("http://x/")).await.is_err()).await;
    assert!(!server.task.is_finished());

    gate.open.notify_waiters();
    let one = one.await.expect("no panic").expect("an answer");
    assert_eq!(one.headers()["connection"], "close");
    assert_eq!(text(one).await, "done");
    assert_eq!(text(two.await.expect("no panic").expect("an answer")).await, "done");
    one_ends.await.expect("no panic").expect("in order");
    two_ends.await.expect("no panic").expect("in order");
    timeout(PATIENCE, server.task).await.expect("it ends").expect("no panic");
}

#[tokio::test]
async fn who_waits_for_something_is_told() {
    let gate = Gate::default();
    let server = start(&gate, PATIENCE).await;
    let (mut client, _task) = http1(server.connect().await).await;
    let watching = tokio::spawn(async move { client.send_request(get("/watch")).await });
    gate.begun.notified().await;
    server.shutdown.cancel();
    assert_eq!(text(watching.await.expect("no panic").expect("an answer")).await, "the gateway ends");
    timeout(PATIENCE, server.task).await.expect("it ends").expect("no panic");
}

#[tokio::test]
async fn what_does_not_end_is_cut() {
    let gate = Gate::default();
    let server = start(&gate, SHORT).await;
    let (mut client, _task) = http1(server.connect().await).await;
    let stuck = tokio::spawn(async move { client.send_request(get("/slow")).await });
    gate.begun.notified().await;
    server.shutdown.cancel();
    timeout(PATIENCE, server.task).await.expect("it ends").expect("no panic");
    assert!(stuck.await.expect("no panic").is_err());
}
