//! Flags that several commands share, and what they lead to.

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;
use client::{
    Chain, ChainError, Key, Publisher, Registry, SecretUrl, Service, Signer,
    publish::{Done, Outcome},
};
use domain::{Address, Namespace, TextError};
use serde::Serialize;

use crate::{
    config::{CONTRACT, RPC_URL, Settings},
    exit::usage,
    key::{self, SignerArgs},
};

/// Which registry, on which chain.
#[derive(Debug, Clone, clap::Args)]
pub struct RegistryArgs {
    /// Node of the chain, by HTTP [env: ROLLCALL_RPC_URL; file: rpc_url]
    #[arg(long, value_name = "URL", help_heading = "Chain")]
    pub rpc_url: Option<String>,
    /// Address of the registry [env: ROLLCALL_CONTRACT; file: contract]
    #[arg(long, value_name = "ADDRESS", help_heading = "Chain")]
    pub contract: Option<String>,
}

/// A registry, and who signs.
#[derive(Debug, Clone, clap::Args)]
pub struct PublishArgs {
    /// Which registry
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Who signs
    #[command(flatten)]
    pub signer: SignerArgs,
    /// How many seconds to wait for a transaction to get into a block
    #[arg(long, value_name = "SECONDS", default_value_t = Publisher::PATIENCE.as_secs(), help_heading = "Chain")]
    pub wait: u64,
}

impl RegistryArgs {
    /// Connects to the node and finds the registry.
    pub async fn connect(&self, settings: &Settings) -> Result<Registry> {
        let rpc_url: SecretUrl = settings.need(&RPC_URL, self.rpc_url.as_deref())?;
        let contract: Contract = settings.need(&CONTRACT, self.contract.as_deref())?;
        Ok(Registry::at(Chain::connect(&rpc_url).await?, contract.0).await?)
    }
}

impl PublishArgs {
    /// Connects to the registry as the account that signs.
    pub async fn connect(&self, settings: &Settings) -> Result<Publisher> {
        let (key, registry) = self.open(settings).await?;
        Ok(Publisher::new(registry, &key, Duration::from_secs(self.wait)))
    }

    /// The same for who signs and sends nothing.
    pub async fn sign(&self, settings: &Settings) -> Result<Signer> {
        let (key, registry) = self.open(settings).await?;
        Ok(Signer::new(registry, &key))
    }

    async fn open(&self, settings: &Settings) -> Result<(Key, Registry)> {
        // The key first: it needs no network.
        let key = key::signer(settings, &self.signer).await?;
        Ok((key, self.registry.connect(settings).await?))
    }

