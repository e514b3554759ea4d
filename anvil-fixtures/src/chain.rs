//! An Anvil with the registry on it.

use alloy::{
    eips::BlockId,
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, address, keccak256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::{Block, TransactionRequest},
    sol_types::SolCall,
};
use anyhow::{Context, Result, ensure};
use bindings::{
    Endorsements, ServiceRegistry,
    canonical::{self, CREATE2_DEPLOYER},
};
use domain::BlockRef;
use serde_json::{Value, json};

/// Timestamp of block 0 in every scenario: pass it to Anvil as `--timestamp`.
pub const GENESIS_TIME: u64 = 1_767_225_600; // 2026-01-01T00:00:00Z

/// Anvil's first development accounts. They are unlocked, so that scenarios need no keys.
pub const ACCOUNTS: [Address; 5] = [
    address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
    address!("70997970C51812dc3A010C7d01b50e0d17dc79C8"),
    address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
    address!("90F79bf6EB2c4f870365E785982E1f101E93b906"),
    address!("15d34AAf54267DB7D7c367839AAf71A00a2C6A65"),
];

/// An Anvil, and the registry at the address that CREATE2 gives it.
#[derive(Debug, Clone)]
pub struct Chain {
    provider: DynProvider,
    registry: Address,
}

impl Chain {
    /// Connects to an Anvil at an HTTP URL; sends nothing.
    pub fn connect(rpc_url: &str) -> Result<Self> {
        let provider = ProviderBuilder::new().connect_http(rpc_url.parse().context("RPC URL")?).erased();
        let registry = canonical::registry();
        Ok(Self { provider, registry })
    }

    /// Where the registry is, once it is deployed.
    pub fn registry(&self) -> Address {
        self.registry
    }

    /// Where the registry's endorsements are, once they are deployed.
    pub fn endorsements(&self) -> Address {
        canonical::endorsements(self.registry)
    }

    /// The provider, for views and for what this type has no word for.
    pub fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// The registry's bindings: views answer, writes need [`Chain::send`].
    pub fn contract(&self) -> ServiceRegistry::ServiceRegistryInstance<DynProvider> {
        ServiceRegistry::new(self.registry, self.provider.clone())
    }

    /// Deploys the registry from the first account and mines the block.
    pub async fn deploy(&self) -> Result<()> {
        self.create2(&ServiceRegistry::BYTECODE).await?;
        let code = self.provider.get_code_at(self.registry).await?;
        ensure!(keccak256(&code) == keccak256(&ServiceRegistry::DEPLOYED_BYTECODE), "the registry's code is not ours");
        Ok(())
    }

    /// Deploys the endorsements of the registry from the first account and mines the block.
    pub async fn deploy_endorsements(&self) -> Result<()> {
        self.create2(&canonical::endorsements_code(self.registry)).await?;
        let endorsements = Endorsements::new(self.endorsements(), self.provider.clone());
        ensure!(endorsements.registry().call().await? == self.registry, "the endorsements are not of our registry");
        Ok(())
    }

    async fn create2(&self, code: &[u8]) -> Result<()> {
        let input = [B256::ZERO.as_slice(), code].concat();
        let tx = TransactionRequest::default()
            .with_from(ACCOUNTS[0])
            .with_to(CREATE2_DEPLOYER)
            .with_gas_limit(8_000_000)
            .with_input(Bytes::from(input));
        let hash = self.queue(tx).await?;
        self.mine_after(1).await?;
        self.succeeded(hash).await
    }

    /// Sends one call to the registry, mines it into a block one second after the last, and checks that it succeeded.
    pub async fn send(&self, from: Address, call: &impl SolCall) -> Result<B256> {
        let hash = self.queue(self.transaction(from, call)).await?;
        self.mine_after(1).await?;
        self.succeeded(hash).await?;
        Ok(hash)
    }

    /// As [`Chain::send`], to the endorsements.
    pub async fn endorse(&self, from: Address, call: &impl SolCall) -> Result<B256> {
        let hash = self.queue(self.transaction(from, call).with_to(self.endorsements())).await?;
        self.mine_after(1).await?;
        self.succeeded(hash).await?;
        Ok(hash)
    }

