//! Who is at the other end of a connection, as the listener saw it: an extension of each request.

use std::{net::SocketAddr, sync::Arc};

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// Where the connection comes from.
    pub(crate) address: SocketAddr,
    /// The client's certificate as DER, verified in the handshake; none without TLS or if the client showed none.
    pub(crate) certificate: Option<Arc<[u8]>>,
}
