//! The real programs, installed, started, killed and left over. One module per behaviour.
#![expect(clippy::unwrap_used, reason = "these are tests, with functions of their own")]

mod anvil;
mod helper;
mod install;
mod postgres;
mod run_dir;
mod wire;
