//! Ids: `keccak256(abi.encode(..))` of what they name, as in `contracts/src/ServiceRegistry.sol`.

use std::{fmt, str::FromStr};

use alloy_primitives::{Address, B256, keccak256};
use alloy_sol_types::SolValue;
use serde::{Deserialize, Serialize};

use crate::text::{self, TextError};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub B256);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(s: &str) -> Result<Self, IdError> {
                s.parse().map(Self).map_err(|_| IdError(stringify!($name)))
            }
        }
    };
}

/// A text that is no id: an id is `0x` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}: expected 0x and 64 hexadecimal digits")]
pub struct IdError(&'static str);

id! {
    /// Who governs a set of names: an account's own namespace, or a claimed label.
    NamespaceId
}
id! {
    /// A name inside a namespace: `keccak(abi.encode(namespace_id, keccak(name)))`.
    ServiceKey
}
id! {
    /// One registration of a service: `keccak(abi.encode(service_key, registrant, keccak(label)))`.
    InstanceId
}

/// A namespace as people write it: `acme`, or the address of the account that owns it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Namespace {
    /// A label that somebody claimed.
    Label(String),
    /// The personal namespace of an account. Nobody has to claim it.
    Account(Address),
}

impl Namespace {
    /// The id under which the contract knows this namespace.
    pub fn id(&self) -> NamespaceId {
        match self {
            Self::Label(label) => NamespaceId(keccak256(label.as_bytes())),
            Self::Account(account) => NamespaceId(account.into_word()),
        }
    }
}

impl FromStr for Namespace {
    type Err = TextError;

    fn from_str(s: &str) -> Result<Self, TextError> {
        if s.starts_with("0x") || s.starts_with("0X") {
            return s.parse().map(Self::Account).map_err(|_| TextError::NotAnAccount(text::clip(s)));
        }
        text::check_name("namespace", s)?;
        Ok(Self::Label(s.to_owned()))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Label(label) => f.write_str(label),
            Self::Account(account) => write!(f, "{account}"),
        }
    }
}

impl NamespaceId {
    /// The account that owns this namespace without claiming it, if it is a personal one.
    pub fn account(&self) -> Option<Address> {
        (self.0[..12] == [0; 12]).then(|| Address::from_word(self.0))
    }
}

impl ServiceKey {
    /// The key of `name` in a namespace.
    pub fn new(namespace: NamespaceId, name: &str) -> Self {
        Self(keccak256((namespace.0, keccak256(name.as_bytes())).abi_encode()))
    }
}

impl InstanceId {
    /// The id of the instance that `registrant` registered under `label`.
    pub fn new(service: ServiceKey, registrant: Address, label: &str) -> Self {
        Self(keccak256((service.0, registrant, keccak256(label.as_bytes())).abi_encode()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_between_name_and_label_cannot_be_moved() {
        let ns = Namespace::Label("acme".into()).id();
        let a = InstanceId::new(ServiceKey::new(ns, "pay"), Address::ZERO, "ments1");
        let b = InstanceId::new(ServiceKey::new(ns, "payments"), Address::ZERO, "1");
        assert_ne!(a, b);
    }

    #[test]
    fn a_personal_namespace_is_its_account() {
        let account = Address::repeat_byte(0xab);
        let ns: Namespace = account.to_string().parse().expect("an address names a namespace");
        assert_eq!(ns, Namespace::Account(account));
        assert_eq!(ns.id().account(), Some(account));
        assert_eq!(Namespace::Label("acme".into()).id().account(), None);
    }

    #[test]
    fn a_broken_address_is_not_taken_for_a_label() {
        assert!(matches!("0x12".parse::<Namespace>(), Err(TextError::NotAnAccount(_))));
        assert!("Acme".parse::<Namespace>().is_err());
        assert!("".parse::<Namespace>().is_err());
    }
}
