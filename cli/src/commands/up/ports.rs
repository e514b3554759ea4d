//! Ports, looked at before anything is started.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Result;

use crate::exit::usage;

/// Whether nobody listens on this port of the loopback interface.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Both ports must be free; 0 always is.
pub fn check(rpc_port: u16, gateway_port: u16) -> Result<()> {
    if rpc_port != 0 && rpc_port == gateway_port {
        return Err(usage(format!("--rpc-port and --gateway-port are both {rpc_port}: they must differ")));
    }
    for (port, flag, what) in [(rpc_port, "--rpc-port", "the chain"), (gateway_port, "--gateway-port", "the gateway")] {
        if !is_free(port) {
            return Err(usage(format!(
                "port {port}, which {what} needs, is taken by another program: stop it, or choose another port with \
                 {flag} (0 takes a free one)"
            )));
        }
    }
    Ok(())
}
