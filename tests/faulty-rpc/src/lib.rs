//! A JSON-RPC proxy that stands before a node and misbehaves on demand: for tests of programs that trust no node.
//!
//! What it does: it serves HTTP and WebSocket on one port of 127.0.0.1, passes every request to the node behind it, and
//! changes the answers as the [`Fault`] says that is set at the moment. Batches are answered item by item; over
//! WebSocket, subscriptions are passed through.
//!
//! What it does **not**: no filters (`eth_newFilter`), which always tell the truth; of the notifications it changes only
//! those of `newHeads`; it limits nothing and keeps nothing, so two questions about the same block get answers that fit
//! to each other because each is the same function of the truth.
//!
//! In reading order:
//! - `fault`: [`Fault`], [`Part`]
//! - `message`: requests and answers as values; `blocks`: how a request names blocks
//! - pure, a question or an answer in and one out: `whole` (messages that are not answered at all, or with garbage),
//!   `refuse` (ranges, the chain's id), `behind` (lag, a head that goes back), `ahead` (a head
//!   that is not there), `replace`, `logs`
//! - `upstream`: what the node behind is asked; `proxy`: which fault needs what of it
//! - the sockets: `server`, `http`, `ws`

mod ahead;
mod behind;
mod blocks;
mod fault;
mod http;
mod logs;
mod message;
mod proxy;
mod refuse;
mod replace;
mod server;
mod upstream;
mod whole;
mod ws;

use std::{fmt, io, net::Ipv4Addr, sync::Arc};

use tokio::{net::TcpListener, sync::watch};

pub use fault::{Fault, Part};
use proxy::{Asked, Proxy, Setting};
use upstream::Upstream;

/// Why a proxy cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No port to listen on.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[source] io::Error),
    /// No client for the node behind.
    #[error("cannot make the HTTP client for the node behind")]
    Client(#[source] reqwest::Error),
}

/// A running proxy. Dropping it stops it and closes its connections.
pub struct FaultyRpc {
    port: u16,
    setting: watch::Sender<Setting>,
    asked: Arc<Asked>,
}

impl FaultyRpc {
    /// Listens on a free port, with no fault. Nothing is asked of the node yet: it need not even run.
    ///
    /// # Errors
    /// When there is no port, or no HTTP client to be had.
    pub async fn start(upstream_http: &str, upstream_ws: &str) -> Result<FaultyRpc, Error> {
        let upstream = Upstream::new(upstream_http, upstream_ws).map_err(Error::Client)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::Listen)?;
        let port = listener.local_addr().map_err(Error::Listen)?.port();
        // Whoever serves has only receivers: without the sender, which is ours, they stop.
        let (setting, receiver) = watch::channel(Setting::default());
        let asked = Arc::new(Asked::default());
        let proxy = Proxy::new(upstream, receiver, asked.clone());
        tokio::spawn(server::serve(listener, proxy));
        Ok(FaultyRpc { port, setting, asked })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// `ws://127.0.0.1:PORT`
    pub fn ws_url(&self) -> String {
        format!("ws://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// What is wrong from the next message on, on open connections as well. What takes turns begins anew.
    pub fn set(&self, fault: Fault) {
        self.setting.send_modify(|setting| *setting = setting.next(fault));
    }

    /// How many requests of a method have come, answered or not; each item of a batch is one.
    pub fn asked(&self, method: &str) -> u64 {
        self.asked.of(method)
    }

    /// How many requests have come, of whatever method.
    pub fn asked_in_all(&self) -> u64 {
        self.asked.in_all()
    }
}

impl fmt::Debug for FaultyRpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyRpc").field("port", &self.port).field("fault", &self.setting.borrow().fault).finish()
    }
}
