//! An Anvil with the registry on it.

use std::{sync::LazyLock, time::Duration};

use client::{Body, Chain, Key, Publisher, Registration, Registry, SecretUrl, Service, deploy};
use tools::{Anvil, AnvilConfig, Tools};

/// Anvil's first development keys: public, and rich on every Anvil.
const KEYS: [&str; 3] = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
];

static TOOLS: LazyLock<Tools> = LazyLock::new(|| Tools::ensure().expect("the pinned tools"));

pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct World {
    pub chain: Chain,
    pub registry: Registry,
    _anvil: Anvil,
}

impl World {
    pub async fn start() -> Self {
        Self::with(AnvilConfig::default()).await
    }

    pub async fn with(config: AnvilConfig) -> Self {
        let (anvil, chain) = chain(config).await;
        let deployment = deploy::deploy(&chain, &key(0), PATIENCE).await.expect("deployed");
        Self { chain, registry: deployment.registry, _anvil: anvil }
    }

    pub fn publisher(&self, n: usize) -> Publisher {
        Publisher::new(self.registry.clone(), &key(n), PATIENCE)
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
