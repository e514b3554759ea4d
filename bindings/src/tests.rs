use alloy::{
    primitives::{LogData, U256, Uint},
    sol_types::SolEvent,
};
use domain::{Address, B256, Bytes, InstanceId, Namespace, NamespaceId, Record, ServiceKey};
use proptest::{array::uniform32, collection::vec, prelude::*};

use crate::{DecodeError, Event, IRegistryTypes, ServiceRegistry as abi, decode};

fn log_of(event: &Event) -> LogData {
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
    }
}

fn word() -> impl Strategy<Value = B256> {
    uniform32(any::<u8>()).prop_map(B256::from)
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9._-]{1,63}"
}

fn bytes(max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..max).prop_map(Bytes::from)
}

fn record() -> impl Strategy<Value = Record> {
    (word(), name(), name(), word(), "[a-zA-Z0-9._+-]{1,63}", vec(bytes(256), 1..16), bytes(4_096)).prop_map(
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

fn event() -> impl Strategy<Value = Event> {
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

proptest! {
    #[test]
    fn what_the_contract_encodes_comes_back(event in event()) {
        let log = log_of(&event);
        prop_assert_eq!(decode(log.topics(), &log.data), Ok(event));
    }

    #[test]
    fn arbitrary_logs_are_refused_without_a_panic(topics in vec(word(), 0..6), data in vec(any::<u8>(), 0..600)) {
        prop_assert!(decode(&topics, &data).is_err());
    }

    #[test]
    fn a_broken_log_of_the_contract_does_not_panic(
        event in event(), cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        topics in 0usize..5,
    ) {
        let log = log_of(&event);
        let mut data = log.data.to_vec();
        if !data.is_empty() {
            let at = at.index(data.len());
            data[at] = byte;
            data.truncate(cut.index(data.len() + 1));
        }
        let mut words = log.topics().to_vec();
        words.resize(topics, B256::ZERO);
        let _ = decode(&words, &data);
    }
}

/// A log of `NamespaceClaimed` whose label is these bytes, under the id that they hash to.
fn claimed(label: &[u8]) -> LogData {
    let good = abi::NamespaceClaimed {
        namespaceId: alloy::primitives::keccak256(label),
        owner: Address::ZERO,
        label: "x".repeat(label.len()),
    };
    let mut log = good.encode_log_data();
    let mut data = log.data.to_vec();
    data[64..64 + label.len()].copy_from_slice(label);
    log.data = data.into();
    log
}

#[test]
fn invalid_utf8_in_a_text_is_an_error_and_not_replaced() {
    let log = claimed(b"ac\xffme");
    assert!(matches!(decode(log.topics(), &log.data), Err(DecodeError::Malformed { kind: "NamespaceClaimed", .. })));
}

#[test]
fn a_text_outside_the_alphabet_is_an_error() {
    for label in [&b"ac\0me"[..], b"Acme", b"<b>"] {
        let log = claimed(label);
        assert!(matches!(decode(log.topics(), &log.data), Err(DecodeError::Text { .. })), "{label:?}");
    }
    let log = claimed(b"acme");
    assert!(decode(log.topics(), &log.data).is_ok());
}

#[test]
fn an_id_that_does_not_follow_from_the_record_is_an_error() {
    let mut log = claimed(b"acme");
    log.topics_mut_unchecked()[1] = B256::ZERO;
    assert!(matches!(decode(log.topics(), &log.data), Err(DecodeError::WrongId { .. })));
}

#[test]
fn a_number_with_too_many_bits_is_an_error() {
    let log = log_of(&Event::Heartbeat { id: InstanceId(B256::ZERO), time: 7 });
    let data = U256::from(1u64 << 40).to_be_bytes::<32>();
    assert!(matches!(decode(log.topics(), &data), Err(DecodeError::Malformed { kind: "Heartbeat", .. })));
}

#[test]
fn hostile_bytes_in_endpoints_and_metadata_are_kept_as_they_are() {
    let record = Record {
        namespace: Namespace::Account(Address::repeat_byte(1)).id(),
        name: "payments".into(),
        label: "one".into(),
        registrant: Address::repeat_byte(1),
        version: "1.0.0".into(),
        endpoints: vec![Bytes::from_static(b"\0\xff<script>"), Bytes::new()],
        metadata: Bytes::from_static(b"\x1b[31m\0"),
    };
    let event = Event::Registered {
        id: record.id(),
        service: record.service(),
        record,
        ttl: 30,
        time: 1,
        epoch: 0,
        sequence: 1,
        count: 1,
        prev_record_hash: B256::ZERO,
    };
    let log = log_of(&event);
    assert_eq!(decode(log.topics(), &log.data), Ok(event));
}

#[test]
fn every_event_of_the_abi_is_known() {
    assert_eq!(abi::ServiceRegistryEvents::SELECTORS.len(), 6, "a new event needs a case in `decode`");
}

#[test]
fn every_kind_is_the_name_in_the_abi() {
    for (signature, kind) in [
        (abi::NamespaceClaimed::SIGNATURE, "NamespaceClaimed"),
        (abi::Registered::SIGNATURE, "Registered"),
        (abi::Updated::SIGNATURE, "Updated"),
        (abi::Deregistered::SIGNATURE, "Deregistered"),
        (abi::Heartbeat::SIGNATURE, "Heartbeat"),
        (abi::HeartbeatBatch::SIGNATURE, "HeartbeatBatch"),
    ] {
        assert_eq!(signature.split('(').next(), Some(kind));
    }
}
