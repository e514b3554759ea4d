//! Takes connections until it is told to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Certificates,
    connection::{self, Served},
    slots::Slots,
};
use crate::{AppState, config::Limits, front::Front, peer::Client};

/// What a listener serves, and its limits.
#[derive(Debug)]
pub(crate) struct Server {
    served: Arc<Served>,
    slots: Slots,
}

impl Server {
    /// `name` is a label of metrics. `stopping` is cancelled once no new connections are let in.
    pub(crate) fn new(
        name: &'static str,
        front: Front,
        limits: Limits,
        certificates: Option<Certificates>,
        state: &AppState,
        stopping: CancellationToken,
    ) -> Self {
        let served = Served { name, front, limits, certificates, state: state.clone(), stopping };
        Self { served: Arc::new(served), slots: Slots::new(&limits) }
    }

    /// Serves connections until `shutdown`. Then lets no new one in and says so by `stopping`, lets running requests end
    /// for as long as `shutdown_timeout`, and cuts the rest.
    pub(crate) async fn accept(self, listener: TcpListener, shutdown: CancellationToken, shutdown_timeout: Duration) {
        let Self { served, slots } = self;
        let mut connections = JoinSet::new();
        loop {
            let next = async {
                let place = slots.free().await?;
                Some((next_connection(&listener).await, place))
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                // Forgets the connections that have ended.
                Some(_) = connections.join_next() => {}
                Some(((stream, address), place)) = next => {
                    let Some(slot) = slots.take(place, Client::from(address.ip())) else {
                        served.state.telemetry().turned_away(served.name, "too_many");
                        tracing::debug!(%address, "this client has too many connections");
                        continue;
                    };
                    let served = Arc::clone(&served);
                    connections.spawn(async move {
                        connection::serve(&served, stream, address).await;
                        drop(slot);
                    });
                }
            }
        }
        drop(listener);
        served.stopping.cancel();
        let ended = async { while connections.join_next().await.is_some() {} };
        if timeout(shutdown_timeout, ended).await.is_err() {
            tracing::warn!(cut = connections.len(), "some requests did not end in time");
        }
    }
}

/// Waits for a connection. Errors here are of one connection, or of the system being short of something: neither is
/// a reason to stop.
async fn next_connection(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                let _ = stream.set_nodelay(true);
                return (stream, address);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
