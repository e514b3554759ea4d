//! Connections over real sockets.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, Response, Version},
};
use domain::ManualClock;
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{accept::Server, tls::Watched};
use crate::{AppState, config::Limits, tests::eventually};

mod drain;
mod limits;
mod protocols;
mod tls;

/// Longer than any test takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// So short that a test can wait for its end.
const SHORT: Duration = Duration::from_millis(200);

/// A listener with routes of the test's own.
struct Running {
    address: SocketAddr,
    state: AppState,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(routes: Router, limits: Limits) -> Self {
        Self::with(AppState::new(ManualClock::new()), routes, limits, None, PATIENCE).await
    }

    async fn with(
        state: AppState,
        routes: Router,
        limits: Limits,
        tls: Option<&Watched>,
        shutdown_timeout: Duration,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let certificates = tls.map(Watched::certificates);
        let server = Server::new("public", routes.into(), limits, certificates, &state, state.draining().clone());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(server.accept(listener, shutdown.clone(), shutdown_timeout));
        Self { address, state, shutdown, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// A connection from another address of this machine.
    async fn connect_from(&self, from: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{from}:0").parse().expect("an address")).expect("an address of this machine");
        socket.connect(self.address).await.expect("a connection")
    }

    fn metrics(&self) -> String {
        self.state.telemetry().render(&self.state)
    }

    /// Waits until the server has no connections any more.
    async fn is_alone(&self) {
        eventually(async || self.metrics().contains("rollcall_gateway_connections{listener=\"public\"} 0")).await;
    }
}

fn get(uri: &str) -> Request<Empty<Bytes>> {
    Request::get(uri).header("host", "x").body(Empty::new()).expect("a request")
}

async fn text(response: Response<Incoming>) -> String {
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// An HTTP/1.1 client on this stream.
async fn http1(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> (conn::http1::SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let (sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
    (sender, tokio::spawn(connection))
}

/// An HTTP/2 client on this stream.
async fn http2(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> (conn::http2::SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let builder = conn::http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
    (sender, tokio::spawn(connection))
}

/// Reads until the other side closes, whatever it says.
async fn closed(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut said)).await.expect("the connection is closed");
    let _ = read;
    String::from_utf8_lossy(&said).into_owned()
}
