//! What the contracts are made of and hold, as of a block.

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::TransactionBuilder,
    primitives::{Bytes, keccak256},
    rpc::types::{self as rpc, EIP1186AccountProofResponse, TransactionRequest},
    sol_types::SolCall,
};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use bindings::Endorsements;
use domain::{Address, B256, BlockRef};
use serde::Deserialize;
use serde_json::Value;

use super::Source;
use crate::{
    IndexerError, RpcFailure,
    error::plain,
    verify::{Verify, hashes},
};

/// What we read of a block.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateBlock {
    state_root: B256,
}

impl Source {
    /// Keccak of the registry's code as of a height; none if there is no code.
    pub(crate) async fn code_hash(&self, at: u64) -> Result<Option<B256>, IndexerError> {
        let code = self.code(self.contracts.registry, at).await?;
        Ok((!code.is_empty()).then(|| keccak256(&code)))
    }

    /// The code at an address as of a height.
    pub(crate) async fn code(&self, address: Address, at: u64) -> Result<Bytes, IndexerError> {
        self.ask("eth_getCode", (address, BlockNumberOrTag::Number(at))).await
    }

    /// The root of a contract's storage after a block, proved against the block's state root.
    ///
    /// # Errors
    /// [`IndexerError::Incoherent`] if the proof proves something else.
    pub(crate) async fn storage_root(&self, contract: Address, at: BlockRef) -> Result<B256, IndexerError> {
        let params = (contract, [B256::ZERO; 0], BlockId::hash(at.hash));
        let proof: EIP1186AccountProofResponse = self.ask("eth_getProof", params).await?;
        let block: Option<Value> = self.ask("eth_getBlockByHash", (at.hash, false)).await?;
        let block = block.ok_or_else(|| self.incoherent(format!("it has no block {at}")))?;
        let state_root = self.state_root(block, at)?;
        let account = TrieAccount {
            nonce: proof.nonce,
            balance: proof.balance,
            storage_root: proof.storage_hash,
            code_hash: proof.code_hash,
        };
        let (key, value) = (Nibbles::unpack(keccak256(contract)), alloy_rlp::encode(account));
        verify_proof(state_root, key, Some(value), &proof.account_proof)
            .map_err(|e| self.incoherent(format!("its proof of {contract} at block {at} is wrong: {}", plain(e))))?;
        Ok(proof.storage_hash)
    }

    /// The state root of a block, which the block's hash commits to.
    fn state_root(&self, block: Value, at: BlockRef) -> Result<B256, IndexerError> {
        if self.verify != Verify::None {
            let block: Option<rpc::Block> = serde_json::from_value(block.clone()).ok();
            if !block.is_some_and(|block| block.header.hash == at.hash && hashes(&block.header)) {
                let what = format!("the header of block {at} does not hash to it");
                return Err(IndexerError::Lied { node: self.name.clone(), what });
            }
        }
        let block: Result<StateBlock, _> = serde_json::from_value(block);
        Ok(block.map_err(|_| self.incoherent(format!("its block {at} has no state root")))?.state_root)
    }

    /// The nodes of a contract's storage trie after a block on the way to a slot, from the root.
    pub(crate) async fn storage_proof(
        &self,
        contract: Address,
        slot: B256,
        at: BlockRef,
    ) -> Result<Vec<Bytes>, IndexerError> {
        let params = (contract, [slot], BlockId::hash(at.hash));
        let mut proof: EIP1186AccountProofResponse = self.ask("eth_getProof", params).await?;
        let proof = proof.storage_proof.pop();
        Ok(proof.ok_or_else(|| self.incoherent(format!("it gave no proof of slot {slot}")))?.proof)
    }

    /// Whose instances the contract at an address says that it endorses; none if it does not say.
    pub(crate) async fn registry_of(&self, address: Address, at: u64) -> Result<Option<Address>, IndexerError> {
        let call = Endorsements::registryCall {};
        let tx = TransactionRequest::default().with_to(address).with_input(call.abi_encode());
        match self.ask::<_, Bytes>("eth_call", (tx, BlockNumberOrTag::Number(at))).await {
            Ok(answer) => Ok(Endorsements::registryCall::abi_decode_returns_validate(&answer).ok()),
            // The node itself refuses as well, such as when the block was taken back meanwhile.
            Err(IndexerError::Rpc { failure: RpcFailure::Reverted, .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }
}
