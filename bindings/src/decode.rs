//! Topics and data of a log in, an [`Event`] or the reason why not out. One function for each contract.

use alloy::{
    primitives::{Uint, keccak256},
    sol_types::{self, SolEvent},
};
use domain::{B256, InstanceId, NamespaceId, Permissions, Record, ServiceKey, Status, TextError, Topic, text};

use crate::{Endorsements, Event, ServiceRegistry as abi};

/// Why a log of a contract is none of its events. The contract of this ABI never emits such a log: either the node
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
    /// A value that the contract would have refused.
    #[error("{kind}: {reason}")]
    Value {
        /// The event's name.
        kind: &'static str,
        /// What is wrong with it.
        reason: String,
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

/// Decodes a log of the registry. Endpoints, metadata and reasons may be any bytes; texts must keep to their alphabet,
/// and ids must follow from what they name.
pub fn decode(topics: &[B256], data: &[u8]) -> Result<Event, DecodeError> {
    let signature = *topics.first().ok_or(DecodeError::NoTopics)?;
    match signature {
        abi::NamespaceClaimed::SIGNATURE_HASH => namespace_claimed(raw("NamespaceClaimed", topics, data)?),
        abi::NamespaceOwnerProposed::SIGNATURE_HASH => {
            let e: abi::NamespaceOwnerProposed = raw("NamespaceOwnerProposed", topics, data)?;
            let namespace = NamespaceId(e.namespaceId);
            Ok(Event::NamespaceOwnerProposed { namespace, epoch: narrow(e.epoch), account: e.account })
        }
        abi::NamespaceOwnerChanged::SIGNATURE_HASH => {
            let e: abi::NamespaceOwnerChanged = raw("NamespaceOwnerChanged", topics, data)?;
            let namespace = NamespaceId(e.namespaceId);
            Ok(Event::NamespaceOwnerChanged { namespace, owner: e.owner, epoch: narrow(e.epoch) })
        }
        abi::NamespaceOpenSet::SIGNATURE_HASH => {
            let e: abi::NamespaceOpenSet = raw("NamespaceOpenSet", topics, data)?;
            let namespace = NamespaceId(e.namespaceId);
            Ok(Event::NamespaceOpenSet { namespace, owner: e.owner, open: e.open, epoch: narrow(e.epoch) })
        }
        abi::RegistrarSet::SIGNATURE_HASH => {
            let e: abi::RegistrarSet = raw("RegistrarSet", topics, data)?;
            Ok(Event::RegistrarSet {
                namespace: NamespaceId(e.namespaceId),
                epoch: narrow(e.epoch),
                registrar: e.registrar,
                expires_at: wide(e.expiry),
            })
        }
        abi::Registered::SIGNATURE_HASH => registered(raw("Registered", topics, data)?),
        abi::Updated::SIGNATURE_HASH => updated(raw("Updated", topics, data)?),
        abi::Deregistered::SIGNATURE_HASH => {
            let e: abi::Deregistered = raw("Deregistered", topics, data)?;
            let (id, service, epoch) = (InstanceId(e.id), ServiceKey(e.service), narrow(e.epoch));
            Ok(Event::Deregistered { id, service, epoch, sequence: e.sequence, count: e.count })
        }
        abi::Heartbeat::SIGNATURE_HASH => {
            let e: abi::Heartbeat = raw("Heartbeat", topics, data)?;
            Ok(Event::Heartbeat { id: InstanceId(e.id), time: wide(e.time) })
        }
        abi::HeartbeatBatch::SIGNATURE_HASH => {
            let e: abi::HeartbeatBatch = raw("HeartbeatBatch", topics, data)?;
            Ok(Event::HeartbeatBatch { time: wide(e.time), ids: e.ids.into_iter().map(InstanceId).collect() })
        }
        abi::SignedHeartbeatBatch::SIGNATURE_HASH => signed_heartbeats(raw("SignedHeartbeatBatch", topics, data)?),
        abi::OwnerProposed::SIGNATURE_HASH => {
            let e: abi::OwnerProposed = raw("OwnerProposed", topics, data)?;
            Ok(Event::OwnerProposed { id: InstanceId(e.id), epoch: narrow(e.epoch), account: e.account })
        }
        abi::OwnerChanged::SIGNATURE_HASH => {
            let e: abi::OwnerChanged = raw("OwnerChanged", topics, data)?;
            let (id, service, epoch) = (InstanceId(e.id), ServiceKey(e.service), narrow(e.epoch));
            Ok(Event::OwnerChanged { id, service, owner: e.owner, epoch, sequence: e.sequence })
        }
        abi::OperatorSet::SIGNATURE_HASH => {
            let e: abi::OperatorSet = raw("OperatorSet", topics, data)?;
            Ok(Event::OperatorSet {
                owner: e.owner,
                operator: e.operator,
                permissions: permissions("OperatorSet", e.permissions)?,
                expires_at: wide(e.expiry),
            })
        }
        abi::InstanceOperatorSet::SIGNATURE_HASH => {
            let e: abi::InstanceOperatorSet = raw("InstanceOperatorSet", topics, data)?;
            Ok(Event::InstanceOperatorSet {
                id: InstanceId(e.id),
                epoch: narrow(e.epoch),
                operator: e.operator,
                permissions: permissions("InstanceOperatorSet", e.permissions)?,
                expires_at: wide(e.expiry),
            })
        }
        abi::StatusSet::SIGNATURE_HASH => status_set(raw("StatusSet", topics, data)?),
        abi::Reaped::SIGNATURE_HASH => {
            let e: abi::Reaped = raw("Reaped", topics, data)?;
            let (id, service, epoch) = (InstanceId(e.id), ServiceKey(e.service), narrow(e.epoch));
            Ok(Event::Reaped { id, service, epoch, sequence: e.sequence, count: e.count })
        }
        other => Err(DecodeError::UnknownEvent(other)),
    }
}

/// Decodes a log of the contract `Endorsements`.
pub fn decode_endorsement(topics: &[B256], data: &[u8]) -> Result<Event, DecodeError> {
    let signature = *topics.first().ok_or(DecodeError::NoTopics)?;
    match signature {
        Endorsements::Endorsed::SIGNATURE_HASH => {
            let e: Endorsements::Endorsed = raw("Endorsed", topics, data)?;
            check_value("Endorsed", !e.digest.is_zero(), || "the digest is zero".to_owned())?;
            Ok(Event::Endorsed {
                id: InstanceId(e.id),
                endorser: e.endorser,
                topic: Topic(e.topic),
                epoch: narrow(e.epoch),
                expires_at: wide(e.expiry),
                digest: e.digest,
            })
        }
        Endorsements::Withdrawn::SIGNATURE_HASH => {
            let e: Endorsements::Withdrawn = raw("Withdrawn", topics, data)?;
            let (id, topic) = (InstanceId(e.id), Topic(e.topic));
            Ok(Event::Withdrawn { id, endorser: e.endorser, topic, epoch: narrow(e.epoch) })
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

fn signed_heartbeats(e: abi::SignedHeartbeatBatch) -> Result<Event, DecodeError> {
    let (times, ids) = (e.times.len(), e.ids.len());
    check_value("SignedHeartbeatBatch", times == ids, || format!("{times} times for {ids} instances"))?;
    let beats = e.ids.into_iter().map(InstanceId).zip(e.times.into_iter().map(wide)).collect();
    Ok(Event::SignedHeartbeatBatch { beats })
}

fn status_set(e: abi::StatusSet) -> Result<Event, DecodeError> {
    const KIND: &str = "StatusSet";
    const MAX_REASON: usize = 256;
    let allowed = [Status::Active, Status::Suspended, Status::Revoked];
    let status = Status::from_u8(e.status).filter(|status| allowed.contains(status));
    let status = status.ok_or_else(|| DecodeError::Value {
        kind: KIND,
        reason: format!("the status is {}, not 1, 2 or 4", e.status),
    })?;
    let length = e.reason.len();
    check_value(KIND, length <= MAX_REASON, || format!("the reason has {length} bytes, more than {MAX_REASON}"))?;
    Ok(Event::StatusSet {
        id: InstanceId(e.id),
        service: ServiceKey(e.service),
        authority: e.authority,
        status,
        epoch: narrow(e.epoch),
        sequence: e.sequence,
        count: e.count,
        reason: e.reason,
    })
}

fn permissions(kind: &'static str, bits: u8) -> Result<Permissions, DecodeError> {
    let unknown = || DecodeError::Value { kind, reason: format!("the permissions are {bits}, more than 7") };
    Permissions::from_u8(bits).ok_or_else(unknown)
}

/// Validating: without it, alloy replaces invalid UTF-8 in a `string` and drops the high bits of too large numbers.
fn raw<E: SolEvent>(kind: &'static str, topics: &[B256], data: &[u8]) -> Result<E, DecodeError> {
    E::decode_raw_log_validate(topics.iter().copied(), data)
        .map_err(|e: sol_types::Error| DecodeError::Malformed { kind, reason: text::clip(&e.to_string()) })
}

fn check(kind: &'static str, text: Result<(), TextError>) -> Result<(), DecodeError> {
    text.map_err(|reason| DecodeError::Text { kind, reason })
}

fn check_value(kind: &'static str, is_valid: bool, reason: impl FnOnce() -> String) -> Result<(), DecodeError> {
    if is_valid { Ok(()) } else { Err(DecodeError::Value { kind, reason: reason() }) }
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
