//! An Anvil with the registry on it.

use std::{sync::LazyLock, time::Duration};

use alloy::{providers::Provider, rpc::json_rpc::RpcSend};
use client::{
    Body, Chain, Endorsements, InstanceName, Key, Publisher, Registration, Registry, SecretUrl, Service, Signer,
    deploy,
    publish::{Done, Outcome},
};
use tools::{Anvil, AnvilConfig, Tools};

/// Anvil's first development keys: public, and rich on every Anvil.
const KEYS: [&str; 4] = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
];

static TOOLS: LazyLock<Tools> = LazyLock::new(|| Tools::ensure().expect("the pinned tools"));

pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    pub chain: Chain,
    pub registry: Registry,
    pub endorsements: Endorsements,
    _anvil: Anvil,
}

impl World {
    pub async fn start() -> Self {
        Self::with(AnvilConfig::default()).await
    }

    pub async fn with(config: AnvilConfig) -> Self {
        let (anvil, chain) = chain(config).await;
        let deployment = deploy::deploy(&chain, &key(0), PATIENCE, deploy::Known::default()).await.expect("deployed");
        Self { chain, registry: deployment.registry, endorsements: deployment.endorsements, _anvil: anvil }
    }

    pub fn publisher(&self, n: usize) -> Publisher {
        Publisher::new(self.registry.clone(), &key(n), PATIENCE)
    }

    pub fn signer(&self, n: usize) -> Signer {
        Signer::new(self.registry.clone(), &key(n))
    }

    /// The chain's time.
    pub async fn now(&self) -> u64 {
        self.chain.head().await.expect("a head").time
    }

    /// Lets chain time pass.
    pub async fn pass(&self, seconds: u64) {
        self.ask("evm_increaseTime", [seconds]).await;
        self.ask("evm_mine", ()).await;
    }

    /// Asks the node.
    pub async fn ask(&self, method: &'static str, params: impl RpcSend + 'static) -> serde_json::Value {
        self.chain.provider().raw_request(method.into(), params).await.expect(method)
    }

    /// Registers an instance in the account's own namespace.
    pub async fn instance(&self, n: usize, label: &str) -> InstanceName {
        let publisher = self.publisher(n);
        let own = Service::parse_for("payments", publisher.account()).expect("a service");
        let registration = registration(own, label);
        sent(publisher.register(&registration).await);
        registration.name(publisher.account())
    }
}

pub async fn chain(config: AnvilConfig) -> (Anvil, Chain) {
    let anvil = Anvil::spawn(&TOOLS, config).await.expect("Anvil");
    let url: SecretUrl = anvil.rpc_url().parse().expect("a URL");
    let chain = Chain::connect(&url).await.expect("connected");
    (anvil, chain)
}

pub fn key(n: usize) -> Key {
    Key::from_hex(KEYS[n]).expect("a key")
}

pub fn registration(service: Service, label: &str) -> Registration {
    let body = Body {
        version: "1.2.0".into(),
        endpoints: vec!["https://a1.payments.acme.example:8443".as_bytes().to_vec().into()],
        metadata: r#"{"zone":"eu-west-1a"}"#.as_bytes().to_vec().into(),
        ttl: 30,
    };
    Registration { service, label: label.to_owned(), body }
}

/// That it took a transaction.
#[track_caller]
pub fn sent(outcome: Result<Outcome, client::ChainError>) -> Done {
    match outcome {
        Ok(Outcome::Done(done)) => done,
        other => panic!("no transaction: {other:?}"),
    }
}

/// That it was so already.
#[track_caller]
pub fn already(outcome: Result<Outcome, client::ChainError>) {
    assert!(matches!(outcome, Ok(Outcome::Already)), "{outcome:?}");
}

/// What the contract said to what it does not allow.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(result: Result<T, client::ChainError>) -> client::Refusal {
    match result {
        Err(client::ChainError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
