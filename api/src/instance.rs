//! Instances, their endpoints and metadata.

use base64::{DecodeError, Engine, prelude::BASE64_STANDARD};
use domain::{Address, B256, InstanceId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{BlockInfo, Endorsement, Mode, Operator};

/// One registration of a service. All is the chain's word and can be proved, but what `endpoints` and `metadata` say is
/// only what the owner claims.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Instance {
    /// `keccak256(abi.encode(service, registrant, keccak256(label)))`.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub id: InstanceId,
    /// The namespace of the service: a label, or the address of an account.
    #[schema(example = "acme")]
    pub namespace: String,
    /// The name of the service.
    #[schema(example = "payments")]
    pub service: String,
    /// Its own name: unique per registrant and service.
    #[schema(example = "a1")]
    pub label: String,
    /// The account that registered it; part of the id.
    #[serde(with = "crate::account")]
    #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub registrant: Address,
    /// The account that holds it now.
    #[serde(with = "crate::account")]
    #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub owner: Address,
    /// The version that it runs; by convention a semantic version.
    #[schema(example = "1.2.0")]
    pub version: String,
    /// Listed or not, and why.
    pub status: Status,
    /// Why the authority set the status, if it did since the last registration. Written by the authority: what is no
    /// text in it is replaced, and characters that control a terminal or the direction of text are escaped.
    #[serde(default)]
    pub reason: Option<String>,
    /// Status active, and its lease runs. After the chain stood still, leases run for at least a ttl more.
    pub live: bool,
    /// Observed by the gateway that answers.
    #[serde(default)]
    pub observed: Observed,
    /// How long one heartbeat lasts, in seconds.
    #[schema(example = 30)]
    pub ttl_s: u32,
    /// The time of the block with the last heartbeat, or with the registration.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub last_heartbeat: OffsetDateTime,
    /// The last second at which the lease runs: `last_heartbeat + ttl_s`.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: OffsetDateTime,
    /// Goes up whenever the instance leaves the roster or changes hands.
    pub epoch: u32,
    /// The block of its last registration.
    pub registered_block: u64,
    /// The block of its last registration or update.
    pub updated_block: u64,
    /// Commits to the record and to all records before it.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub record_hash: B256,
    /// Claimed: the addresses that it says it serves.
    pub endpoints: Vec<Endpoint>,
    /// Claimed: the metadata, if it is a JSON object without names that come twice. By convention it has `tags`, `zone`,
    /// `region`, `geo {lat, lon}`, `weight`, `priority`, `latency_ms`, `resources {cpu, memory_mb, storage_gb}`,
    /// `protocol`, `health_url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub metadata: Option<Map<String, Value>>,
    /// Claimed: the metadata, if it is anything else. It matches no filter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metadata_base64: Option<String>,
}

/// What a gateway has seen of an instance: nobody can prove it, and another gateway may have seen something else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Observed {
    /// Its lease has run out, but too many instances of its service fell silent at once: rather their heartbeats are lost.
    pub suspect: bool,
    /// How unlikely its silence was when the answer was made: about `10^-phi`, by how regular its heartbeats were. None
    /// before two were seen. It orders and warns; nobody goes because of it.
    #[schema(example = 0.3)]
    pub phi: Option<f64>,
}

/// An address that an instance claims to serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Text without characters that control a terminal or the direction of text. Nothing promises that it is a URI.
    #[schema(example = "https://a1.payments.example:8443")]
    Uri(String),
    /// Anything else.
    Base64(String),
}

impl Endpoint {
    /// Reads the bytes that the chain holds.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.chars().all(is_harmless) => Self::Uri(text.to_owned()),
            _ => Self::Base64(BASE64_STANDARD.encode(bytes)),
        }
    }

    /// The bytes that the chain holds.
    ///
    /// # Errors
    /// If the gateway served something that is not base64.
    pub fn to_bytes(&self) -> Result<Vec<u8>, DecodeError> {
        match self {
            Self::Uri(text) => Ok(text.clone().into_bytes()),
            Self::Base64(text) => BASE64_STANDARD.decode(text),
        }
    }

    /// The text, if it is one.
    pub fn uri(&self) -> Option<&str> {
        match self {
            Self::Uri(text) => Some(text),
            Self::Base64(_) => None,
        }
    }
}

/// No control character, and none that is invisible or turns the text around it.
pub(crate) fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// What an instance is now. Expired is no status: it is an active instance whose `expires_at` has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Listed, and live while its lease runs.
    Active,
    /// Listed, but the authority asks consumers to stay away.
    Suspended,
    /// Its owner took it out.
    Deregistered,
    /// The authority took it out for good.
    Revoked,
    /// Somebody retired its long dead lease.
    Reaped,
}

impl Status {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        domain::Status::from(self).as_str()
    }
}

impl From<domain::Status> for Status {
    fn from(status: domain::Status) -> Self {
        match status {
            domain::Status::Active => Self::Active,
            domain::Status::Suspended => Self::Suspended,
            domain::Status::Deregistered => Self::Deregistered,
            domain::Status::Revoked => Self::Revoked,
            domain::Status::Reaped => Self::Reaped,
        }
    }
}

