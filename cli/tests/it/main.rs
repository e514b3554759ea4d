//! The binary, as users call it.

mod access;
mod config;
mod flow;
mod help;
mod keys;
mod program;
mod up;
