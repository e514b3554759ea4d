//! The contract's own errors with their evidence, in words.

use alloy::{primitives::U256, sol_types::SolInterface};
use bindings::ServiceRegistry::ServiceRegistryErrors as Raw;
use domain::{Address, B256, InstanceId, Namespace, NamespaceId, Status, text};

/// The contract said no. Each error carries the contract's evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The label was claimed before.
    #[error("the namespace {namespace} belongs to {owner}: choose another one, or use that account's key")]
    NamespaceTaken {
        /// The namespace, by its label where that is known.
        namespace: String,
        /// Who owns it.
        owner: Address,
    },
    /// The caller may not register in this namespace.
    #[error("{}", namespace_closed(.namespace, *.caller, *.owner))]
    NamespaceClosed {
        /// The namespace, by its label where that is known.
        namespace: String,
        /// Who asked.
        caller: Address,
        /// Who owns it, if anybody does.
        owner: Option<Address>,
    },
    /// The instance is listed already, or was revoked.
    #[error("{}", already_registered(.id, *.status))]
    AlreadyRegistered {
        /// The instance.
        id: InstanceId,
        /// What it is.
        status: Option<Status>,
    },
    /// The instance is not there.
    #[error("{}", not_listed(.id, *.status))]
    NotListed {
        /// The instance.
        id: InstanceId,
        /// What it is; `None` if it never was.
        status: Option<Status>,
    },
    /// Somebody else's instance.
    #[error("the instance {id} belongs to {owner}, not to {caller}")]
    NotOwner {
        /// The instance.
        id: InstanceId,
        /// Who asked.
        caller: Address,
        /// Whose it is.
        owner: Address,
    },
    /// The record changed since the update was written.
    #[error("the record of {id} was changed by another update (it is {current} now, not {given}): try again")]
    RecordChanged {
        /// The instance.
        id: InstanceId,
        /// The record hash of the contract.
        current: B256,
        /// The one that the update was to replace.
        given: B256,
    },
    /// Of a batch, nothing could be renewed.
    #[error("none of the {size} instances could be renewed: each is gone, or belongs to another account")]
    NothingRenewed {
        /// How many there were.
        size: U256,
    },
    /// A rule of the contract that is checked before anything is sent, and was broken all the same.
    #[error("the contract refuses the input: {0}")]
    Input(String),
    /// A revert that is none of the contract's errors.
    #[error("the transaction reverts: {0}")]
    Other(String),
}

/// Reads the data of a revert. `known` gives the namespace its name back, of which the contract knows the hash alone.
pub(crate) fn decode(data: &[u8], known: Option<&Namespace>) -> Refusal {
    let Ok(error) = Raw::abi_decode(data) else {
        return Refusal::Other(match data {
            [] => "without a reason (out of gas, or a contract that has no such function)".to_owned(),
            data => alloy::sol_types::decode_revert_reason(data).map_or_else(
                || format!("unknown error {}", alloy::hex::encode_prefixed(clip(data))),
                |r| text::clip(&r),
            ),
        });
    };
    let namespace = |id: B256| match known {
        Some(namespace) if namespace.id() == NamespaceId(id) => namespace.to_string(),
        _ => id.to_string(),
    };
    match error {
        Raw::NamespaceTaken(e) => Refusal::NamespaceTaken { namespace: namespace(e.namespaceId), owner: e.owner },
        Raw::NamespaceClosed(e) => Refusal::NamespaceClosed {
            namespace: namespace(e.namespaceId),
            caller: e.caller,
            owner: (!e.owner.is_zero()).then_some(e.owner),
        },
        Raw::AlreadyRegistered(e) => {
            Refusal::AlreadyRegistered { id: InstanceId(e.id), status: Status::from_u8(e.status) }
        }
        Raw::NotListed(e) => Refusal::NotListed { id: InstanceId(e.id), status: Status::from_u8(e.status) },
        Raw::NotOwner(e) => Refusal::NotOwner { id: InstanceId(e.id), caller: e.caller, owner: e.owner },
        Raw::RecordChanged(e) => Refusal::RecordChanged { id: InstanceId(e.id), current: e.current, given: e.given },
        Raw::NothingRenewed(e) => Refusal::NothingRenewed { size: e.size },
        Raw::InvalidText(e) => Refusal::Input(format!("{:?} is no valid name, label or version", text::clip(&e.value))),
        Raw::ReservedLabel(e) => Refusal::Input(format!("the label {:?} is reserved", text::clip(&e.label))),
        Raw::EndpointCountOutOfRange(e) => Refusal::Input(format!("{} endpoints, at most {}", e.count, e.max)),
        Raw::EndpointLengthOutOfRange(e) => {
            Refusal::Input(format!("endpoint {} has {} bytes, at most {}", e.index, e.length, e.max))
        }
        Raw::MetadataTooLong(e) => Refusal::Input(format!("{} bytes of metadata, at most {}", e.length, e.max)),
        Raw::TtlOutOfRange(e) => Refusal::Input(format!("a ttl of {} s, from {} to {}", e.ttl, e.min, e.max)),
        Raw::BatchSizeOutOfRange(e) => Refusal::Input(format!("a batch of {}, at most {}", e.size, e.max)),
        #[allow(
            unreachable_patterns,
            clippy::allow_attributes,
            reason = "the contract may get errors that we do not name"
        )]
        other => Refusal::Other(format!("{other:?}")),
    }
}

fn clip(data: &[u8]) -> &[u8] {
    &data[..data.len().min(68)]
}

fn namespace_closed(namespace: &str, caller: Address, owner: Option<Address>) -> String {
    match owner {
        Some(owner) => format!(
            "namespace {namespace} is owned by {owner}; {caller} may not register in it: use the owner's key, or a namespace of your own"
        ),
        None => format!("nobody owns the namespace {namespace}: claim it first (rollcall namespace claim {namespace})"),
    }
}

fn already_registered(id: &InstanceId, status: Option<Status>) -> String {
    match status {
        Some(Status::Revoked) => {
            format!("the instance {id} was revoked by the authority of its namespace and cannot register again")
        }
        status => format!(
            "the instance {id} is registered ({}) with another record: use update to change it",
            status.map_or("unknown", Status::as_str)
        ),
    }
}

fn not_listed(id: &InstanceId, status: Option<Status>) -> String {
    match status {
        None => format!("there is no instance {id} of this account: register it first, and check name, label and key"),
        Some(status) => format!("the instance {id} is {}: register it again", status.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use alloy::{primitives::keccak256, sol_types::SolError};
    use bindings::ServiceRegistry as abi;

    use super::*;

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
}
