//! A log → what a history says of it. The log is decoded by `bindings`, as the indexer does it: there is one decoder.

use api::{
    Endpoint, Metadata, Permission,
    governance::plain_text,
    history::{HistoryBlock, HistoryEntry, HistoryEvent, Published, RawLog, Sent},
    timestamp,
};
use bindings::Event;
use domain::{B256, Bytes, Heads, record::record_hash};
use store::query::history::HistoryRow;

use super::finality;
use crate::error::{Error, Kind};

/// What a history says of a log.
pub(crate) fn entry(row: HistoryRow, heads: &Heads) -> Result<HistoryEntry, Error> {
    let finality = finality(row.block.number, heads).into();
    let (event, block_time) = read(&row)?;
    let time = row.time.or(block_time).map(timestamp::from_seconds);
    let chain = row.log.map(|(topics, data)| RawLog { contract: row.contract, topics, data });
    let block = HistoryBlock { number: row.block.number, hash: row.block.hash, time };
    Ok(HistoryEntry { block, finality, tx_hash: row.tx_hash, log_index: row.log_index, event, chain })
}

/// What a log says, and the time of its block if it says that too.
fn read(row: &HistoryRow) -> Result<(HistoryEvent, Option<u64>), Error> {
    if let Some(time) = row.heartbeat {
        let last_heartbeat = timestamp::from_seconds(time);
        let sent = |sent| HistoryEvent::Heartbeat { last_heartbeat, sent };
        return match row.kind.as_str() {
            "Heartbeat" => Ok((sent(Sent::Alone), Some(time))),
            "HeartbeatBatch" => Ok((sent(Sent::Batch), Some(time))),
            "SignedHeartbeatBatch" => Ok((sent(Sent::SignedBatch), None)),
            other => Err(unreadable(row, other)),
        };
    }
    let (topics, data) = row.log.as_ref().ok_or_else(|| unreadable(row, "a log about several instances"))?;
    let decoded = match row.kind.as_str() {
        "Endorsed" | "Withdrawn" => bindings::decode_endorsement(topics, data),
        _ => bindings::decode(topics, data),
    };
    shape(decoded.map_err(|error| unreadable(row, &error.to_string()))?).ok_or_else(|| unreadable(row, &row.kind))
}

/// The indexer refuses such logs: somebody else has written to the database.
fn unreadable(row: &HistoryRow, reason: &str) -> Error {
    tracing::error!(block = %row.block, log_index = row.log_index, ?reason, "an event of the index cannot be read");
    Error::new(Kind::Internal, "an event of the index cannot be read: the log of the gateway tells more")
}

/// None of an event that is not about just one instance.
fn shape(event: Event) -> Option<(HistoryEvent, Option<u64>)> {
    let mut block_time = None;
    let event = match event {
        Event::Registered { record, ttl, time, epoch, prev_record_hash, .. } => {
            block_time = Some(time);
            HistoryEvent::Registered {
                published: published(record.version, &record.endpoints, &record.metadata, prev_record_hash),
                service: record.name,
                label: record.label,
                registrant: record.registrant,
                ttl_s: ttl,
                epoch,
            }
        }
        Event::Updated { version, endpoints, metadata, ttl, prev_record_hash, .. } => {
            HistoryEvent::Updated { ttl_s: ttl, published: published(version, &endpoints, &metadata, prev_record_hash) }
        }
        Event::Deregistered { epoch, .. } => HistoryEvent::Deregistered { epoch },
        Event::OwnerProposed { epoch, account, .. } => {
            HistoryEvent::OwnerProposed { proposed_owner: (!account.is_zero()).then_some(account), epoch }
        }
        Event::OwnerChanged { owner, epoch, .. } => HistoryEvent::OwnerChanged { owner, epoch },
        Event::InstanceOperatorSet { epoch, operator, permissions, expires_at, .. } => {
            HistoryEvent::InstanceOperatorSet {
                account: operator,
                permissions: Permission::all_in(permissions),
                expires_at: timestamp::from_seconds(expires_at),
                epoch,
            }
        }
        Event::StatusSet { authority, status, epoch, reason, .. } => {
            HistoryEvent::StatusSet { status: status.into(), authority, reason: plain_text(&reason), epoch }
        }
        Event::Reaped { epoch, .. } => HistoryEvent::Reaped { epoch },
        Event::Endorsed { endorser, topic, epoch, expires_at, digest, .. } => {
            HistoryEvent::Endorsed { endorser, topic, digest, expires_at: timestamp::from_seconds(expires_at), epoch }
        }
        Event::Withdrawn { endorser, topic, epoch, .. } => HistoryEvent::Withdrawn { endorser, topic, epoch },
        Event::Heartbeat { .. }
        | Event::HeartbeatBatch { .. }
        | Event::SignedHeartbeatBatch { .. }
        | Event::NamespaceClaimed { .. }
        | Event::NamespaceOwnerProposed { .. }
        | Event::NamespaceOwnerChanged { .. }
        | Event::NamespaceOpenSet { .. }
        | Event::RegistrarSet { .. }
        | Event::OperatorSet { .. } => return None,
    };
    Some((event, block_time))
}

fn published(version: String, endpoints: &[Bytes], bytes: &Bytes, prev_record_hash: B256) -> Published {
    let record_hash = record_hash(prev_record_hash, &version, endpoints, bytes);
    let (metadata, metadata_base64) = Metadata::from_bytes(bytes).into_fields();
    let endpoints = endpoints.iter().map(|bytes| Endpoint::from_bytes(bytes)).collect();
    Published { version, endpoints, metadata, metadata_base64, record_hash, prev_record_hash }
}
