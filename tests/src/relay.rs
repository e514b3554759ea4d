//! A wire to Postgres that can be cut: then nobody is told anything, neither that a connection ended nor that there is none.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A wire to one server. Dropping it ends all its connections.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    server: String,
    wire: watch::Sender<Wire>,
    _accepting: JoinSet<()>,
}

/// What goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    All,
    Nothing,
    /// Connections that name this at their beginning.
    Only(&'static str),
}

impl Relay {
    /// A wire to the server of a database.
    pub async fn start(database_url: &str) -> Result<Self> {
        let (_, rest) = database_url.split_once('@').context("a database URL with a user")?;
        let (server, _) = rest.split_once('/').context("a database URL with a database")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (wire, state) = watch::channel(Wire::All);
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(listener, server.to_owned(), state));
        Ok(Self { address, server: server.to_owned(), wire, _accepting: accepting })
    }

    /// The same database through the wire. Not encrypted: the wire reads who speaks.
    pub fn url(&self, database_url: &str) -> String {
        format!("{}?sslmode=disable", database_url.replace(&self.server, &self.address.to_string()))
    }

    /// Cuts it: what is open falls silent, and what is opened gets no answer.
    pub fn cut(&self) {
        self.wire.send_replace(Wire::Nothing);
    }

    /// Cuts it for all connections but those of this application.
    pub fn cut_but(&self, application: &'static str) {
        self.wire.send_replace(Wire::Only(application));
    }

    /// Lets new connections through. The server has noticed meanwhile that those that were cut are gone; who is at their
    /// other end hears nothing of it.
    pub fn mend(&self) {
        self.wire.send_replace(Wire::All);
    }
}

async fn accept(listener: TcpListener, server: String, wire: watch::Receiver<Wire>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(pass(client, server.clone(), wire.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn pass(mut client: TcpStream, server: String, mut wire: watch::Receiver<Wire>) {
    let mut beginning = vec![0; 1024];
    let Ok(length) = client.peek(&mut beginning).await else { return };
    beginning.truncate(length);
    let is_cut = |wire: &Wire| match wire {
        Wire::All => false,
        Wire::Nothing => true,
        Wire::Only(name) => !beginning.windows(name.len()).any(|part| part == name.as_bytes()),
    };
    if !is_cut(&wire.borrow()) {
        let Ok(mut server) = TcpStream::connect(server).await else { return };
        let ended = tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => true,
            cut = wire.wait_for(is_cut) => cut.is_err(),
        };
        if ended {
            return;
        }
        let _ = wire.wait_for(|wire| !is_cut(wire)).await;
    }
    // Open, and silent for ever.
    let _silent = client;
    std::future::pending::<()>().await;
}
