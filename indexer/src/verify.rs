//! What a node's answers prove. Pure.
//!
//! The hash of a block commits to its header, the header to all receipts of the block, these to its logs. So who has the
//! hash needs to believe nobody about the logs. What a receipt does not hold is not proved: the hash of the transaction,
//! and the log's index, which is counted here.

use alloy::{
    consensus::proofs::calculate_receipt_root,
    primitives::BloomInput,
    rpc::types::{Header, Log, TransactionReceipt},
};
use domain::{Address, B256};
use store::rows::BlockRow;

/// How far a node is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Not about logs: they are taken from receipts that hash to what the block's header says.
    Receipts,
    /// That logs are complete, unless the header's bloom says that there are none.
    Headers,
    /// In everything.
    None,
}

impl std::str::FromStr for Verify {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "receipts" => Ok(Self::Receipts),
            "headers" => Ok(Self::Headers),
            "none" => Ok(Self::None),
            _ => Err("receipts, headers or none".to_owned()),
        }
    }
}

/// Whether the header hashes to the block's hash. On some chains it does not for any block: they have other headers.
pub(crate) fn hashes(header: &Header) -> bool {
    header.inner.hash_slow() == header.hash
}

/// The header of a block, if it is that.
///
/// # Errors
/// Why it is not that block's.
pub(crate) fn header(header: Header, expected: &BlockRow) -> Result<Header, String> {
    let BlockRow { block, parent_hash, time } = expected;
    if header.hash != block.hash || !hashes(&header) {
        return Err(format!("the header of block {block} does not hash to it"));
    }
    if (header.number, header.parent_hash, header.timestamp) != (block.number, *parent_hash, *time) {
        return Err(format!("block {block} is said to have another height, parent or time than its header"));
    }
    Ok(header)
}

/// Whether the block may hold logs of these contracts. "No" is certain.
pub(crate) fn may_hold(header: &Header, mut contracts: impl Iterator<Item = Address>) -> bool {
    contracts.any(|contract| header.logs_bloom.contains_input(BloomInput::Raw(contract.as_slice())))
}

/// The logs of a block, out of all its receipts.
///
/// # Errors
/// Why these are not its receipts.
pub(crate) fn logs(header: &Header, receipts: Vec<TransactionReceipt>) -> Result<Vec<Log>, String> {
    let hashes: Vec<B256> = receipts.iter().map(|receipt| receipt.transaction_hash).collect();
    let receipts: Vec<_> = receipts.into_iter().map(|receipt| receipt.inner.map_logs(|log| log.inner)).collect();
    if calculate_receipt_root(&receipts) != header.receipts_root {
        return Err(format!(
            "the receipts of block {} ({}) do not hash to what its header says",
            header.number, header.hash
        ));
    }
    let mut logs = Vec::new();
    for (place, (receipt, hash)) in receipts.into_iter().zip(hashes).enumerate() {
        for log in receipt.logs() {
            logs.push(Log {
                inner: log.clone(),
                block_hash: Some(header.hash),
                block_number: Some(header.number),
                block_timestamp: Some(header.timestamp),
                transaction_hash: Some(hash),
                transaction_index: Some(place as u64),
                log_index: Some(logs.len() as u64),
                removed: false,
            });
        }
    }
    Ok(logs)
}
