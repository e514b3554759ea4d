//! A fresh Anvil whose accounts are unlocked.

use alloy::{
    eips::BlockId,
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, b256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::{TransactionReceipt, TransactionRequest},
    signers::{SignerSync, local::PrivateKeySigner},
    sol_types::SolCall,
};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use tools::{Anvil, AnvilConfig, Tools};

/// The key of Anvil's first account: anyone has it.
const FIRST_KEY: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");

pub struct Chain {
    anvil: Anvil,
    pub provider: DynProvider,
    pub accounts: Vec<Address>,
}

impl Chain {
    pub async fn start() -> Result<Self> {
        let tools = Tools::ensure().context("installing the pinned tools")?;
        let anvil = Anvil::spawn(&tools, AnvilConfig::default()).await?;
        let provider = ProviderBuilder::new().connect_http(anvil.rpc_url().parse()?).erased();
        let accounts = provider.get_accounts().await?;
        ensure!(accounts.len() >= 3, "Anvil has {} accounts, at least 3 are needed", accounts.len());
        Ok(Self { anvil, provider, accounts })
    }

    pub async fn stop(self) -> Result<()> {
        Ok(self.anvil.stop().await?)
    }

    /// Puts a contract on the chain.
    pub async fn deploy(&self, bytecode: &Bytes) -> Result<Address> {
        let tx = TransactionRequest::default().with_from(self.accounts[0]).with_deploy_code(bytecode.clone());
        let receipt = self.receipt(tx).await?;
        receipt.contract_address.context("a deployment's receipt has no address")
    }

    /// Sends a call in a block of its own, and returns what the whole transaction cost.
    pub async fn gas(&self, from: Address, to: Address, call: &impl SolCall) -> Result<u64> {
        let tx = TransactionRequest::default().with_from(from).with_to(to).with_input(call.abi_encode());
        let receipt = self.receipt(tx).await?;
        ensure!(receipt.status(), "transaction {} was reverted", receipt.transaction_hash);
        Ok(receipt.gas_used)
    }

    /// The first account's signature, in the 64 bytes of EIP-2098.
    pub fn sign(&self, digest: &B256) -> Result<Bytes> {
        let signer = PrivateKeySigner::from_bytes(&FIRST_KEY)?;
        ensure!(signer.address() == self.accounts[0], "the first account of Anvil is another than it was");
        Ok(Bytes::from(signer.sign_hash_sync(digest)?.as_erc2098().to_vec()))
    }

    /// Chain time goes on: the next block comes so much later than the last.
    pub async fn wait(&self, seconds: u64) -> Result<u64> {
        let block = self.provider.get_block(BlockId::latest()).await?.context("the chain has no newest block")?;
        let time = block.header.timestamp + seconds;
        let () = self.provider.raw_request("evm_setNextBlockTimestamp".into(), json!([time])).await?;
        Ok(time)
    }

    pub async fn code_len(&self, address: Address) -> Result<u64> {
        Ok(self.provider.get_code_at(address).await?.len() as u64)
    }

    async fn receipt(&self, tx: TransactionRequest) -> Result<TransactionReceipt> {
        let pending = self.provider.send_transaction(tx.with_gas_limit(16_000_000)).await?;
        Ok(pending.get_receipt().await?)
    }
}
