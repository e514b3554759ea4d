//! The binary, as users call it.

mod access;
mod config;
mod contract;
mod flow;
mod gateway;
mod help;
mod keys;
mod program;
mod registration;
mod traces;
mod up;
mod watching;
