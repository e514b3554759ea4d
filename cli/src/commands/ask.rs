//! Which gateway is asked, and as whom. There is no flag for a key: command lines can be read by everybody on the machine.

use anyhow::Result;
use client::{DiscoverError, Gateway, GatewayKey, SecretUrl, discover};

use crate::config::{GATEWAY_KEY_FILE, GATEWAY_URL, Settings};

/// Which gateway is asked, and as whom.
#[derive(Debug, Clone, clap::Args)]
pub struct AskArgs {
    /// The gateway that is asked [env: ROLLCALL_GATEWAY_URL; file: gateway_url]
    #[arg(long, value_name = "URL")]
    pub gateway_url: Option<String>,
    /// File with the API key or the JWT that the gateway wants, if it wants one; else ROLLCALL_GATEWAY_KEY [env:
    /// ROLLCALL_GATEWAY_KEY_FILE; file: gateway_key_file]
    #[arg(long, value_name = "FILE")]
    pub gateway_key_file: Option<String>,
}

impl AskArgs {
    /// The gateway of the settings.
    pub fn gateway(&self, settings: &Settings) -> Result<Gateway> {
        self.gateway_at(settings, &settings.need(&GATEWAY_URL, self.gateway_url.as_deref())?)
    }

    /// A gateway, asked with the key in `--gateway-key-file`, then `ROLLCALL_GATEWAY_KEY`, then the other ways to name a file.
    pub fn gateway_at(&self, settings: &Settings, url: &SecretUrl) -> Result<Gateway> {
        let gateway = Gateway::new(url, discover::PATIENCE)?;
        let flag = self.gateway_key_file.as_deref();
        if flag.is_none()
            && let Some(key) = GatewayKey::from_environment()?
        {
            return Ok(gateway.with_key(key));
        }
        match settings.path(&GATEWAY_KEY_FILE, flag)? {
            Some(path) => Ok(gateway.with_key_file(&path)?),
            None => Ok(gateway),
        }
    }
}

/// Why a gateway gave no answer, and what to do about it.
pub fn explain(error: DiscoverError) -> anyhow::Error {
    let advice = match (&error, error.word()) {
        (DiscoverError::Unreachable { .. }, _) => "is it running there? --gateway-url says where to look",
        (_, Some("unauthorized")) => "give the key with --gateway-key-file FILE, or in ROLLCALL_GATEWAY_KEY",
        (_, Some("unknown-service")) => "`rollcall status` lists the services that it knows",
        (_, Some("unknown-instance")) => "`rollcall discover SERVICE --all --json` shows ids",
        (_, Some("too-many-requests" | "too-many-watches")) => "try again later",
        _ => "",
    };
    if advice.is_empty() {
        return error.into();
    }
    // The cause is in the text already, and is not said twice.
    let text = format!("{error}; {advice}");
    anyhow::Error::new(error).context(text)
}
