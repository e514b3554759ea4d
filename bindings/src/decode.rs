//! Topics and data of a log in, an [`Event`] or the reason why not out.

use alloy::{
    primitives::{Uint, keccak256},
    sol_types::{self, SolEvent},
};
use domain::{B256, InstanceId, NamespaceId, Record, ServiceKey, TextError, text};

use crate::{Event, ServiceRegistry as abi};

/// Why a log of the contract is none of its events. The contract of this ABI never emits such a log: either the node
/// lies, or the address holds another contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A log without topics: the contract has no anonymous events.
    #[error("the log has no topics, and the contract has no anonymous events")]
    NoTopics,
    /// An event that the ABI does not have.
    #[error("the log's first topic {0} is no event of the contract")]
    UnknownEvent(B256),
    /// The topics or the data are not those of the event.
    #[error("{kind}: {reason}")]
    Malformed {
        /// The event's name.
        kind: &'static str,
        /// What the decoder says.
        reason: String,
    },
    /// A name, label or version that the contract would have refused.
    #[error("{kind}: {reason}")]
    Text {
        /// The event's name.
        kind: &'static str,
        /// What is wrong with it.
        reason: TextError,
    },
    /// An id that does not follow from what the event says.
    #[error("{kind}: {what} is {given}, but what the log says makes it {derived}")]
    WrongId {
        /// The event's name.
        kind: &'static str,
        /// Which id.
        what: &'static str,
        /// The id in the log.
        given: B256,
        /// The id that follows.
        derived: B256,
    },
}

/// Decodes a log of the contract. Endpoints and metadata may be any bytes; texts must keep to their alphabet, and ids
/// must follow from what they name.
pub fn decode(topics: &[B256], data: &[u8]) -> Result<Event, DecodeError> {
    let signature = *topics.first().ok_or(DecodeError::NoTopics)?;
    match signature {
        abi::NamespaceClaimed::SIGNATURE_HASH => namespace_claimed(raw("NamespaceClaimed", topics, data)?),
        abi::Registered::SIGNATURE_HASH => registered(raw("Registered", topics, data)?),
        abi::Updated::SIGNATURE_HASH => updated(raw("Updated", topics, data)?),
        abi::Deregistered::SIGNATURE_HASH => {
            let e: abi::Deregistered = raw("Deregistered", topics, data)?;
            Ok(Event::Deregistered {
                id: InstanceId(e.id),
                service: ServiceKey(e.service),
                epoch: narrow(e.epoch),
                sequence: e.sequence,
                count: e.count,
            })
        }
        abi::Heartbeat::SIGNATURE_HASH => {
            let e: abi::Heartbeat = raw("Heartbeat", topics, data)?;
            Ok(Event::Heartbeat { id: InstanceId(e.id), time: wide(e.time) })
        }
        abi::HeartbeatBatch::SIGNATURE_HASH => {
            let e: abi::HeartbeatBatch = raw("HeartbeatBatch", topics, data)?;
            Ok(Event::HeartbeatBatch { time: wide(e.time), ids: e.ids.into_iter().map(InstanceId).collect() })
        }
        other => Err(DecodeError::UnknownEvent(other)),
    }
}

fn namespace_claimed(e: abi::NamespaceClaimed) -> Result<Event, DecodeError> {
    const KIND: &str = "NamespaceClaimed";
    check(KIND, text::check_name("namespace", &e.label))?;
    same(KIND, "the namespace id", e.namespaceId, keccak256(e.label.as_bytes()))?;
    Ok(Event::NamespaceClaimed { namespace: NamespaceId(e.namespaceId), owner: e.owner, label: e.label })
}

fn registered(e: abi::Registered) -> Result<Event, DecodeError> {
    const KIND: &str = "Registered";
    let r = e.registration;
    check(KIND, text::check_name("name", &r.name))?;
    check(KIND, text::check_name("label", &r.label))?;
    check(KIND, text::check_version(&r.version))?;
    let record = Record {
        namespace: NamespaceId(r.namespaceId),
        name: r.name,
        label: r.label,
        registrant: e.owner,
        version: r.version,
        endpoints: r.endpoints,
        metadata: r.metadata,
    };
    let (service, id) = (record.service(), record.id());
    same(KIND, "the service", e.service, service.0)?;
    same(KIND, "the instance id", e.id, id.0)?;
    Ok(Event::Registered {
        id,
        service,
        record,
        ttl: narrow(r.ttl),
        time: wide(e.time),
        epoch: narrow(e.epoch),
        sequence: e.sequence,
        count: e.count,
        prev_record_hash: e.prevRecordHash,
    })
}

fn updated(e: abi::Updated) -> Result<Event, DecodeError> {
    check("Updated", text::check_version(&e.version))?;
    Ok(Event::Updated {
        id: InstanceId(e.id),
        service: ServiceKey(e.service),
        version: e.version,
        endpoints: e.endpoints,
        metadata: e.metadata,
        ttl: narrow(e.ttl),
        sequence: e.sequence,
        prev_record_hash: e.prevRecordHash,
    })
}

/// Validating: without it, alloy replaces invalid UTF-8 in a `string` and drops the high bits of too large numbers.
fn raw<E: SolEvent>(kind: &'static str, topics: &[B256], data: &[u8]) -> Result<E, DecodeError> {
    E::decode_raw_log_validate(topics.iter().copied(), data)
        .map_err(|e: sol_types::Error| DecodeError::Malformed { kind, reason: text::clip(&e.to_string()) })
}

fn check(kind: &'static str, text: Result<(), TextError>) -> Result<(), DecodeError> {
    text.map_err(|reason| DecodeError::Text { kind, reason })
}

fn same(kind: &'static str, what: &'static str, given: B256, derived: B256) -> Result<(), DecodeError> {
    if given == derived { Ok(()) } else { Err(DecodeError::WrongId { kind, what, given, derived }) }
}

/// 24 bits always fit.
fn narrow(n: Uint<24, 1>) -> u32 {
    n.to()
}

/// 40 bits always fit.
fn wide(n: Uint<40, 1>) -> u64 {
    n.to()
}
