//! What we ask of the node. It asks once: whoever calls decides when to try again.

use std::{fmt, time::Duration};

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::TransactionBuilder,
    primitives::{Bytes, U64, keccak256},
    rpc::{
        client::RpcClient,
        json_rpc::{RpcRecv, RpcSend},
        types::{self as rpc, EIP1186AccountProofResponse, Filter, Log, TransactionRequest},
    },
    sol_types::SolCall,
    transports::{TransportError, TransportErrorKind},
};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use bindings::Endorsements;
use domain::{Address, B256, BlockRef, Heads};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use store::rows::BlockRow;
use url::Url;

use crate::{
    IndexerError,
    apply::Entry,
    error::{RpcFailure, plain},
    log::{Contracts, bad, decode},
    verify::{Verify, hashes, header, logs, may_hold},
};

/// How long a node may take for an answer if there is no other, and if there is.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_OF_SEVERAL: Duration = Duration::from_millis(1_200);

/// How long it may take for the logs of a range.
const PATIENCE_LOGS: Duration = Duration::from_secs(60);

/// How many receipts are asked for at once, if one by one.
const QUESTIONS: usize = 8;

/// A node, and the contracts that we ask it about.
pub(crate) struct Source {
    client: RpcClient,
    contracts: Contracts,
    /// The URL as the errors of the transport print it: to be cut out of them, for it may hold a secret.
    url: Url,
    /// Scheme, host and port.
    name: String,
    patience: Duration,
    /// How far we believe it; less far than the settings say on a chain whose headers hash in another way.
    verify: Verify,
}

/// What we read of a block; all that every chain has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    number: U64,
    hash: B256,
    parent_hash: B256,
    timestamp: U64,
}

/// What else we read of one block.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateBlock {
    state_root: B256,
}

