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
        value_parser = duration,
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

/// Prints an envelope in one line.
pub fn print(envelope: &Envelope) -> Result<()> {
    out::json(envelope, false)
}
