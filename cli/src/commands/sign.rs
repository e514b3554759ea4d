//! To sign instead of to send: the flags, and what is printed.

use std::time::Duration;

use anyhow::Result;
use client::{Envelope, Signer};

use crate::{
    commands::{target::duration, term},
    out,
};

/// Whether to sign only.
#[derive(Debug, Clone, clap::Args)]
pub struct SignArgs {
    /// Sign, print it as one line of JSON, and send nothing: `rollcall relay` sends it from any account with ether
    #[arg(long, help_heading = "Signing")]
    pub sign_only: bool,
    /// How long it can be relayed, from now on by the chain's time
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = valid_for,
        default_value = "1h",
        requires = "sign_only",
        help_heading = "Signing"
    )]
    pub valid_for: Duration,
}

impl SignArgs {
    /// The last second at which it can be relayed.
    pub async fn deadline(&self, signer: &Signer) -> Result<u64> {
        term::after(signer.registry().chain(), self.valid_for).await
    }
}

/// At least a second: what cannot be sent any more needs no signature.
fn valid_for(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_secs(1) { Err("at least 1s".to_owned()) } else { Ok(duration) }
}

/// Prints an envelope in one line.
pub fn print(envelope: &Envelope) -> Result<()> {
    out::json(envelope, false)
}
