//! What the node says of how far its chain is.

use alloy::eips::BlockNumberOrTag;
use domain::{BlockRef, Heads};
use store::rows::BlockRow;

use super::Source;
use crate::{IndexerError, RpcFailure};

/// How many times in a row a node may not have the next block, below its own head.
pub(crate) const WITHOUT: u32 = 5;

/// No chain is higher, and no database could say so.
const HIGHEST: u64 = i64::MAX.unsigned_abs();

impl Source {
    /// The chain's newest block.
    ///
    /// # Errors
    /// [`IndexerError::Lied`] if it is one that no chain has.
    pub(crate) async fn latest(&self) -> Result<BlockRow, IndexerError> {
        let block = self.tagged(BlockNumberOrTag::Latest).await?;
        let block = block.ok_or_else(|| self.incoherent("it has no latest block"))?;
        if block.block.number > HIGHEST {
            let what = format!("its head is {}, which is higher than any chain", block.block);
            return Err(IndexerError::Lied { node: self.name.clone(), what });
        }
        Ok(block)
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

    /// It claims a head, and does not have a block below it: what to call that when it does so again and again.
    pub(crate) fn claims(&self, head: BlockRef, lacks: u64) -> IndexerError {
        let what = format!("its head is {head}, but it does not have block {lacks}");
        IndexerError::Lied { node: self.name.clone(), what }
    }
}
