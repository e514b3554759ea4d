//! The binary, as users call it.

mod config;
mod help;
mod keys;
mod program;
mod up;
