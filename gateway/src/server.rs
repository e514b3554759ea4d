//! The listener and its limits.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use domain::Clock;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{AppState, Config, GatewayError, app, feed};

/// How long a client may take to send the head of a request, and how long a connection may be idle.
const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes: URI and headers.
const MAX_HEAD: usize = 32 * 1024;

/// The most headers of a request.
const MAX_HEADERS: usize = 64;

/// A gateway that listens, and serves once [`serve`](Gateway::serve) is called.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    listener: TcpListener,
    address: SocketAddr,
    state: AppState,
}

impl Gateway {
    /// Takes the address to listen on. The database need not be there yet.
    ///
    /// # Errors
    /// [`GatewayError::Taken`], [`GatewayError::Listen`], [`GatewayError::DatabaseUrl`].
    pub async fn bind(config: Config, clock: Arc<dyn Clock>) -> Result<Self, GatewayError> {
        store::query::check_url(&config.database_url).map_err(GatewayError::DatabaseUrl)?;
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => GatewayError::Taken(config.listen),
            _ => GatewayError::Listen { address: config.listen, source },
        };
        let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let state = AppState::new(clock);
        if let Some(relay) = &config.relay {
            state.relay_by(relay);
        }
        Ok(Self { config, listener, address, state })
    }

    /// Where it listens: with port 0 in the configuration, the port that it got.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Reads the index and serves it until `shutdown`; then lets running requests end. Dropping the future ends all at
    /// once.
    ///
    /// # Errors
    /// [`GatewayError::Ended`], which is a bug.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), GatewayError> {
        let Self { config, listener, address, state } = self;
        tracing::info!(%address, "listening");
        let routes = app(state.clone());
        let mut parts = JoinSet::new();
        parts.spawn(async move {
            let _never = feed::run(state, config.database_url, config.poll_interval).await;
            "feed"
        });
        let server = accept(listener, routes, config.max_connections, config.shutdown_timeout, shutdown.clone());
        tokio::select! {
            () = server => Ok(()),
            Some(ended) = parts.join_next() => Err(GatewayError::Ended(ended.unwrap_or("feed"))),
        }
    }
}

/// Serves connections until `shutdown`.
async fn accept(
    listener: TcpListener,
    routes: Router,
    max_connections: usize,
    shutdown_timeout: Duration,
    shutdown: CancellationToken,
) {
    let service = TowerToHyperService::new(routes);
    let slots = Arc::new(Semaphore::new(max_connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await.ok()?;
            Some((next_connection(&listener).await, slot))
        };
        tokio::select! {
            () = shutdown.cancelled() => break,
            // Forgets the connections that have ended.
            Some(_) = connections.join_next() => {}
            Some((stream, slot)) = next => {
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD_WITHIN)
                    .max_buf_size(MAX_HEAD)
                    .max_headers(MAX_HEADERS)
                    .serve_connection(TokioIo::new(stream), service.clone());
                let connection = graceful.watch(connection);
                connections.spawn(async move {
                    if let Err(error) = connection.await {
                        tracing::debug!(error = ?error.to_string(), "a connection broke");
                    }
                    drop(slot);
                });
            }
        }
    }
    drop(listener);
    if timeout(shutdown_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time");
    }
}

/// Waits for a connection. Errors here are of one connection, or of the system being short of something: neither is
/// a reason to stop.
async fn next_connection(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
