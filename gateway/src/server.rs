//! The listeners, and how a gateway starts and ends.
//!
//! - `accept`: takes connections, as many as there may be, until it is told to stop
//! - `slots`: how many that is, in total and per client
//! - `connection`: TLS, HTTP/1.1 and HTTP/2, and how long nothing may happen
//! - `requests`: hands requests to the routes, with who asks
//! - `tls`: certificates, read again when they change

mod accept;
mod connection;
mod requests;
mod slots;
mod tls;

#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use domain::Clock;
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::{
    accept::Server,
    tls::{Certificates, Watched},
};
use crate::{
    AppState, Config, GatewayError, Histories,
    access::Access,
    app::admin,
    config::Limits,
    disk::{self, Disk},
    feed,
    front::Front,
    rate::Limiter,
    wait,
};

/// How many connections operators may have open.
const ADMIN_CONNECTIONS: usize = 32;

/// How often clients that have gone are forgotten.
const UPKEEP_EVERY: Duration = Duration::from_secs(60);

/// A gateway that listens, and serves once [`serve`](Gateway::serve) is called.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    listener: TcpListener,
    address: SocketAddr,
    admin: Option<(TcpListener, SocketAddr)>,
    tls: Option<Watched>,
    state: AppState,
    clock: Arc<dyn Clock>,
    access: Access,
}

impl Gateway {
    /// Takes the addresses to listen on, and reads the certificate. The database need not be there yet.
    ///
    /// # Errors
    /// [`GatewayError::Taken`], [`GatewayError::AdminTaken`], [`GatewayError::Listen`], [`GatewayError::Tls`],
    /// [`GatewayError::DatabaseUrl`], [`GatewayError::Access`].
    pub async fn bind(config: Config, clock: Arc<dyn Clock>) -> Result<Self, GatewayError> {
        let histories = Histories::new(&config.database_url).map_err(GatewayError::DatabaseUrl)?;
        if let Some(path) = config.snapshot.as_ref().filter(|path| !disk::has_folder(path)) {
            return Err(GatewayError::Snapshot(path.clone()));
        }
        let access = Access::new(&config.access, config.listen, Arc::clone(&clock))?;
        let tls = config.tls.clone().map(Watched::load).transpose()?;
        let (listener, address) = listen(config.listen, GatewayError::Taken).await?;
        let admin = match config.admin_listen {
            Some(address) => Some(listen(address, GatewayError::AdminTaken).await?),
            None => None,
        };
        let state = AppState::new(clock.clone()).with_histories(histories);
        if let Some(relay) = &config.relay {
            state.relay_by(relay);
        }
        Ok(Self { config, listener, address, admin, tls, state, clock, access })
    }

    /// Where it listens: with port 0 in the configuration, the port that it got.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where operators ask.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|(_, address)| *address)
    }

    /// Reads the index and serves it until `shutdown`; then lets running requests end, while operators may still ask.
    /// Dropping the future ends all at once.
    ///
    /// # Errors
    /// [`GatewayError::Ended`], which is a bug.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<(), GatewayError> {
        let Self { config, listener, address, admin: operators, tls, state, clock, access } = self;
        tracing::info!(%address, tls = tls.is_some(), "listening");
        // Apart from the parts that must not end: it ends by itself, after a last write.
        let mut keeper = JoinSet::new();
        if let Some(path) = config.snapshot {
            let kept = Disk::new(state.clone(), config.database_url.clone(), path, config.snapshot_interval);
            keeper.spawn(kept.run(shutdown.clone()));
        }
        let mut parts = JoinSet::new();
        let limiter = config.limits.rate.map(|rate| Arc::new(Limiter::new(rate, clock)));
        let front = Front::new(state.clone(), access.clone(), limiter.clone());
        if let Some(limiter) = limiter {
            parts.spawn(async move {
                loop {
                    sleep(UPKEEP_EVERY).await;
                    limiter.upkeep();
                }
            });
        }
        let certificates = tls.as_ref().map(Watched::certificates);
        if let Some(tls) = tls {
            let state = state.clone();
            parts.spawn(async move {
                let _never = tls.watch(&state).await;
                "certificates"
            });
        }
        if let Some((listener, address)) = operators {
            tracing::info!(%address, "listening for operators");
            let limits = Limits { connections: ADMIN_CONNECTIONS, connections_per_client: None, ..config.limits };
            let server =
                Server::new("admin", admin(state.clone()).into(), limits, None, &state, CancellationToken::new());
            parts.spawn(async move {
                server.accept(listener, CancellationToken::new(), config.shutdown_timeout).await;
                "admin listener"
            });
        }
        let limits = Limits { connections: slots::affordable(config.limits.connections), ..config.limits };
        let server = Server::new("public", front, limits, certificates, &state, state.draining().clone());
        let fed = state.clone();
        parts.spawn(async move {
            let _never = feed::run(fed, config.database_url, config.poll_interval).await;
            "feed"
        });
        parts.spawn(async move {
            let _never = access.watch().await;
            "look at who may ask"
        });
        parts.spawn(async move {
            wait::lapse(state).await;
            "clock"
        });
        let told = shutdown.clone();
        parts.spawn(async move {
            told.cancelled().await;
            tracing::info!("stopping: running requests may end");
            std::future::pending::<&str>().await
        });
        tokio::select! {
            () = server.accept(listener, shutdown, config.shutdown_timeout) => {}
            Some(ended) = parts.join_next() => {
                return Err(GatewayError::Ended(ended.unwrap_or("background work")));
            }
        }
        let kept = async { while keeper.join_next().await.is_some() {} };
        if timeout(config.shutdown_timeout, kept).await.is_err() {
            tracing::warn!("the last snapshot was not written in time");
        }
        tracing::info!("stopped");
        Ok(())
    }
}

async fn listen(
    address: SocketAddr,
    taken: fn(SocketAddr) -> GatewayError,
) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let refused = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => taken(address),
        _ => GatewayError::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}