    /// Sends calls of one account into one block, and checks that all succeeded.
    pub async fn send_all<C: SolCall>(&self, from: Address, calls: &[C]) -> Result<()> {
        let time = self.time().await? + 1;
        self.send_all_at(from, calls.iter().map(|call| call.abi_encode().into()), time).await
    }

    /// Sends encoded calls of one account into one block at an exact time, and checks that all succeeded.
    pub async fn send_all_at(&self, from: Address, calls: impl IntoIterator<Item = Bytes>, time: u64) -> Result<()> {
        let mut hashes = Vec::new();
        for call in calls {
            hashes.push(self.queue(self.encoded(from, call)).await?);
        }
        self.mine_at(time).await?;
        for hash in hashes {
            self.succeeded(hash).await?;
        }
        Ok(())
    }

    /// Mines an empty block `seconds` after the last one.
    pub async fn mine_after(&self, seconds: u64) -> Result<()> {
        let time = self.time().await? + seconds;
        self.mine_at(time).await
    }

    /// Mines a block at an exact time, which must lie after the last block's.
    pub async fn mine_at(&self, time: u64) -> Result<()> {
        self.raw("evm_setNextBlockTimestamp", json!([time])).await?;
        self.raw("evm_mine", json!([])).await?;
        Ok(())
    }

    /// Timestamp of the newest block, in seconds.
    pub async fn time(&self) -> Result<u64> {
        Ok(self.newest().await?.header.timestamp)
    }

    /// The newest block.
    pub async fn head(&self) -> Result<BlockRef> {
        let header = self.newest().await?.header;
        Ok(BlockRef { number: header.number, hash: header.hash })
    }

    /// Replaces the newest `depth` blocks by as many empty ones with new hashes. Anvil tells nobody.
    pub async fn reorg(&self, depth: u64) -> Result<()> {
        self.raw("anvil_reorg", json!([depth, []])).await?;
        Ok(())
    }

    /// Drops the newest `depth` blocks. Anvil tells nobody.
    pub async fn rollback(&self, depth: u64) -> Result<()> {
        self.raw("anvil_rollback", json!([depth])).await?;
        Ok(())
    }

    /// The whole chain, gzipped, as [`Chain::load`] takes it.
    pub async fn dump(&self) -> Result<Bytes> {
        let dump = self.raw("anvil_dumpState", json!([])).await?;
        Ok(serde_json::from_value(dump)?)
    }

    /// Puts the chain of a dump in place of this one. Anvil must have been started at [`GENESIS_TIME`].
    pub async fn load(&self, state: &[u8]) -> Result<()> {
        self.raw("anvil_loadState", json!([Bytes::copy_from_slice(state)])).await?;
        Ok(())
    }

    /// Blocks come only when this type mines them.
    pub async fn manual_mining(&self) -> Result<()> {
        self.raw("evm_setAutomine", json!([false])).await?;
        Ok(())
    }

    /// One JSON-RPC call.
    pub async fn raw(&self, method: &'static str, params: Value) -> Result<Value> {
        self.provider.raw_request(method.into(), params).await.with_context(|| method)
    }

    async fn newest(&self) -> Result<Block> {
        self.provider.get_block(BlockId::latest()).await?.context("the chain has no newest block")
    }

    fn transaction(&self, from: Address, call: &impl SolCall) -> TransactionRequest {
        self.encoded(from, call.abi_encode().into())
    }

    fn encoded(&self, from: Address, call: Bytes) -> TransactionRequest {
        let tx = TransactionRequest::default().with_from(from).with_to(self.registry);
        tx.with_gas_limit(2_000_000).with_input(call)
    }

    /// Fees are fixed so that the block's hash is.
    async fn queue(&self, tx: TransactionRequest) -> Result<B256> {
        let tx = tx.with_max_fee_per_gas(10_000_000_000).with_max_priority_fee_per_gas(1_000_000_000);
        Ok(serde_json::from_value(self.raw("eth_sendTransaction", json!([tx])).await?)?)
    }

    async fn succeeded(&self, hash: B256) -> Result<()> {
        let receipt = self.provider.get_transaction_receipt(hash).await?;
        let receipt = receipt.with_context(|| format!("transaction {hash} was not mined"))?;
        ensure!(receipt.status(), "transaction {hash} was reverted");
        Ok(())
    }
}
