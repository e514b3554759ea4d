//! Accounts as JSON: with the checksum of EIP-55, as namespaces show them; read in any case.

use domain::Address;
use serde::{Deserialize, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(account: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(account)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    Address::deserialize(deserializer)
}

pub(crate) mod option {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(account: &Option<Address>, serializer: S) -> Result<S::Ok, S::Error> {
        match account {
            Some(account) => serializer.collect_str(account),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
        Option::deserialize(deserializer)
    }
}
