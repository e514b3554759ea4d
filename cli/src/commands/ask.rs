//! As whom a gateway is asked. There is no flag for a key: command lines can be read by everybody on the machine.

use std::fs;

use anyhow::{Context, Result};
use client::{Gateway, GatewayKey, SecretUrl, discover};

use crate::{
    config::{GATEWAY_KEY_FILE, GATEWAY_URL, Settings, variable},
    exit::usage,
};

/// An API key of a gateway, or a JWT.
const GATEWAY_KEY: &str = "ROLLCALL_GATEWAY_KEY";

/// As whom a gateway is asked.
#[derive(Debug, Clone, clap::Args)]
pub struct AskArgs {
    /// File with the API key or the JWT that the gateway wants, if it wants one; else ROLLCALL_GATEWAY_KEY [env:
    /// ROLLCALL_GATEWAY_KEY_FILE; file: gateway_key_file]
    #[arg(long, value_name = "FILE")]
    pub gateway_key_file: Option<String>,
}

impl AskArgs {
    /// The gateway of the settings.
    pub fn gateway(&self, settings: &Settings, flag: Option<&str>) -> Result<Gateway> {
        let url: SecretUrl = settings.need(&GATEWAY_URL, flag)?;
        let gateway = Gateway::new(&url, discover::PATIENCE)?;
        Ok(self.key(settings)?.into_iter().fold(gateway, Gateway::with_key))
    }

    /// `--gateway-key-file`, then `ROLLCALL_GATEWAY_KEY`, then the other ways to name a file.
    pub fn key(&self, settings: &Settings) -> Result<Option<GatewayKey>> {
        let flag = self.gateway_key_file.as_deref();
        if let Some(key) = variable(GATEWAY_KEY).filter(|_| flag.is_none()) {
            return Ok(Some(key.parse().context(GATEWAY_KEY)?));
        }
        let Some(path) = settings.path(&GATEWAY_KEY_FILE, flag)? else { return Ok(None) };
        let name = format!("gateway key file {}", path.display());
        let text = fs::read_to_string(&path).map_err(|error| usage(format!("{name}: {error}")))?;
        Ok(Some(text.parse().context(name)?))
    }
}
