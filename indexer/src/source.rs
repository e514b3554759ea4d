//! What we ask of the node. It asks once: whoever calls decides when to try again.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::U64,
    rpc::{
        client::RpcClient,
        json_rpc::{RpcRecv, RpcSend},
        types::{self as rpc, Filter, Log},
    },
    transports::{TransportError, TransportErrorKind},
};
use domain::{Address, B256, BlockRef};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use store::rows::BlockRow;
use url::Url;

use crate::{
    IndexerError,
    apply::Entry,
    error::{RpcFailure, plain},
    log::{Contracts, When, bad, decode, when},
    verify::{Verify, hashes},
};

mod heads;
mod news;
mod proved;
mod state;

pub(crate) use heads::WITHOUT;

/// How long a node may take for an answer if there is no other, and if there is.
const PATIENCE: Duration = Duration::from_secs(10);
const PATIENCE_OF_SEVERAL: Duration = Duration::from_millis(1_200);

/// How long it may take for the logs of a range.
const PATIENCE_LOGS: Duration = Duration::from_secs(60);

/// Between two small questions to a node that has a large one to answer.
const ALIVE_EVERY: Duration = Duration::from_millis(500);

/// How many of the blocks that a node told are kept.
const TOLD: usize = 80;

/// How many questions may be under way at once.
pub(crate) const QUESTIONS: usize = 16;

/// A node, and the contracts that we ask it about.
pub(crate) struct Source {
    client: RpcClient,
    contracts: Contracts,
    /// The URL as the errors of the transport print it: to be cut out of them, for it may hold a secret.
    url: Url,
    /// Scheme, host and port.
    name: String,
    patience: Duration,
    /// How far we believe it; in everything on a chain whose headers hash in another way, whatever the settings say.
    verify: Verify,
    /// Whether it is believed for that reason alone.
    foreign: bool,
    /// The hash of the first block, if that is the hash of its header.
    proved: Option<B256>,
    /// The headers of the last blocks that it told, for whoever wants to verify their logs next.
    told: Mutex<VecDeque<rpc::Header>>,
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

impl From<Block> for BlockRow {
    fn from(block: Block) -> Self {
        Self {
            block: BlockRef { number: block.number.to(), hash: block.hash },
            parent_hash: block.parent_hash,
            time: block.timestamp.to(),
        }
    }
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
        Ok(Self {
            client,
            contracts,
            url,
            name,
            patience,
            verify: Verify::None,
            foreign: false,
            proved: None,
            told: Mutex::default(),
        })
    }

    /// Believes it no further than this from now on, if the chain lets us: its first block tells whether its headers hash
    /// as Ethereum's do.
    pub(crate) async fn verify(&mut self, verify: Verify) -> Result<(), IndexerError> {
        if verify == Verify::None {
            return Ok(());
        }
        let block: Option<Value> = self.ask("eth_getBlockByNumber", (BlockNumberOrTag::Number(0), false)).await?;
        let block = block.and_then(|block| serde_json::from_value::<rpc::Block>(block).ok());
        match block.filter(|block| hashes(&block.header)) {
            Some(block) => (self.verify, self.proved) = (verify, Some(block.header.hash)),
            None => self.foreign = true,
        }
        Ok(())
    }

    /// Whether it cannot prove what we would ask proofs of.
    pub(crate) fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Whether it showed that the header of the block 0 with this hash does hash to it.
    pub(crate) fn proves(&self, genesis: B256) -> bool {
        self.proved == Some(genesis)
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

    fn addresses(&self) -> impl Iterator<Item = Address> {
        std::iter::once(self.contract()).chain(self.endorsements())
    }

    /// The contracts' logs from one height to another, both included, in order.
    ///
    /// # Errors
    /// As [`logs_of`](Self::logs_of).
    pub(crate) async fn logs_in(&self, from: u64, to: u64) -> Result<Vec<Entry>, IndexerError> {
        let filter = Filter::new().from_block(from).to_block(to);
        let entries = tokio::select! {
            biased;
            entries = self.logs(&filter, PATIENCE_LOGS) => entries?,
            silent = self.falls_silent() => return Err(silent),
        };
        match entries.iter().find(|entry| !(from..=to).contains(&entry.row.block.number)) {
            Some(other) => {
                Err(self.incoherent(format!("asked for logs of {from} to {to}, got one of {}", other.row.block)))
            }
            None => Ok(entries),
        }
    }

    /// Gives the events that need it the time of their block: of `known` blocks theirs; of others what the node said with
    /// the log if it is between those, else what the block says.
    ///
    /// # Errors
    /// [`IndexerError::Incoherent`] if the node does not have such a block.
    pub(crate) async fn date(&self, entries: &mut [Entry], known: &[BlockRow]) -> Result<(), IndexerError> {
        let mut times: HashMap<BlockRef, u64> = known.iter().map(|row| (row.block, row.time)).collect();
        let between = known.first().map_or(1, |row| row.time)..=known.last().map_or(0, |row| row.time);
        let needs = |entry: &&mut Entry| when(&entry.event) == When::ItsBlock;
        let mut unknown = HashSet::new();
        for Entry { row, .. } in entries.iter_mut().filter(needs) {
            row.time = times.get(&row.block).copied().or(row.time.filter(|time| between.contains(time)));
            if row.time.is_none() {
                unknown.insert(row.block);
            }
        }
        times.extend(self.times(unknown).await?);
        for Entry { row, .. } in entries.iter_mut().filter(needs) {
            row.time = row.time.or(times.get(&row.block).copied());
            if row.time.is_none() {
                return Err(self.incoherent(format!("it has logs of block {}, but not that block", row.block)));
            }
        }
        Ok(())
    }

    /// The times of blocks. Those that the node does not have are left out.
    pub(crate) async fn times(
        &self,
        blocks: impl IntoIterator<Item = BlockRef>,
    ) -> Result<Vec<(BlockRef, u64)>, IndexerError> {
        let questions: Vec<_> = blocks
            .into_iter()
            .map(async |block: BlockRef| {
                let theirs = self.block(block.number).await?.filter(|theirs| theirs.block == block);
                Ok::<_, IndexerError>(theirs.map(|theirs| (block, theirs.time)))
            })
            .collect();
        let times: Vec<_> = stream::iter(questions).buffered(QUESTIONS).try_collect().await?;
        Ok(times.into_iter().flatten().collect())
    }

    /// Waits until it does not answer a small question in time, which one that has a large one to answer does. Never, if
    /// there is no other node to ask instead.
    async fn falls_silent(&self) -> IndexerError {
        if self.patience == PATIENCE {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(ALIVE_EVERY).await;
            if let Err(error) = self.latest().await {
                return error;
            }
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
        let params = (tag, false);
        if self.verify == Verify::None {
            let block: Option<Block> = self.ask("eth_getBlockByNumber", params).await?;
            return Ok(block.map(BlockRow::from));
        }
        let header: Option<rpc::Header> = self.ask("eth_getBlockByNumber", params).await?;
        Ok(header.map(|header| self.told(header)))
    }

    /// Keeps a header for a while.
    fn told(&self, header: rpc::Header) -> BlockRow {
        let row = BlockRow {
            block: BlockRef { number: header.number, hash: header.hash },
            parent_hash: header.parent_hash,
            time: header.timestamp,
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.truncate(TOLD - 1);
        told.push_front(header);
        row
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
