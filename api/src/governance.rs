//! Namespaces, and who may act for whom, and who endorses what.

use domain::{Address, B256, NamespaceId, Permissions, Topic};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{BlockInfo, Mode, instance::is_harmless};

/// An account that may act for the owner of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Operator {
    /// The account.
    #[serde(with = "crate::account")]
    #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub account: Address,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// The last second at which it may.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// For which instances.
    pub scope: Scope,
}

/// What an operator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Renew leases.
    Heartbeat,
    /// Replace records; to change the ttl takes `heartbeat` too.
    Update,
    /// Take instances out of their service.
    Deregister,
}

impl Permission {
    /// Those in a set.
    pub fn all_in(permissions: Permissions) -> Vec<Self> {
        let all = [
            (Permissions::HEARTBEAT, Self::Heartbeat),
            (Permissions::UPDATE, Self::Update),
            (Permissions::DEREGISTER, Self::Deregister),
        ];
        all.into_iter().filter(|(one, _)| permissions.contains(*one)).map(|(_, word)| word).collect()
    }
}

/// For which instances an operator may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of the owner's.
    Owner,
    /// This one, while its epoch lasts.
    Instance,
}

/// What somebody says of an instance. Anyone may say anything: it is worth what its endorser is worth to you.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endorsement {
    /// Who says it.
    #[serde(with = "crate::account")]
    #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub endorser: Address,
    /// What about: a text of at most 31 printable ASCII characters, or 0x and 64 hexadecimal digits.
    #[serde(with = "topic")]
    #[schema(value_type = String, example = "audit")]
    pub topic: Topic,
    /// What it says or points to, such as the hash of a report.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub digest: B256,
    /// The last second at which it holds.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
}

/// An account that may register in a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registrar {
    /// The account.
    #[serde(with = "crate::account")]
    #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub account: Address,
    /// The last second at which it may.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
}

/// A namespace: who governs it, and whom they admit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NamespaceAnswer {
    /// The block that this is true at.
    pub block: BlockInfo,
    /// The chain time of the answer.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub now: OffsetDateTime,
    /// How far this can be trusted to be up to date.
    pub mode: Mode,
    /// The namespace: a label, or the address of an account.
    #[schema(example = "acme")]
    pub namespace: String,
    /// `keccak256(label)`, or the account as a word.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub id: NamespaceId,
    /// The authority over its instances.
    #[serde(with = "crate::account")]
    #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub owner: Address,
    /// Whether anyone may register in it.
    pub open: bool,
    /// Goes up when it is transferred; registrars and proposals of before are void then.
    pub epoch: u32,
    /// Who may accept to be its next owner.
    #[serde(default, with = "crate::account::option")]
    #[schema(value_type = Option<String>, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub proposed_owner: Option<Address>,
    /// Who is admitted to register in it, but its owner: the newest 100. An admission whose `expires_at` has passed is
    /// here too.
    pub registrars: Vec<Registrar>,
    /// How many registrars there are.
    pub registrars_total: u64,
}

/// Bytes from a stranger as text that harms no terminal and no page: what is no UTF-8 is replaced, and characters that
/// control a terminal or the direction of text are escaped, as `\u{1b}`.
pub fn plain_text(bytes: &[u8]) -> String {
    let mut out = String::new();
    for c in String::from_utf8_lossy(bytes).chars() {
        if is_harmless(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

pub(crate) mod topic {
    use domain::Topic;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(topic: &Topic, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(topic)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Topic, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reason_stays_readable() {
        assert_eq!(plain_text("Schlüssel <b>verloren</b>".as_bytes()), "Schlüssel <b>verloren</b>");
        assert_eq!(plain_text(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(plain_text("\x1b[2J\0\u{202e}".as_bytes()), r"\u{1b}[2J\u{0}\u{202e}");
    }

    proptest! {
        #[test]
        fn any_reason_is_harmless(bytes in proptest::collection::vec(any::<u8>(), 0..257)) {
            prop_assert!(plain_text(&bytes).chars().all(is_harmless));
        }

        #[test]
        fn any_topic_comes_back(word in any::<[u8; 32]>()) {
            let endorsement = Endorsement {
                endorser: Address::ZERO,
                topic: Topic(word.into()),
                digest: B256::ZERO,
                expires_at: OffsetDateTime::UNIX_EPOCH,
            };
            let json = serde_json::to_string(&endorsement).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Endorsement>(&json).expect("what was served"), endorsement);
        }
    }
}