    /// The same for what is to run on: waits for a node that does not answer yet.
    pub async fn connect_patiently(&self, settings: &Settings) -> Result<Publisher> {
        let key = key::signer(settings, &self.signer).await?;
        loop {
            match self.registry.connect(settings).await {
                Ok(registry) => return Ok(Publisher::new(registry, &key, Duration::from_secs(self.wait))),
                Err(error) if error.downcast_ref::<ChainError>().is_some_and(ChainError::is_transient) => {
                    tracing::warn!("{error:#}; trying again");
                    tokio::time::sleep(CONNECT_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Between two attempts to reach a node that does not answer yet.
pub const CONNECT_PAUSE: Duration = Duration::from_secs(2);

/// An address whose error says what one looks like.
#[derive(Debug, Clone, Copy)]
pub struct Contract(pub Address);

impl std::str::FromStr for Contract {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        account(s).map(Self)
    }
}

/// Where to listen, or `none`.
#[derive(Debug, Clone, Copy)]
pub struct OptionalAddress(pub Option<SocketAddr>);

impl std::str::FromStr for OptionalAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        text.parse().map(|address| Self(Some(address))).map_err(|_| "an address such as 127.0.0.1:9465, or none".into())
    }
}

/// An account, or an error that says what one looks like. The case of the letters is a checksum, if both are there.
pub fn account(text: &str) -> Result<Address, String> {
    let text = text.trim();
    let account: Address =
        text.parse().map_err(|_| "not an address: expected 0x and 40 hexadecimal digits".to_owned())?;
    let digits = text.get(2..).unwrap_or_default();
    let mixed = digits.contains(|c: char| c.is_ascii_lowercase()) && digits.contains(|c: char| c.is_ascii_uppercase());
    if mixed && account.to_checksum(None)[2..] != *digits {
        return Err("mistyped: its upper and lower case letters are a checksum that does not fit (EIP-55)".to_owned());
    }
    Ok(account)
}

/// As [`account`], where nobody makes no sense.
pub fn somebody(text: &str) -> Result<Address, String> {
    let account = account(text)?;
    if account.is_zero() { Err("the zero address is nobody's".to_owned()) } else { Ok(account) }
}

/// A claimed label, or an account.
pub fn namespace(text: &str) -> Result<Namespace, String> {
    match text.get(..2) {
        Some("0x" | "0X") => account(text).map(Namespace::Account),
        _ => text.parse().map_err(|error: TextError| error.to_string()),
    }
}

/// The transaction of what was not so already.
pub fn transaction(outcome: &Outcome) -> Option<Transaction> {
    match outcome {
        Outcome::Done(done) => Some(Transaction::from(done)),
        Outcome::Already => None,
    }
}

/// Since when it is so, in words.
pub fn when(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done(done) => format!("(since block {})", done.block.number),
        Outcome::Already => "(it was so already)".to_owned(),
    }
}

/// `ns/name`, or `name` in the account's own namespace.
pub fn service(text: &str, account: Address) -> Result<Service> {
    if let Some((given, _)) = text.split_once('/') {
        namespace(given).map_err(|error| usage(format!("{}: {error}", domain::text::clip(given))))?;
    }
    Service::parse_for(text, account).map_err(|error| usage(error.to_string()))
}

/// A transaction in a block, as JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Transaction {
    /// Its hash.
    pub tx: String,
    /// The number of its block.
    pub block_number: u64,
    /// The hash of its block.
    pub block_hash: String,
}

impl From<&Done> for Transaction {
    fn from(done: &Done) -> Self {
        Self { tx: done.tx.to_string(), block_number: done.block.number, block_hash: done.block.hash.to_string() }
    }
}

/// Reads `10s`, `500ms`, `2m`, `1h`, `30d`, or a bare number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("expected a number with ms, s, m, h or d, such as 10s".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a number with ms, s, m, h or d, such as 10s".to_owned())?;
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}

/// A pause between two looks: short enough that chain time, which runs no more than 3 s ahead, never stands for it.
pub fn poll_interval(text: &str) -> Result<Duration, String> {
    let pause = duration(text)?;
    let allowed = Duration::from_millis(10)..=Duration::from_secs(1);
    if allowed.contains(&pause) { Ok(pause) } else { Err("10ms to 1s".to_owned()) }
}

/// How often something is done that costs a little; 0 is never.
pub fn seldom(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every.is_zero() || every >= Duration::from_secs(1) { Ok(every) } else { Err("1s and more, or 0".to_owned()) }
}

/// A lease, in whole seconds.
pub fn ttl(text: &str) -> Result<u32, String> {
    let duration = duration(text)?;
    let seconds = u32::try_from(duration.as_secs()).map_err(|_| "5s to 30d".to_owned())?;
    if duration.subsec_millis() != 0 || !client::service::TTL.contains(&seconds) {
        return Err("whole seconds from 5s to 30d".to_owned());
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_case_of_an_address_is_a_checksum() {
        let right = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
        let upper = format!("0x{}", right[2..].to_uppercase());
        for text in [right, &right.to_lowercase(), &upper, &format!(" {right} ")] {
            assert_eq!(account(text).map(|account| account.to_string()), Ok(right.to_owned()), "{text}");
        }
        let mistyped = right.replacen('C', "c", 1);
        for text in [&*mistyped, "0x3C44", "acme", ""] {
            assert!(account(text).is_err(), "{text}");
        }
        assert!(namespace(&mistyped).expect_err("mistyped").contains("checksum"));
        assert!(service(&format!("{mistyped}/payments"), Address::ZERO).is_err());
        assert_eq!(namespace("acme"), Ok(Namespace::Label("acme".to_owned())));
        assert!(somebody(&Address::ZERO.to_string()).is_err());
    }

    #[test]
    fn a_poll_interval_is_short() {
        assert_eq!(poll_interval("1s"), Ok(Duration::from_secs(1)));
        for wrong in ["0", "5s", "1ms", "soon"] {
            assert!(poll_interval(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [("500ms", 500), ("10s", 10_000), ("7", 7_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "s", "1.5s", "-1s", "10 s", "1w", "99999999999999999999s", "18446744073709551615d"] {
            assert!(duration(bad).is_err(), "{bad:?}");
        }
        assert_eq!(ttl("30d"), Ok(2_592_000));
        for bad in ["4s", "31d", "5500ms", "0"] {
            assert!(ttl(bad).is_err(), "{bad:?}");
        }
    }
}
