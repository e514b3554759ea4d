//! Anvil, and the contracts on it.

use std::time::Duration;

use alloy::{
    primitives::{Address, B256, U256, keccak256},
    providers::Provider,
};
use anyhow::{Context, Result};
use client::{Chain, Key, Publisher, Registry, SecretUrl, deploy};
use serde_json::{Value, json};
use tools::{Anvil, AnvilConfig, Tools};

use super::{
    accounts::Account,
    folder::{CHAIN, Deployed, Folder},
};

/// Of our chain, so that chain time runs while nobody sends anything.
const BLOCK_TIME: Duration = Duration::from_secs(1);
/// Anvil writes its state at an orderly stop, which follows when we are killed, too; this is for when it is killed.
const STATE_INTERVAL: Duration = Duration::from_secs(5);

/// A running chain with the contracts on it.
pub struct LocalChain {
    /// The node.
    pub anvil: Anvil,
    /// Where it answers.
    pub rpc_url: SecretUrl,
    /// The registry.
    pub registry: Registry,
    /// Where the endorsements of its instances are.
    pub endorsements: Address,
    /// Where the registry is, and on which chain.
    pub deployed: Deployed,
    /// Hash of the block of its deployment.
    deploy_hash: B256,
}

impl LocalChain {
    /// Starts Anvil. Until [`LocalChain::mine_by_time`] it mines a block for each transaction, at once.
    pub async fn start(tools: &Tools, folder: &Folder, port: u16) -> Result<(Anvil, Chain)> {
        let config = AnvilConfig {
            port: Some(port).filter(|port| *port != 0),
            state: Some(folder.path(CHAIN)),
            state_interval: Some(STATE_INTERVAL),
            slots_in_an_epoch: 1,
            log: Some(folder.log("anvil")?),
            pid_file: Some(folder.pid_file("anvil")),
            ..AnvilConfig::default()
        };
        let anvil = Anvil::spawn(tools, config).await.with_context(|| match folder.path(CHAIN).exists() {
            true => "starting Anvil (if its saved chain is damaged, --fresh begins a new one)",
            false => "starting Anvil",
        })?;
        let chain = Chain::connect(&anvil.rpc_url().parse()?).await?;
        Ok((anvil, chain))
    }

    /// Deploys the contracts, or finds them where the last run had them. Says whether the registry was there.
    pub async fn deploy(anvil: Anvil, chain: Chain, before: Option<Deployed>) -> Result<(Self, bool)> {
        let key = Account::of("deployer")?.key()?;
        let genesis = chain.genesis().await?;
        let deployment = deploy::deploy(&chain, &key, Publisher::PATIENCE, deploy::Known::default())
            .await
            .context("deploying the contracts")?;
        let contract = deployment.registry.address();
        let before = before.filter(|known| known.genesis == genesis && known.contract == contract);
        // A node that was started again does not know old states: the last run does.
        let known = before.map(|known| known.block).filter(|_| deployment.tx.is_none());
        let block = known.or(deployment.deploy_block).unwrap_or(0);
        let deploy_hash = chain.block_at(block).await?.context("the chain has no deploy block")?.block.hash;
        let rpc_url = anvil.rpc_url().parse()?;
        let deployed = Deployed { genesis, contract, block };
        let there = deployment.tx.is_none();
        let endorsements = deployment.endorsements.address();
        Ok((Self { anvil, rpc_url, registry: deployment.registry, endorsements, deployed, deploy_hash }, there))
    }

    /// A name for the index of just this registry on just this chain.
    pub fn database_name(&self) -> String {
        let Deployed { genesis, contract, .. } = self.deployed;
        let digest = keccak256([genesis.as_slice(), contract.as_slice(), self.deploy_hash.as_slice()].concat());
        format!("rollcall_{}", alloy::hex::encode(&digest[..4]))
    }

    /// Gives an account ether.
    pub async fn fund(&self, account: Address) -> Result<()> {
        let ether = U256::from(10).pow(U256::from(18 + 4));
        self.raw("anvil_setBalance", json!([account, ether])).await
    }

    /// From now on there is a block every second, and none in between.
    pub async fn mine_by_time(&self) -> Result<()> {
        self.raw("evm_setIntervalMining", json!([BLOCK_TIME.as_secs()])).await
    }

    /// Publishes as the holder of this key.
    pub fn publisher(&self, key: &Key) -> Publisher {
        Publisher::new(self.registry.clone(), key, Publisher::PATIENCE)
    }

    async fn raw(&self, method: &'static str, params: Value) -> Result<()> {
        let provider = self.registry.chain().provider();
        let _: Value = provider.raw_request(method.into(), params).await.context(method)?;
        Ok(())
    }
}
