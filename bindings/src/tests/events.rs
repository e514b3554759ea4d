//! Events of all kinds, and the logs that the contracts would make of them.

use alloy::{
    primitives::{LogData, Uint},
    sol_types::SolEvent,
};
use domain::{
    Address, B256, Bytes, InstanceId, Namespace, NamespaceId, Permissions, Record, ServiceKey, Status, Topic,
};
use proptest::{array::uniform32, collection::vec, prelude::*};

use crate::{Endorsements, Event, IRegistryTypes, ServiceRegistry as abi};

pub(super) fn log_of(event: &Event) -> LogData {
    match event.clone() {
        Event::NamespaceClaimed { namespace, owner, label } => {
            abi::NamespaceClaimed { namespaceId: namespace.0, owner, label }.encode_log_data()
        }
        Event::Registered { id, service, record, ttl, time, epoch, sequence, count, prev_record_hash } => {
            abi::Registered {
                id: id.0,
                service: service.0,
                owner: record.registrant,
                registration: IRegistryTypes::Registration {
                    namespaceId: record.namespace.0,
                    name: record.name,
                    label: record.label,
                    version: record.version,
                    endpoints: record.endpoints,
                    metadata: record.metadata,
                    ttl: Uint::from(ttl),
                },
                time: Uint::from(time),
                epoch: Uint::from(epoch),
                sequence,
                count,
                prevRecordHash: prev_record_hash,
            }
            .encode_log_data()
        }
        Event::Updated { id, service, version, endpoints, metadata, ttl, sequence, prev_record_hash } => abi::Updated {
            id: id.0,
            service: service.0,
            version,
            endpoints,
            metadata,
            ttl: Uint::from(ttl),
            sequence,
            prevRecordHash: prev_record_hash,
        }
        .encode_log_data(),
        Event::Deregistered { id, service, epoch, sequence, count } => {
            abi::Deregistered { id: id.0, service: service.0, epoch: Uint::from(epoch), sequence, count }
                .encode_log_data()
        }
        Event::Heartbeat { id, time } => abi::Heartbeat { id: id.0, time: Uint::from(time) }.encode_log_data(),
        Event::HeartbeatBatch { time, ids } => {
            abi::HeartbeatBatch { time: Uint::from(time), ids: ids.into_iter().map(|id| id.0).collect() }
                .encode_log_data()
        }
        other => governance_log_of(other),
    }
}

fn governance_log_of(event: Event) -> LogData {
    match event {
        Event::NamespaceOwnerProposed { namespace, epoch, account } => {
            abi::NamespaceOwnerProposed { namespaceId: namespace.0, epoch: Uint::from(epoch), account }
                .encode_log_data()
        }
        Event::NamespaceOwnerChanged { namespace, owner, epoch } => {
            abi::NamespaceOwnerChanged { namespaceId: namespace.0, owner, epoch: Uint::from(epoch) }.encode_log_data()
        }
        Event::NamespaceOpenSet { namespace, owner, open, epoch } => {
            abi::NamespaceOpenSet { namespaceId: namespace.0, owner, open, epoch: Uint::from(epoch) }.encode_log_data()
        }
        Event::RegistrarSet { namespace, epoch, registrar, expires_at } => abi::RegistrarSet {
            namespaceId: namespace.0,
            epoch: Uint::from(epoch),
            registrar,
            expiry: Uint::from(expires_at),
        }
        .encode_log_data(),
        Event::SignedHeartbeatBatch { beats } => abi::SignedHeartbeatBatch {
            times: beats.iter().map(|(_, time)| Uint::from(*time)).collect(),
            ids: beats.iter().map(|(id, _)| id.0).collect(),
        }
        .encode_log_data(),
        Event::OwnerProposed { id, epoch, account } => {
            abi::OwnerProposed { id: id.0, epoch: Uint::from(epoch), account }.encode_log_data()
        }
        Event::OwnerChanged { id, service, owner, epoch, sequence } => {
            abi::OwnerChanged { id: id.0, service: service.0, owner, epoch: Uint::from(epoch), sequence }
                .encode_log_data()
        }
        Event::OperatorSet { owner, operator, permissions, expires_at } => {
            abi::OperatorSet { owner, operator, permissions: permissions.bits(), expiry: Uint::from(expires_at) }
                .encode_log_data()
        }
        Event::InstanceOperatorSet { id, epoch, operator, permissions, expires_at } => abi::InstanceOperatorSet {
            id: id.0,
            epoch: Uint::from(epoch),
            operator,
            permissions: permissions.bits(),
            expiry: Uint::from(expires_at),
        }
        .encode_log_data(),
        Event::StatusSet { id, service, authority, status, epoch, sequence, count, reason } => abi::StatusSet {
            id: id.0,
            service: service.0,
            authority,
            status: status as u8,
            epoch: Uint::from(epoch),
            sequence,
            count,
            reason,
        }
        .encode_log_data(),
        Event::Reaped { id, service, epoch, sequence, count } => {
            abi::Reaped { id: id.0, service: service.0, epoch: Uint::from(epoch), sequence, count }.encode_log_data()
        }
        Event::Endorsed { id, endorser, topic, epoch, expires_at, digest } => Endorsements::Endorsed {
            id: id.0,
            endorser,
            topic: topic.0,
            epoch: Uint::from(epoch),
            expiry: Uint::from(expires_at),
            digest,
        }
        .encode_log_data(),
        Event::Withdrawn { id, endorser, topic, epoch } => {
            Endorsements::Withdrawn { id: id.0, endorser, topic: topic.0, epoch: Uint::from(epoch) }.encode_log_data()
        }
        other => unreachable!("{} is no event of governance", other.kind()),
    }
}