impl From<Status> for domain::Status {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Suspended => Self::Suspended,
            Status::Deregistered => Self::Deregistered,
            Status::Revoked => Self::Revoked,
            Status::Reaped => Self::Reaped,
        }
    }
}

/// Which instances to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// The live ones.
    #[default]
    Healthy,
    /// All that are listed, expired and suspended ones too.
    All,
    /// The live ones; if there are none, all that are listed.
    HealthyOrElseAll,
}

impl Health {
    /// The word for it in JSON and query strings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::All => "all",
            Self::HealthyOrElseAll => "healthy_or_else_all",
        }
    }
}

/// The instances of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstancesAnswer {
    /// The namespace: a label, or the address of an account.
    pub namespace: String,
    /// The name of the service.
    pub service: String,
    /// The block at which this became true. It is true up to the block in the header `X-Registry-Block`.
    pub block: BlockInfo,
    /// How far this can be trusted to be up to date.
    pub mode: Mode,
    /// Which instances these are: `healthy` or `all`, never `healthy_or_else_all`.
    pub health: Health,
    /// Which region answers, if the request has `failover` and any instance was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tier: Option<Tier>,
    /// How many match; `limit` may have cut some off.
    pub matched: u64,
    /// The instances, ordered by id; those that are suspect, or whose phi is 3 or more, come last. With `near`, the nearest
    /// first.
    pub instances: Vec<Instance>,
}

/// Which of the regions of a request with `failover` answers: the first that has any instance that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tier {
    /// 0 is `region`; 1 is the first of `failover`, and so on.
    pub number: u64,
    /// Its name.
    #[schema(example = "eu-central-1")]
    pub region: String,
}

/// What changed of the instances of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstancesDelta {
    /// The block that this is true at.
    pub block: BlockInfo,
    /// How far this can be trusted to be up to date.
    pub mode: Mode,
    /// Instances that are new, or not as they were.
    pub instances: Vec<Instance>,
    /// Instances that are not among the answers any more.
    #[schema(value_type = Vec<String>)]
    pub gone: Vec<InstanceId>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InstanceAnswer {
    /// The block that this is true at.
    pub block: BlockInfo,
    /// The chain time that the lease was compared with.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub now: OffsetDateTime,
    /// How far this can be trusted to be up to date.
    pub mode: Mode,
    /// The instance, in whatever status.
    pub instance: Instance,
    /// Who may accept to be its next owner.
    #[serde(default, with = "crate::account::option")]
    #[schema(value_type = Option<String>, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub proposed_owner: Option<Address>,
    /// Who may act for its owner: the newest 100, those for this instance alone first. A grant that was withdrawn is not
    /// here, one whose `expires_at` has passed is.
    #[serde(default)]
    pub operators: Vec<Operator>,
    /// How many operators there are.
    #[serde(default)]
    pub operators_total: u64,
    /// What others say of it in its present epoch, at most 100: first what each endorser said last, the newest first, then
    /// what each said before. An endorsement that was withdrawn is not here, one whose `expires_at` has passed is. Anyone
    /// may endorse: look for the endorsers whom you trust, and if there are more than 100, ask the contract.
    #[serde(default)]
    pub endorsements: Vec<Endorsement>,
    /// How many endorsements there are.
    #[serde(default)]
    pub endorsements_total: u64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_endpoint_is_text_only_if_it_is_harmless() {
        let uri = Endpoint::from_bytes("https://münchen.example".as_bytes());
        assert_eq!(serde_json::to_value(&uri).expect("JSON")["uri"], "https://münchen.example");
        let bytes = Endpoint::from_bytes(&[0xff, 0xfe]);
        assert_eq!(serde_json::to_string(&bytes).expect("JSON"), r#"{"base64":"//4="}"#);
        for hostile in ["a\0b", "a\r\nSet-Cookie: x", "\u{1b}[2J", "\u{7f}", "\u{85}", "\u{202e}txt", "\u{feff}x"] {
            assert_eq!(Endpoint::from_bytes(hostile.as_bytes()).uri(), None, "{hostile:?}");
        }
    }

    proptest! {
        #[test]
        fn any_endpoint_comes_back_byte_for_byte(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let json = serde_json::to_string(&Endpoint::from_bytes(&bytes)).expect("JSON");
            prop_assert!(!json.contains(|c: char| c.is_control()));
            let endpoint: Endpoint = serde_json::from_str(&json).expect("what was served");
            prop_assert_eq!(endpoint.to_bytes().expect("base64"), bytes);
        }

        #[test]
        fn any_text_comes_back_character_for_character(text in any::<String>()) {
            let json = serde_json::to_string(&Endpoint::from_bytes(text.as_bytes())).expect("JSON");
            let endpoint: Endpoint = serde_json::from_str(&json).expect("what was served");
            prop_assert_eq!(endpoint.to_bytes().expect("base64"), text.into_bytes());
        }
    }
}
