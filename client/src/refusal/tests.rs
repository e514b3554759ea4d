use alloy::{
    primitives::{U256, aliases::U40, keccak256},
    sol_types::{SolError, SolInterface},
};
use bindings::{
    Endorsements::EndorsementsErrors, ServiceRegistry as abi, ServiceRegistry::ServiceRegistryErrors as RegistryErrors,
};
use domain::Namespace;

use super::*;

#[test]
fn every_error_of_both_abis_has_words() {
    let selectors: Vec<[u8; 4]> = RegistryErrors::selectors().chain(EndorsementsErrors::selectors()).collect();
    assert!(selectors.len() > 25, "{}", selectors.len());
    for selector in selectors {
        // Zeros are a value of every type, and an offset of zero leads to an empty text.
        let data = [selector.as_slice(), &[0; 256]].concat();
        let refusal = decode(&data, None);
        assert!(!matches!(refusal, Refusal::Other(_)), "{selector:02x?}: {refusal}");
        assert!(!refusal.to_string().is_empty());
    }
}

#[test]
fn a_closed_namespace_is_called_by_its_name() {
    let owner = Address::repeat_byte(1);
    let caller = Address::repeat_byte(2);
    let data = abi::NamespaceClosed { namespaceId: keccak256("acme"), caller, owner }.abi_encode();
    let message = decode(&data, Some(&Namespace::Label("acme".into()))).to_string();
    assert!(message.starts_with(&format!("namespace acme is owned by {owner}; {caller} may not")), "{message}");
    let data = abi::NamespaceClosed { namespaceId: keccak256("acme"), caller, owner: Address::ZERO }.abi_encode();
    let message = decode(&data, Some(&Namespace::Label("acme".into()))).to_string();
    assert!(message.contains("claim it first"), "{message}");
    let message = decode(&data, Some(&Namespace::Label("other".into()))).to_string();
    assert!(message.contains(&keccak256("acme").to_string()), "{message}");
}

#[test]
fn any_bytes_are_some_refusal() {
    for data in [&[][..], &[1], &[0xff; 4], &[0; 300]] {
        assert!(matches!(decode(data, None), Refusal::Other(_)));
    }
    let reason = alloy::sol_types::Revert::from("paused").abi_encode();
    assert!(decode(&reason, None).to_string().contains("paused"));
}

#[test]
fn evidence_is_kept() {
    let id = B256::repeat_byte(3);
    let data = abi::AlreadyRegistered { id, status: 4 }.abi_encode();
    let refusal = decode(&data, None);
    assert_eq!(refusal, Refusal::AlreadyRegistered { id: InstanceId(id), status: Some(Status::Revoked) });
    assert!(refusal.to_string().contains("revoked"));
}

#[test]
fn what_an_operator_lacks_is_named_as_the_command_line_takes_it() {
    let (caller, owner) = (Address::repeat_byte(1), Address::repeat_byte(2));
    let data = abi::NotPermitted { id: B256::ZERO, caller, owner, permissions: 3 }.abi_encode();
    let message = decode(&data, None).to_string();
    assert!(message.ends_with(&format!("(rollcall operator set {caller} --allow heartbeat,update)")), "{message}");
}

#[test]
fn times_are_dates() {
    for (seconds, date) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (1_795_251_987, "2026-11-21T09:06:27Z"),
        ((1 << 40) - 1, "second 1099511627775"),
    ] {
        assert_eq!(words::time(seconds), date);
    }
    let data = abi::ExpiryPassed { expiry: U40::from(1u64), time: U256::from(3u64) }.abi_encode();
    let message = decode(&data, None).to_string();
    assert!(message.starts_with("it would end at 1970-01-01T00:00:01Z and it is 1970-01-01T00:00:03Z"), "{message}");
}
