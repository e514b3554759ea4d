use std::net::{Ipv4Addr, TcpListener};

use crate::Error;

/// A TCP port of 127.0.0.1 that nobody listens on now.
///
/// Somebody may take it before you do: try again with another when the bind fails.
///
/// # Errors
/// When the system has no free port.
pub fn free_port() -> Result<u16, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(Error::io("find a free port on", "127.0.0.1"))
}
