//! The SDK against a real chain.

mod deploy;
mod nonces;
mod publish;
mod world;
