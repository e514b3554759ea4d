//! The real programs, installed, started, killed and left over. One module per behaviour.

mod anvil;
mod helper;
mod install;
mod postgres;
mod run_dir;
mod wire;
