//! The node's logs, decoded and checked. Pure.

use std::collections::BTreeMap;

use alloy::rpc::types::Log;
use bindings::Event;
use domain::{Address, B256, BlockRef, InstanceId};
use store::rows::{EventRow, HeartbeatRow};

use crate::{IndexerError, apply::Entry, error::plain};

/// The contracts that we index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contracts {
    /// The registry.
    pub(crate) registry: Address,
    /// The endorsements of its instances, if they are indexed too.
    pub(crate) endorsements: Option<Address>,
}

/// Decodes a log.
///
/// # Errors
/// What is wrong with it as a log: another contract's, or not (or no longer) in a block.
/// [`IndexerError::BadLog`] inside, when it is ours and no event.
pub(crate) fn decode(contracts: Contracts, log: Log) -> Result<Result<Entry, IndexerError>, &'static str> {
    let (Some(number), Some(hash), Some(log_index), Some(tx_hash)) =
        (log.block_number, log.block_hash, log.log_index, log.transaction_hash)
    else {
        return Err("a log is in no block");
    };
    if log.removed {
        return Err("a log was removed");
    }
    let (contract, block_time) = (log.address(), log.block_timestamp);
    if contract != contracts.registry && Some(contract) != contracts.endorsements {
        return Err("a log is of another contract");
    }
    let block = BlockRef { number, hash };
    let (topics, data) = log.inner.data.split();
    Ok(decode_event(contracts, contract, (block, log_index), &topics, &data).map(|event| Entry {
        row: EventRow {
            contract,
            block,
            log_index,
            tx_hash,
            kind: event.kind().to_owned(),
            instance: event.instance(),
            namespace: event.namespace(),
            slot: event.slot(),
            topics,
            data,
            time: if when(&event) == When::ItsBlock { block_time } else { None },
        },
        event,
    }))
}

/// Decodes a log that the index has already.
///
/// # Errors
/// [`IndexerError::BadLog`].
pub(crate) fn decode_row(contracts: Contracts, row: EventRow) -> Result<Entry, IndexerError> {
    let event = decode_event(contracts, row.contract, (row.block, row.log_index), &row.topics, &row.data)?;
    Ok(Entry { row, event })
}

fn decode_event(
    contracts: Contracts,
    contract: Address,
    (block, log_index): (BlockRef, u64),
    topics: &[B256],
    data: &[u8],
) -> Result<Event, IndexerError> {
    let decoded = match contract == contracts.registry {
        true => bindings::decode(topics, data),
        false => bindings::decode_endorsement(topics, data),
    };
    decoded.map_err(|e| bad(block, log_index, e))
}

/// A log that does not fit, and why.
pub(crate) fn bad(block: BlockRef, log_index: u64, reason: impl std::fmt::Display) -> IndexerError {
    IndexerError::BadLog { block, log_index, reason: plain(reason) }
}

/// When an event acts on a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// At this time, which is that of its block.
    At(u64),
    /// At the time of its block, which the event does not say.
    ItsBlock,
    /// Never.
    Never,
}

/// When an event acts on a lease.
pub(crate) fn when(event: &Event) -> When {
    match event {
        Event::Registered { time, .. } | Event::Heartbeat { time, .. } | Event::HeartbeatBatch { time, .. } => {
            When::At(*time)
        }
        Event::Updated { .. }
        | Event::Deregistered { .. }
        | Event::StatusSet { .. }
        | Event::Reaped { .. }
        | Event::SignedHeartbeatBatch { .. } => When::ItsBlock,
        Event::NamespaceClaimed { .. }
        | Event::NamespaceOwnerProposed { .. }
        | Event::NamespaceOwnerChanged { .. }
        | Event::NamespaceOpenSet { .. }
        | Event::RegistrarSet { .. }
        | Event::OwnerProposed { .. }
        | Event::OwnerChanged { .. }
        | Event::OperatorSet { .. }
        | Event::InstanceOperatorSet { .. }
        | Event::Endorsed { .. }
        | Event::Withdrawn { .. } => When::Never,
    }
}

/// The heartbeats that an event is: none, one, or one for each instance of a batch, its last.
pub(crate) fn heartbeats(entry: &Entry) -> Vec<HeartbeatRow> {
    let beats: BTreeMap<InstanceId, u64> = match &entry.event {
        Event::Heartbeat { id, time } => BTreeMap::from([(*id, *time)]),
        Event::HeartbeatBatch { time, ids } => ids.iter().map(|id| (*id, *time)).collect(),
        Event::SignedHeartbeatBatch { beats } => beats.iter().copied().collect(),
        _ => return Vec::new(),
    };
    let (block_number, log_index) = (entry.row.block.number, entry.row.log_index);
    beats.into_iter().map(|(instance, time)| HeartbeatRow { instance, block_number, log_index, time }).collect()
}
