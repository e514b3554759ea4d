//! Who sends what others signed to a gateway: the gateway itself has neither a key nor a node.

use std::{fmt, sync::Arc, time::Duration};

use anyhow::Result;
use client::{
    Body, Chain, ChainError, Envelope, EnvelopeError, InstanceName, Key, Publisher, Registry, SecretUrl, Service,
    service::ServiceError, signed::Message,
};
use domain::Address;
use gateway::{Mined, Relay, RelayRefusal, Relayer, Told, Work};
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    commands::target::Contract,
    config::{CONTRACT, RELAY_RPC_URL, Settings},
    key,
};

/// A gateway starts without its node: reads do not need it.
const AT_START: Duration = Duration::from_secs(2);

/// Whether, and for how much, to relay.
#[derive(Debug, Clone, clap::Args)]
pub struct RelayArgs {
    /// Encrypted keystore file of the account that pays for registrations that others signed; if there is none, they are
    /// refused [env: ROLLCALL_RELAY_KEYSTORE; file: relay_keystore]
    #[arg(long, value_name = "FILE", help_heading = "Relay")]
    pub relay_keystore: Option<String>,
    /// File with the keystore's password; else ROLLCALL_RELAY_KEYSTORE_PASSWORD, or a prompt [env:
    /// ROLLCALL_RELAY_PASSWORD_FILE; file: relay_password_file]
    #[arg(long, value_name = "FILE", help_heading = "Relay")]
    pub relay_password_file: Option<String>,
    /// How much gas may be spent in any hour
    #[arg(
        long,
        value_name = "GAS",
        default_value_t = 10_000_000,
        value_parser = clap::value_parser!(u64).range(1..),
        help_heading = "Relay"
    )]
    pub relay_gas_per_hour: u64,
    /// Node that they are sent to, by HTTP [env: ROLLCALL_RELAY_RPC_URL, ROLLCALL_RPC_URL; file: rpc_url]
    #[arg(long, value_name = "URL", help_heading = "Relay")]
    pub relay_rpc_url: Option<String>,
    /// Address of the registry that is indexed [env: ROLLCALL_CONTRACT; file: contract]
    #[arg(long, value_name = "ADDRESS", help_heading = "Relay")]
    pub contract: Option<String>,
}

impl RelayArgs {
    /// A relayer, if there is a key for it.
    pub async fn relay(&self, settings: &Settings) -> Result<Option<Relay>> {
        let (keystore, password) = (self.relay_keystore.as_deref(), self.relay_password_file.as_deref());
        let Some(key) = key::relayer(settings, keystore, password).await? else { return Ok(None) };
        let rpc_url: SecretUrl = settings.need(&RELAY_RPC_URL, self.relay_rpc_url.as_deref())?;
        let Contract(contract) = settings.need(&CONTRACT, self.contract.as_deref())?;
        let relayer = ChainRelayer { key, rpc_url, contract, publisher: OnceCell::new() };
        match timeout(AT_START, relayer.publisher()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) if !error.is_transient() => return Err(error.into()),
            Ok(Err(error)) => tracing::warn!(%error, "registrations cannot be relayed yet"),
            Err(_) => tracing::warn!(node = %relayer.rpc_url, "registrations cannot be relayed yet: no answer"),
        }
        tracing::info!(account = %relayer.key.account(), gas_per_hour = self.relay_gas_per_hour, "registrations are relayed");
        Ok(Some(Relay { relayer: Arc::new(relayer), gas_per_hour: self.relay_gas_per_hour }))
    }
}

/// Sends to one registry as one account.
struct ChainRelayer {
    key: Key,
    rpc_url: SecretUrl,
    contract: Address,
    publisher: OnceCell<Publisher>,
}

impl fmt::Debug for ChainRelayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} to {} on {}", self.key, self.contract, self.rpc_url)
    }
}

impl ChainRelayer {
    /// Connects when it is first needed.
    async fn publisher(&self) -> Result<&Publisher, ChainError> {
        let connect = async || {
            let registry = Registry::at(Chain::connect(&self.rpc_url).await?, self.contract).await?;
            Ok(Publisher::new(registry, &self.key, Publisher::PATIENCE))
        };
        self.publisher.get_or_try_init(connect).await
    }

    async fn quote(&self, signed: &api::SignedRegistration) -> Result<u64, RelayRefusal> {
        let envelope = envelope(signed)?;
        let publisher = self.publisher().await.map_err(refusal)?;
        publisher.quote(&envelope).await.map_err(refusal)
    }

    async fn send(
        &self,
        signed: &api::SignedRegistration,
        max_gas: u64,
        sent: &Told<'_>,
    ) -> Result<Mined, RelayRefusal> {
        let envelope = envelope(signed)?;
        let publisher = self.publisher().await.map_err(refusal)?;
        let done = publisher.relay_within(&envelope, max_gas, sent).await.map_err(refusal)?;
        Ok(Mined { transaction: done.tx, block: done.block })
    }
}

impl Relayer for ChainRelayer {
    fn quote<'a>(&'a self, signed: &'a api::SignedRegistration) -> Work<'a, u64> {
        Box::pin(self.quote(signed))
    }

    fn send<'a>(&'a self, signed: &'a api::SignedRegistration, max_gas: u64, sent: &'a Told<'a>) -> Work<'a, Mined> {
        Box::pin(self.send(signed, max_gas, sent))
    }
}

/// What was sent to the gateway, as the chain's side has it.
fn envelope(signed: &api::SignedRegistration) -> Result<Envelope, RelayRefusal> {
    let message = &signed.message;
    let wrong = |error: ServiceError| RelayRefusal::Input(error.to_string());
    let service: Service = message.service.parse().map_err(wrong)?;
    let name = InstanceName { service, registrant: message.registrant, label: message.label.clone() };
    let body = Body {
        version: message.version.clone(),
        endpoints: message.endpoints.iter().map(|endpoint| endpoint.0.clone()).collect(),
        metadata: message.metadata.0.clone(),
        ttl: message.ttl_s,
    };
    Ok(Envelope {
        chain_id: signed.chain_id,
        contract: signed.contract,
        message: Message::Register { name, body, epoch: message.epoch },
        deadline: signed.deadline,
        signature: signed.signature.0.clone(),
    })
}

/// For strangers: which node it is, and what it said, is for the log.
fn refusal(error: ChainError) -> RelayRefusal {
    match error {
        ChainError::Envelope(EnvelopeError::OtherChain { here, .. }) => RelayRefusal::OtherChain { here },
        ChainError::Envelope(EnvelopeError::OtherContract { here, .. }) => RelayRefusal::OtherRegistry { here },
        ChainError::Input(error) => RelayRefusal::Input(error.to_string()),
        ChainError::Refused(refusal) => RelayRefusal::Refused(refusal.to_string()),
        error @ ChainError::TooMuchGas { .. } => RelayRefusal::Refused(error.to_string()),
        error => {
            tracing::warn!(%error, "a registration cannot be relayed");
            let text = match error {
                ChainError::InsufficientFunds { .. } => "the gateway's account cannot pay for it",
                ChainError::NotMined { .. } => "its transaction is in no block yet, and may still get into one",
                ChainError::Contended { .. } => "the gateway's account is in use by others",
                _ => "the chain cannot be asked",
            };
            RelayRefusal::Unavailable(text.to_owned())
        }
    }
}
