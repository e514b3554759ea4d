//! How a gateway is configured.

use std::{fmt, net::SocketAddr, time::Duration};

use crate::Relay;

/// How a gateway is configured.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The database that the indexer fills, or a replica of it: `postgres://user:password@host:port/database`. A role
    /// that may only read is enough.
    pub database_url: String,
    /// How often to look for changes when nobody rings. Small, since it bounds how stale a gateway on a replica is.
    pub poll_interval: Duration,
    /// How many connections may be open; more wait.
    pub max_connections: usize,
    /// How long running requests may take to end on shutdown.
    pub shutdown_timeout: Duration,
    /// Who sends signed registrations; if nobody does, they are answered with 501.
    pub relay: Option<Relay>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            database_url: String::new(),
            poll_interval: Duration::from_secs(1),
            max_connections: 4_096,
            shutdown_timeout: Duration::from_secs(5),
            relay: None,
        }
    }
}

/// Without the database URL: it may have a password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("poll_interval", &self.poll_interval)
            .field("max_connections", &self.max_connections)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .field("relay", &self.relay)
            .finish_non_exhaustive()
    }
}
