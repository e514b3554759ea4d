//! The data of a revert in, a [`Refusal`] out. No error of either contract is left to a wildcard: one that is added to
//! an ABI and not here does not compile.

use alloy::{
    primitives::{U256, aliases::U40},
    sol_types::SolInterface,
};
use bindings::{Endorsements::EndorsementsErrors, ServiceRegistry::ServiceRegistryErrors};
use domain::{Address, B256, InstanceId, Namespace, NamespaceId, Permissions, Status, Topic, text};

use super::Refusal;

/// Reads the data of a revert. `known` gives the namespace its name back, of which the contract knows the hash alone.
pub(crate) fn decode(data: &[u8], known: Option<&Namespace>) -> Refusal {
    if let Ok(error) = ServiceRegistryErrors::abi_decode(data) {
        return of_registry(error, known);
    }
    if let Ok(error) = EndorsementsErrors::abi_decode(data) {
        return of_endorsements(error);
    }
    Refusal::Other(match data {
        [] => "without a reason (out of gas, or a contract that has no such function)".to_owned(),
        data => alloy::sol_types::decode_revert_reason(data).map_or_else(
            || format!("unknown error {}", alloy::hex::encode_prefixed(clip(data))),
            |reason| text::clip(&reason),
        ),
    })
}

fn of_registry(error: ServiceRegistryErrors, known: Option<&Namespace>) -> Refusal {
    use ServiceRegistryErrors as Raw;
    let namespace = |id: B256| match known {
        Some(namespace) if namespace.id() == NamespaceId(id) => namespace.to_string(),
        _ => NamespaceId(id).account().map_or_else(|| id.to_string(), |account| account.to_string()),
    };
    match error {
        Raw::NamespaceTaken(e) => Refusal::NamespaceTaken { namespace: namespace(e.namespaceId), owner: e.owner },
        Raw::NamespaceClosed(e) => {
            Refusal::NamespaceClosed { namespace: namespace(e.namespaceId), caller: e.caller, owner: somebody(e.owner) }
        }
        Raw::NotNamespaceOwner(e) => Refusal::NotNamespaceOwner {
            namespace: namespace(e.namespaceId),
            caller: e.caller,
            owner: somebody(e.owner),
        },
        Raw::PersonalNamespace(e) => Refusal::PersonalNamespace { namespace: namespace(e.namespaceId) },
        Raw::NotProposed(e) => {
            Refusal::NotProposed { subject: namespace(e.key), caller: e.caller, proposed: somebody(e.proposed) }
        }
        Raw::AlreadyRegistered(e) => {
            Refusal::AlreadyRegistered { id: InstanceId(e.id), status: Status::from_u8(e.status) }
        }
        Raw::NotListed(e) => Refusal::NotListed { id: InstanceId(e.id), status: Status::from_u8(e.status) },
        Raw::NotOwner(e) => Refusal::NotOwner { id: InstanceId(e.id), caller: e.caller, owner: e.owner },
        Raw::NotPermitted(e) => Refusal::NotPermitted {
            id: InstanceId(e.id),
            caller: e.caller,
            owner: e.owner,
            permissions: Permissions::from_u8(e.permissions & Permissions::ALL.bits()).unwrap_or_default(),
        },
        Raw::InstanceSuspended(e) => Refusal::InstanceSuspended { id: InstanceId(e.id) },
        Raw::InvalidTransition(e) => Refusal::InvalidTransition {
            id: InstanceId(e.id),
            from: Status::from_u8(e.from),
            to: Status::from_u8(e.to),
        },
        Raw::EpochsExhausted(e) => Refusal::EpochsExhausted { subject: namespace(e.key) },
        Raw::GasTooLow(e) => Refusal::GasTooLow { left: e.left, needed: e.needed },
        Raw::RecordChanged(e) => Refusal::RecordChanged { id: InstanceId(e.id), current: e.current, given: e.given },
        Raw::ExpiryPassed(e) => expiry_passed(e.expiry, e.time),
        Raw::DeadlinePassed(e) => Refusal::DeadlinePassed { deadline: e.deadline.to(), now: seconds(e.time) },
        Raw::InvalidSignature(e) => {
            Refusal::InvalidSignature { id: InstanceId(e.id), account: e.account, digest: e.digest }
        }
        Raw::NothingRenewed(e) => Refusal::NothingRenewed { size: e.size },
        Raw::NothingReaped(e) => Refusal::NothingReaped { size: e.size, grace: e.grace },
        Raw::InvalidText(e) => Refusal::Input(format!(
            "{:?} is no valid {}",
            text::clip(&e.value),
            ["name", "label", "version", "namespace"].get(usize::from(e.field)).unwrap_or(&"text")
        )),
        Raw::ReservedLabel(e) => Refusal::Input(format!("the label {:?} is reserved", text::clip(&e.label))),
        Raw::EndpointCountOutOfRange(e) => Refusal::Input(format!("{} endpoints; 1 to {}", e.count, e.max)),
        Raw::EndpointLengthOutOfRange(e) => {
            Refusal::Input(format!("endpoint {} has {} bytes; 1 to {}", e.index + U256::ONE, e.length, e.max))
        }
        Raw::MetadataTooLong(e) => Refusal::Input(format!("{} bytes of metadata, at most {}", e.length, e.max)),
        Raw::TtlOutOfRange(e) => Refusal::Input(format!("a ttl of {} s, from {} to {}", e.ttl, e.min, e.max)),
        Raw::BatchSizeOutOfRange(e) => Refusal::Input(format!("a batch of {}; 1 to {}", e.size, e.max)),
        Raw::ReasonTooLong(e) => Refusal::Input(format!("a reason of {} bytes, at most {}", e.length, e.max)),
        Raw::InvalidPermissions(e) => Refusal::Input(format!("permissions {}, at most {}", e.permissions, e.max)),
    }
}

fn of_endorsements(error: EndorsementsErrors) -> Refusal {
    use EndorsementsErrors as Raw;
    match error {
        Raw::NotListed(e) => Refusal::NotListed { id: InstanceId(e.id), status: None },
        Raw::EpochChanged(e) => {
            Refusal::EpochChanged { id: InstanceId(e.id), current: e.current.to(), given: e.given.to() }
        }
        Raw::OwnEndorsement(e) => Refusal::OwnEndorsement { id: InstanceId(e.id), owner: e.owner },
        Raw::ExpiryPassed(e) => expiry_passed(e.expiry, e.time),
        Raw::EmptyDigest(_) => Refusal::Input("a digest of zero: of nothing, endorse keccak256(\"\")".to_owned()),
        Raw::NotEndorsed(e) => {
            Refusal::NotEndorsed { id: InstanceId(e.id), endorser: e.endorser, topic: Topic(e.topic).to_string() }
        }
    }
}

fn expiry_passed(expiry: U40, now: U256) -> Refusal {
    Refusal::ExpiryPassed { expiry: expiry.to(), now: seconds(now) }
}

fn seconds(time: U256) -> u64 {
    time.saturating_to()
}

fn somebody(account: Address) -> Option<Address> {
    (!account.is_zero()).then_some(account)
}

fn clip(data: &[u8]) -> &[u8] {
    &data[..data.len().min(68)]
}
