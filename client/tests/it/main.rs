//! The SDK against a real chain.

mod authority;
mod deploy;
mod endorse;
mod grants;
mod nonces;
mod publish;
mod reap;
mod signed;
mod world;
