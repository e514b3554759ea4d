//! The node's logs, decoded and checked. Pure.

use std::collections::BTreeSet;

use alloy::rpc::types::Log;
use bindings::Event;
use domain::{Address, BlockRef, InstanceId};
use store::rows::{EventRow, HeartbeatRow};

use crate::{IndexerError, apply::Entry, error::plain};

/// Decodes a log.
///
/// # Errors
/// What is wrong with it as a log: another contract's, or not (or no longer) in a block.
/// [`IndexerError::BadLog`] inside, when it is ours and no event.
pub(crate) fn decode(contract: Address, log: Log) -> Result<Result<Entry, IndexerError>, &'static str> {
    let (Some(number), Some(hash), Some(log_index), Some(tx_hash)) =
        (log.block_number, log.block_hash, log.log_index, log.transaction_hash)
    else {
        return Err("a log is in no block");
    };
    if log.removed {
        return Err("a log was removed");
    }
    if log.address() != contract {
        return Err("a log is of another contract");
    }
    let block = BlockRef { number, hash };
    let (topics, data) = log.inner.data.split();
    Ok(decode_event(block, log_index, &topics, &data).map(|event| Entry {
        row: EventRow {
            block,
            log_index,
            tx_hash,
            kind: event.kind().to_owned(),
            instance: event.instance(),
            namespace: event.namespace(),
            topics,
            data,
        },
        event,
    }))
}

/// Decodes a log that the index has already.
///
/// # Errors
/// [`IndexerError::BadLog`].
pub(crate) fn decode_row(row: EventRow) -> Result<Entry, IndexerError> {
    let event = decode_event(row.block, row.log_index, &row.topics, &row.data)?;
    Ok(Entry { row, event })
}

fn decode_event(block: BlockRef, log_index: u64, topics: &[domain::B256], data: &[u8]) -> Result<Event, IndexerError> {
    bindings::decode(topics, data).map_err(|e| bad(block, log_index, e))
}

/// A log that does not fit, and why.
pub(crate) fn bad(block: BlockRef, log_index: u64, reason: impl std::fmt::Display) -> IndexerError {
    IndexerError::BadLog { block, log_index, reason: plain(reason) }
}

/// The heartbeats that an event is: none, one, or one for each instance of a batch.
pub(crate) fn heartbeats(entry: &Entry) -> Vec<HeartbeatRow> {
    let (ids, time) = match &entry.event {
        Event::Heartbeat { id, time } => (BTreeSet::from([*id]), *time),
        Event::HeartbeatBatch { time, ids } => (ids.iter().copied().collect::<BTreeSet<InstanceId>>(), *time),
        _ => return Vec::new(),
    };
    let (block_number, log_index) = (entry.row.block.number, entry.row.log_index);
    ids.into_iter().map(|instance| HeartbeatRow { instance, block_number, log_index, time }).collect()
}