pub(super) fn word() -> impl Strategy<Value = B256> {
    uniform32(any::<u8>()).prop_map(B256::from)
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9][a-z0-9._-]{0,62}"
}

fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

fn record() -> impl Strategy<Value = Record> {
    (word(), name(), name(), word(), "[a-zA-Z0-9][a-zA-Z0-9._+-]{0,62}", vec(bytes(256), 1..16), bytes(4_096)).prop_map(
        |(namespace, name, label, registrant, version, endpoints, metadata)| Record {
            namespace: NamespaceId(namespace),
            name,
            label,
            registrant: Address::from_word(registrant),
            version,
            endpoints,
            metadata,
        },
    )
}

fn account() -> impl Strategy<Value = Address> {
    word().prop_map(Address::from_word)
}

fn instance() -> impl Strategy<Value = InstanceId> {
    word().prop_map(InstanceId)
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![record_event(), governance()]
}

fn governance() -> impl Strategy<Value = Event> {
    let u24 = || 0u32..1 << 24;
    let u40 = || 0u64..1 << 40;
    let namespace = || word().prop_map(NamespaceId);
    let service = || word().prop_map(ServiceKey);
    let permissions = || (0u8..8).prop_filter_map("a set", Permissions::from_u8);
    let status = prop_oneof![Just(Status::Active), Just(Status::Suspended), Just(Status::Revoked)];
    let topic = || word().prop_map(Topic);
    prop_oneof![
        (namespace(), u24(), account()).prop_map(|(namespace, epoch, account)| Event::NamespaceOwnerProposed {
            namespace,
            epoch,
            account
        }),
        (namespace(), account(), u24()).prop_map(|(namespace, owner, epoch)| Event::NamespaceOwnerChanged {
            namespace,
            owner,
            epoch
        }),
        (namespace(), account(), any::<bool>(), u24())
            .prop_map(|(namespace, owner, open, epoch)| { Event::NamespaceOpenSet { namespace, owner, open, epoch } }),
        (namespace(), u24(), account(), u40()).prop_map(|(namespace, epoch, registrar, expires_at)| {
            Event::RegistrarSet { namespace, epoch, registrar, expires_at }
        }),
        vec((instance(), u40()), 0..500).prop_map(|beats| Event::SignedHeartbeatBatch { beats }),
        (instance(), u24(), account()).prop_map(|(id, epoch, account)| Event::OwnerProposed { id, epoch, account }),
        (instance(), service(), account(), u24(), any::<u64>()).prop_map(|(id, service, owner, epoch, sequence)| {
            Event::OwnerChanged { id, service, owner, epoch, sequence }
        }),
        (account(), account(), permissions(), u40()).prop_map(|(owner, operator, permissions, expires_at)| {
            Event::OperatorSet { owner, operator, permissions, expires_at }
        }),
        (instance(), u24(), account(), permissions(), u40()).prop_map(
            |(id, epoch, operator, permissions, expires_at)| Event::InstanceOperatorSet {
                id,
                epoch,
                operator,
                permissions,
                expires_at
            }
        ),
        (instance(), service(), account(), status, u24(), any::<u64>(), any::<u64>(), bytes(257)).prop_map(
            |(id, service, authority, status, epoch, sequence, count, reason)| Event::StatusSet {
                id,
                service,
                authority,
                status,
                epoch,
                sequence,
                count,
                reason,
            }
        ),
        (instance(), service(), u24(), any::<u64>(), any::<u64>())
            .prop_map(|(id, service, epoch, sequence, count)| Event::Reaped { id, service, epoch, sequence, count }),
        (instance(), account(), topic(), u24(), u40(), word()).prop_map(
            |(id, endorser, topic, epoch, expires_at, digest)| Event::Endorsed {
                id,
                endorser,
                topic,
                epoch,
                expires_at,
                digest: digest | B256::with_last_byte(1),
            }
        ),
        (instance(), account(), topic(), u24()).prop_map(|(id, endorser, topic, epoch)| Event::Withdrawn {
            id,
            endorser,
            topic,
            epoch
        }),
    ]
}

fn record_event() -> impl Strategy<Value = Event> {
    let u24 = || 0u32..1 << 24;
    let u40 = || 0u64..1 << 40;
    prop_oneof![
        (name(), word()).prop_map(|(label, owner)| Event::NamespaceClaimed {
            namespace: Namespace::Label(label.clone()).id(),
            owner: Address::from_word(owner),
            label,
        }),
        (record(), u24(), u40(), u24(), any::<u64>(), any::<u64>(), word()).prop_map(
            |(record, ttl, time, epoch, sequence, count, prev_record_hash)| Event::Registered {
                id: record.id(),
                service: record.service(),
                record,
                ttl,
                time,
                epoch,
                sequence,
                count,
                prev_record_hash,
            }
        ),
        (word(), word(), record(), u24(), any::<u64>(), word()).prop_map(
            |(id, service, record, ttl, sequence, prev_record_hash)| Event::Updated {
                id: InstanceId(id),
                service: ServiceKey(service),
                version: record.version,
                endpoints: record.endpoints,
                metadata: record.metadata,
                ttl,
                sequence,
                prev_record_hash,
            }
        ),
        (word(), word(), u24(), any::<u64>(), any::<u64>()).prop_map(|(id, service, epoch, sequence, count)| {
            Event::Deregistered { id: InstanceId(id), service: ServiceKey(service), epoch, sequence, count }
        }),
        (word(), u40()).prop_map(|(id, time)| Event::Heartbeat { id: InstanceId(id), time }),
        (u40(), vec(word().prop_map(InstanceId), 0..500)).prop_map(|(time, ids)| Event::HeartbeatBatch { time, ids }),
    ]
}
