//! The logs of a block, out of receipts that hash to what its header says.

use std::sync::PoisonError;

use alloy::{
    eips::BlockId,
    rpc::types::{self as rpc, Filter},
};
use domain::{B256, BlockRef};
use futures::{StreamExt, TryStreamExt, stream};
use store::rows::BlockRow;

use super::{QUESTIONS, Source};
use crate::{
    IndexerError, RpcFailure,
    apply::Entry,
    verify::{Verify, header, logs, may_hold},
};

impl Source {
    pub(super) async fn verified_logs_of(&self, row: &BlockRow) -> Result<Vec<Entry>, IndexerError> {
        let hash = row.block.hash;
        let lied = |what| IndexerError::Lied { node: self.name.clone(), what };
        let told = match self.known(hash) {
            Some(header) => Some(header),
            None => self.ask("eth_getBlockByHash", (hash, false)).await?,
        };
        let told = told.ok_or_else(|| self.incoherent(format!("it has no block {} any more", row.block)))?;
        let header = header(told, row).map_err(lied)?;
        if !may_hold(&header, self.addresses()) {
            return Ok(Vec::new());
        }
        if self.verify == Verify::Headers {
            return self.logs(&Filter::new().at_block_hash(hash), self.patience).await;
        }
        let logs = logs(&header, self.receipts(row.block).await?).map_err(lied)?;
        self.entries(logs.into_iter().filter(|log| self.addresses().any(|address| address == log.address())))
    }

    /// All receipts of a block: at once, or one by one of a node that does not know how to give them at once.
    async fn receipts(&self, block: BlockRef) -> Result<Vec<rpc::TransactionReceipt>, IndexerError> {
        let missing = || self.incoherent(format!("it has not all receipts of block {block}"));
        match self.ask::<_, Option<_>>("eth_getBlockReceipts", [BlockId::hash(block.hash)]).await {
            Err(IndexerError::Rpc { failure: RpcFailure::Refused, .. }) => {}
            receipts => return receipts?.ok_or_else(missing),
        }
        let whole: Option<rpc::Block> = self.ask("eth_getBlockByHash", (block.hash, false)).await?;
        let transactions: Vec<B256> = whole.ok_or_else(missing)?.transactions.hashes().collect();
        let questions: Vec<_> = transactions
            .into_iter()
            .map(|hash| self.ask::<_, Option<_>>("eth_getTransactionReceipt", [hash]))
            .collect();
        let receipts: Vec<Option<_>> = stream::iter(questions).buffered(QUESTIONS).try_collect().await?;
        receipts.into_iter().collect::<Option<_>>().ok_or_else(missing)
    }

    /// The header of a block, if it was told just now.
    fn known(&self, hash: B256) -> Option<rpc::Header> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().find(|header| header.hash == hash).cloned()
    }
}
