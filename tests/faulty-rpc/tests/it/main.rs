//! Each fault on a real Anvil: what comes without it, with it and after it, over HTTP and over WebSocket.
#![expect(clippy::unwrap_used, reason = "these are tests, with functions of their own")]

mod answers;
mod behind;
mod connections;
mod helper;
mod logs;
mod notifications;
mod replace;