impl Source {
    /// Connects, if the URL is one of a WebSocket; else nothing is sent yet.
    ///
    /// # Errors
    /// [`IndexerError::Config`] if the URL is none; [`IndexerError::Rpc`].
    pub(crate) async fn connect(
        url: &str,
        contracts: Contracts,
        is_one_of_several: bool,
    ) -> Result<Self, IndexerError> {
        let config = |reason: &str| IndexerError::Config { setting: "rpc_url", reason: reason.to_owned() };
        let url: Url = url.parse().map_err(|_| config("it is no URL"))?;
        if !matches!(url.scheme(), "http" | "https" | "ws" | "wss") {
            return Err(config("it must begin with http, https, ws or wss"));
        }
        let port = url.port().map_or(String::new(), |port| format!(":{port}"));
        let name = format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default());
        let patience = if is_one_of_several { PATIENCE_OF_SEVERAL } else { PATIENCE };
        let connecting = tokio::time::timeout(patience, RpcClient::builder().connect(url.as_str())).await;
        let failed = |failure, reason| IndexerError::Rpc { node: name.clone(), method: "connect", failure, reason };
        let client = match connecting {
            Ok(client) => client.map_err(|e| failed(RpcFailure::Unreachable, reason(&url, &name, &e)))?,
            Err(_) => return Err(failed(RpcFailure::Late, format!("no answer in {patience:?}"))),
        };
        Ok(Self { client, contracts, url, name, patience, verify: Verify::None })
    }

    /// Believes it no further than this from now on, if the chain lets us: its first block tells whether its headers hash
    /// as Ethereum's do.
    pub(crate) async fn verify(&mut self, verify: Verify) -> Result<(), IndexerError> {
        if verify == Verify::None {
            return Ok(());
        }
        let block: Option<Value> = self.ask("eth_getBlockByNumber", (BlockNumberOrTag::Number(0), false)).await?;
        let block = block.and_then(|block| serde_json::from_value::<rpc::Block>(block).ok());
        if block.is_some_and(|block| hashes(&block.header)) {
            self.verify = verify;
        } else {
            tracing::warn!(node = %self, "the headers of this chain do not hash as Ethereum's: the node is believed");
        }
        Ok(())
    }

    /// The registry that we ask about.
    pub(crate) fn contract(&self) -> Address {
        self.contracts.registry
    }

    /// The endorsements that we ask about.
    pub(crate) fn endorsements(&self) -> Option<Address> {
        self.contracts.endorsements
    }

    pub(crate) async fn chain_id(&self) -> Result<u64, IndexerError> {
        let id: U64 = self.ask("eth_chainId", ()).await?;
        Ok(id.to())
    }

    /// Keccak of the registry's code as of a height; none if there is no code.
    pub(crate) async fn code_hash(&self, at: u64) -> Result<Option<B256>, IndexerError> {
        let code = self.code(self.contracts.registry, at).await?;
        Ok((!code.is_empty()).then(|| keccak256(&code)))
    }

    /// The code at an address as of a height.
    pub(crate) async fn code(&self, address: Address, at: u64) -> Result<Bytes, IndexerError> {
        self.ask("eth_getCode", (address, BlockNumberOrTag::Number(at))).await
    }

    /// A word of a contract's storage after a block.
    pub(crate) async fn word(&self, contract: Address, slot: B256, at: BlockRef) -> Result<B256, IndexerError> {
        self.ask("eth_getStorageAt", (contract, slot, BlockId::hash(at.hash))).await
    }

    /// The root of a contract's storage after a block, proved against the block's state root.
    ///
    /// # Errors
    /// [`IndexerError::Incoherent`] if the proof proves something else.
    pub(crate) async fn storage_root(&self, contract: Address, at: BlockRef) -> Result<B256, IndexerError> {
        let params = (contract, [B256::ZERO; 0], BlockId::hash(at.hash));
        let proof: EIP1186AccountProofResponse = self.ask("eth_getProof", params).await?;
        let block: Option<StateBlock> = self.ask("eth_getBlockByHash", (at.hash, false)).await?;
        let state_root = block.ok_or_else(|| self.incoherent(format!("it has no block {at}")))?.state_root;
        let account = TrieAccount {
            nonce: proof.nonce,
            balance: proof.balance,
            storage_root: proof.storage_hash,
            code_hash: proof.code_hash,
        };
        let (key, value) = (Nibbles::unpack(keccak256(contract)), alloy_rlp::encode(account));
        verify_proof(state_root, key, Some(value), &proof.account_proof)
            .map_err(|e| self.incoherent(format!("its proof of {contract} at block {at} is wrong: {e}")))?;
        Ok(proof.storage_hash)
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

    /// The chain's newest block.
    pub(crate) async fn latest(&self) -> Result<BlockRow, IndexerError> {
        let block = self.tagged(BlockNumberOrTag::Latest).await?;
        block.ok_or_else(|| self.incoherent("it has no latest block"))
    }

    /// The block at a height; none if the chain is not that high.
    pub(crate) async fn block(&self, number: u64) -> Result<Option<BlockRow>, IndexerError> {
        let block = self.tagged(BlockNumberOrTag::Number(number)).await?;
        match block {
            Some(block) if block.block.number != number => {
                Err(self.incoherent(format!("asked for block {number}, got block {}", block.block.number)))
            }
            block => Ok(block),
        }
    }

    /// How final the chain says that its blocks are. A chain without these tags says 0.
    pub(crate) async fn heads(&self, tip: u64) -> Result<Heads, IndexerError> {
        let known = |answer: Result<Option<BlockRow>, IndexerError>| match answer {
            Ok(block) => Ok(block.map_or(0, |block| block.block.number.min(tip))),
            Err(IndexerError::Rpc { failure: RpcFailure::Refused, .. }) => Ok(0),
            Err(e) => Err(e),
        };
        let (safe, finalized) =
            futures::join!(self.tagged(BlockNumberOrTag::Safe), self.tagged(BlockNumberOrTag::Finalized));
        Ok(Heads { latest: tip, safe: known(safe)?, finalized: known(finalized)? })
    }

    /// The contracts' logs in one block, in order.
    ///
    /// # Errors
    /// [`IndexerError::BadLog`] for a log of ours that is no event of ours; [`IndexerError::Lied`].
    pub(crate) async fn logs_of(&self, row: &BlockRow) -> Result<Vec<Entry>, IndexerError> {
        let block = row.block;
        let entries = match self.verify {
            Verify::None => self.logs(&Filter::new().at_block_hash(block.hash), self.patience).await?,
            Verify::Receipts | Verify::Headers => self.verified_logs_of(row).await?,
        };
        match entries.iter().find(|entry| entry.row.block != block) {
            Some(other) => Err(self.incoherent(format!("asked for logs of {block}, got one of {}", other.row.block))),
            None => Ok(entries),
        }
    }

    async fn verified_logs_of(&self, row: &BlockRow) -> Result<Vec<Entry>, IndexerError> {
        let hash = row.block.hash;
        let lied = |what| IndexerError::Lied { node: self.name.clone(), what };
        let block: Option<rpc::Block> = self.ask("eth_getBlockByHash", (hash, false)).await?;
        let block = block.ok_or_else(|| self.incoherent(format!("it has no block {} any more", row.block)))?;
        let transactions: Vec<B256> = block.transactions.hashes().collect();
        let header = header(block, row).map_err(lied)?;
        if !may_hold(&header, self.addresses()) {
            return Ok(Vec::new());
        }
        if self.verify == Verify::Headers {
            return self.logs(&Filter::new().at_block_hash(hash), self.patience).await;
        }
        let logs = logs(&header, self.receipts(row.block, transactions).await?).map_err(lied)?;
        self.entries(logs.into_iter().filter(|log| self.addresses().any(|address| address == log.address())))
    }

    /// All receipts of a block: at once, or one by one of a node that does not know how to give them at once.
    async fn receipts(
        &self,
        block: BlockRef,
        transactions: Vec<B256>,
    ) -> Result<Vec<rpc::TransactionReceipt>, IndexerError> {
        let missing = || self.incoherent(format!("it has not all receipts of block {block}"));
        match self.ask::<_, Option<_>>("eth_getBlockReceipts", [BlockId::hash(block.hash)]).await {
            Err(IndexerError::Rpc { failure: RpcFailure::Refused, .. }) => {}
            receipts => return receipts?.ok_or_else(missing),
        }
        let questions: Vec<_> = transactions
            .into_iter()
            .map(|hash| self.ask::<_, Option<_>>("eth_getTransactionReceipt", [hash]))
            .collect();
        let receipts: Vec<Option<_>> = stream::iter(questions).buffered(QUESTIONS).try_collect().await?;
        receipts.into_iter().collect::<Option<_>>().ok_or_else(missing)
    }

    fn addresses(&self) -> impl Iterator<Item = Address> {
        std::iter::once(self.contract()).chain(self.endorsements())
    }

    /// The contracts' logs from one height to another, both included, in order.
    ///
    /// # Errors
    /// As [`logs_of`](Self::logs_of).
    pub(crate) async fn logs_in(&self, from: u64, to: u64) -> Result<Vec<Entry>, IndexerError> {
        let entries = self.logs(&Filter::new().from_block(from).to_block(to), PATIENCE_LOGS).await?;
        match entries.iter().find(|entry| !(from..=to).contains(&entry.row.block.number)) {
            Some(other) => {
                Err(self.incoherent(format!("asked for logs of {from} to {to}, got one of {}", other.row.block)))
            }
            None => Ok(entries),
        }
    }

    async fn logs(&self, filter: &Filter, patience: Duration) -> Result<Vec<Entry>, IndexerError> {
        let filter = filter.clone().address(self.addresses().collect::<Vec<_>>());
        let logs: Vec<Log> = self.ask_patiently("eth_getLogs", (filter,), patience).await?;
        self.entries(logs)
    }

    fn entries(&self, logs: impl IntoIterator<Item = Log>) -> Result<Vec<Entry>, IndexerError> {
        let mut entries = Vec::new();
        for log in logs {
            entries.push(decode(self.contracts, log).map_err(|what| self.incoherent(what))??);
        }
        let at = |entry: &Entry| (entry.row.block.number, entry.row.log_index);
        entries.sort_by_key(at);
        match entries.windows(2).find(|pair| at(&pair[0]) == at(&pair[1])) {
            Some(pair) => Err(bad(pair[0].row.block, pair[0].row.log_index, "the node sent it twice")),
            None => Ok(entries),
        }
    }

    async fn tagged(&self, tag: BlockNumberOrTag) -> Result<Option<BlockRow>, IndexerError> {
        let block: Option<Block> = self.ask("eth_getBlockByNumber", (tag, false)).await?;
        Ok(block.map(|block| BlockRow {
            block: BlockRef { number: block.number.to(), hash: block.hash },
            parent_hash: block.parent_hash,
            time: block.timestamp.to(),
        }))
    }

    async fn ask<P: RpcSend, R: RpcRecv>(&self, method: &'static str, params: P) -> Result<R, IndexerError> {
        self.ask_patiently(method, params, self.patience).await
    }

    async fn ask_patiently<P: RpcSend, R: RpcRecv>(
        &self,
        method: &'static str,
        params: P,
        patience: Duration,
    ) -> Result<R, IndexerError> {
        let (failure, reason) = match tokio::time::timeout(patience, self.client.request(method, params)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(e)) => (failure(&e), reason(&self.url, &self.name, &e)),
            Err(_) => (RpcFailure::Late, format!("no answer in {patience:?}")),
        };
        Err(IndexerError::Rpc { node: self.name.clone(), method, failure, reason })
    }

    /// The node's answers do not fit together.
    pub(crate) fn incoherent(&self, reason: impl Into<String>) -> IndexerError {
        IndexerError::Incoherent { node: self.name.clone(), reason: reason.into() }
    }
}

impl fmt::Display for Source {
    /// Scheme, host and port: the rest of the URL may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn failure(error: &TransportError) -> RpcFailure {
    match error {
        TransportError::ErrorResp(payload) if payload.is_retry_err() => RpcFailure::Busy,
        // Most nodes have a code for it, all have words.
        TransportError::ErrorResp(payload) if payload.code == 3 || payload.message.contains("revert") => {
            RpcFailure::Reverted
        }
        TransportError::ErrorResp(_) | TransportError::NullResp | TransportError::DeserError { .. } => {
            RpcFailure::Refused
        }
        TransportError::Transport(TransportErrorKind::HttpError(http)) if http.is_rate_limit_err() => RpcFailure::Busy,
        _ => RpcFailure::Unreachable,
    }
}

fn reason(url: &Url, name: &str, error: &TransportError) -> String {
    let mut text = match error {
        TransportError::ErrorResp(payload) => format!("{} (code {})", payload.message, payload.code),
        other => other.to_string(),
    };
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = inner.source();
    }
    plain(text.replace(url.as_str(), name))
}
