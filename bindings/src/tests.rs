use alloy::{
    primitives::{LogData, U256, Uint},
    sol_types::SolEvent,
};
use domain::{Address, B256, Bytes, InstanceId, Namespace, Record, Topic};
use proptest::{collection::vec, prelude::*};

use crate::{DecodeError, Endorsements, Event, ServiceRegistry as abi, decode, decode_endorsement};
use events::{event, log_of, word};

mod events;

/// By the decoder of the contract that has the event.
fn decoded(event: &Event, log: &LogData) -> Result<Event, DecodeError> {
    match event {
        Event::Endorsed { .. } | Event::Withdrawn { .. } => decode_endorsement(log.topics(), &log.data),
        _ => decode(log.topics(), &log.data),
    }
}

proptest! {
    #[test]
    fn what_the_contract_encodes_comes_back(event in event()) {
        let log = log_of(&event);
        prop_assert_eq!(decoded(&event, &log), Ok(event));
    }

    #[test]
    fn arbitrary_logs_are_refused_without_a_panic(topics in vec(word(), 0..6), data in vec(any::<u8>(), 0..600)) {
        prop_assert!(decode(&topics, &data).is_err());
        prop_assert!(decode_endorsement(&topics, &data).is_err());
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
        let _ = decode_endorsement(&words, &data);
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

/// A log of `StatusSet` with this status and a reason of so many bytes.
fn status_set(status: u8, reason: usize) -> LogData {
    let event = abi::StatusSet {
        id: B256::ZERO,
        service: B256::ZERO,
        authority: Address::ZERO,
        status,
        epoch: Uint::from(1),
        sequence: 2,
        count: 3,
        reason: vec![0xff; reason].into(),
    };
    event.encode_log_data()
}

#[test]
fn values_that_the_contract_would_have_refused_are_errors() {
    let refused = |log: &LogData| matches!(decode(log.topics(), &log.data), Err(DecodeError::Value { .. }));
    for status in 0..=255 {
        let log = status_set(status, 256);
        match status {
            1 | 2 | 4 => assert!(decode(log.topics(), &log.data).is_ok(), "{status}"),
            _ => assert!(decode(log.topics(), &log.data).is_err(), "{status}"),
        }
    }
    assert!(refused(&status_set(3, 0)) && refused(&status_set(1, 257)));
    for (times, ids) in [(1, 0), (0, 1), (3, 2)] {
        let batch = abi::SignedHeartbeatBatch { times: vec![Uint::from(7); times], ids: vec![B256::ZERO; ids] };
        assert!(refused(&batch.encode_log_data()), "{times} times, {ids} ids");
    }
    let expiry = Uint::from(7);
    let operator =
        abi::OperatorSet { owner: Address::ZERO, operator: Address::ZERO, permissions: 8, expiry }.encode_log_data();
    assert!(refused(&operator));
    let empty = Endorsements::Endorsed {
        id: B256::ZERO,
        endorser: Address::ZERO,
        topic: B256::ZERO,
        epoch: Uint::ZERO,
        expiry,
        digest: B256::ZERO,
    };
    let log = empty.encode_log_data();
    assert!(matches!(decode_endorsement(log.topics(), &log.data), Err(DecodeError::Value { .. })));
}

#[test]
fn the_log_of_one_contract_is_none_of_the_other() {
    let beat = log_of(&Event::Heartbeat { id: InstanceId(B256::ZERO), time: 7 });
    assert!(matches!(decode_endorsement(beat.topics(), &beat.data), Err(DecodeError::UnknownEvent(_))));
    let (id, topic) = (InstanceId(B256::ZERO), Topic(B256::ZERO));
    let withdrawn = log_of(&Event::Withdrawn { id, endorser: Address::ZERO, topic, epoch: 0 });
    assert!(matches!(decode(withdrawn.topics(), &withdrawn.data), Err(DecodeError::UnknownEvent(_))));
}

#[test]
fn every_event_of_the_abis_is_known() {
    // A log with nothing but the event's topic is malformed, but not unknown.
    for (selectors, decode) in [
        (abi::ServiceRegistryEvents::SELECTORS, decode as fn(&[B256], &[u8]) -> Result<Event, DecodeError>),
        (Endorsements::EndorsementsEvents::SELECTORS, decode_endorsement),
    ] {
        for selector in selectors {
            let error = decode(&[B256::from(*selector)], &[]).expect_err("malformed");
            assert!(matches!(error, DecodeError::Malformed { .. }), "{error}: a new event needs a case in `decode`");
        }
    }
}

proptest! {
    #[test]
    fn every_kind_is_the_name_in_the_abi(event in event()) {
        let selector = log_of(&event).topics()[0].0;
        let name = abi::ServiceRegistryEvents::name_by_selector(selector)
            .or_else(|| Endorsements::EndorsementsEvents::name_by_selector(selector));
        prop_assert_eq!(name, Some(event.kind()));
    }
}
