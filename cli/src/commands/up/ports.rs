//! Ports, looked at before anything is started.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Result;

use super::Args;
use crate::exit::usage;

/// Whether nobody listens on this port of the loopback interface.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// All ports must be free; 0 always is.
pub fn check(args: &Args) -> Result<()> {
    let ports = [
        (args.rpc_port, "--rpc-port", "the chain"),
        (args.gateway_port, "--gateway-port", "the gateway"),
        (args.gateway_admin_port, "--gateway-admin-port", "the gateway"),
        (args.indexer_port, "--indexer-port", "the indexer"),
    ];
    for (n, (port, flag, what)) in ports.into_iter().enumerate() {
        if let Some((_, other, _)) = ports[..n].iter().find(|(other, ..)| port != 0 && *other == port) {
            return Err(usage(format!("{other} and {flag} are both {port}: they must differ")));
        }
        if !is_free(port) {
            return Err(usage(format!(
                "port {port}, which {what} needs, is taken by another program: stop it, or choose another port with \
                 {flag} (0 takes a free one)"
            )));
        }
    }
    Ok(())
}
