//! How a gateway is configured.

use std::{fmt, net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use crate::AccessRules;

use crate::Relay;

/// How a gateway is configured.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where operators ask for `/metrics`, in cleartext; none: nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// Certificate and key for `listen`; none: cleartext.
    pub tls: Option<Tls>,
    /// The database that the indexer fills, or a replica of it: `postgres://user:password@host:port/database`. A role
    /// that may only read is enough.
    pub database_url: String,
    /// How often to look for changes when nobody rings. Small, since it bounds how stale a gateway on a replica is.
    pub poll_interval: Duration,
    /// Who may ask.
    pub access: AccessRules,
    /// A file for what the gateway knows: served when the database is away at start.
    pub snapshot: Option<PathBuf>,
    /// How often to write that file.
    pub snapshot_interval: Duration,
    /// What clients may take.
    pub limits: Limits,
    /// How long running requests may take to end on shutdown.
    pub shutdown_timeout: Duration,
    /// Who sends signed registrations; if nobody does, they are answered with 501.
    pub relay: Option<Relay>,
}

/// TLS, out of PEM files. They are read again and again: new ones are in use seconds later, bad ones are not.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate, and those between it and the root.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// How clients may or must say who they are.
    pub clients: Option<ClientTls>,
    /// How often to look whether the files have changed.
    pub reload_every: Duration,
}

/// Certificates of clients.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// Who may have signed them.
    pub authorities: PathBuf,
    /// Whether a client without one is turned away; a bad one always is.
    pub required: bool,
}

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many connections may be open; more wait. Never more than the system's limit of open files leaves.
    pub connections: usize,
    /// How many of them one client may have; more are closed at once. None: all.
    pub connections_per_client: Option<usize>,
    /// How many requests one client may send; more are answered with 429. None: any number.
    pub rate: Option<ClientRate>,
    /// How long a client may take to shake hands, and to send the head of a request.
    pub head_within: Duration,
    /// How long a connection may be open without a request.
    pub idle_within: Duration,
    /// How long a client may read nothing of what it asked for.
    pub write_within: Duration,
}

/// Requests of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientRate {
    /// In the long run.
    pub per_second: NonZeroU32,
    /// At once, after a pause.
    pub burst: NonZeroU32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin_listen: None,
            tls: None,
            database_url: String::new(),
            poll_interval: Duration::from_secs(1),
            access: AccessRules::default(),
            snapshot: None,
            snapshot_interval: Duration::from_secs(60),
            limits: Limits::default(),
            shutdown_timeout: Duration::from_secs(5),
            relay: None,
        }
    }
}

impl Tls {
    /// Server certificate and key alone.
    pub fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key, clients: None, reload_every: Duration::from_secs(5) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_per_client: None,
            rate: None,
            head_within: Duration::from_secs(30),
            idle_within: Duration::from_secs(60),
            write_within: Duration::from_secs(30),
        }
    }
}

/// Without the database URL: it may have a password.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .field("admin_listen", &self.admin_listen)
            .field("tls", &self.tls)
            .field("poll_interval", &self.poll_interval)
            .field("access", &self.access)
            .field("snapshot", &self.snapshot)
            .field("limits", &self.limits)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .field("relay", &self.relay)
            .finish_non_exhaustive()
    }
}
