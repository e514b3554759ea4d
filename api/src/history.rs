//! What ever happened to an instance, and how long it was up on each day.

use domain::{Address, B256, Bytes, InstanceId, Topic};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{BlockInfo, Day, Endpoint, Mode, Permission, Status};

/// A page of the history of an instance. Read from the database, and so true at its newest block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryAnswer {
    /// The block that this is true at.
    pub block: BlockInfo,
    /// How far this can be trusted to be up to date.
    pub mode: Mode,
    /// The instance.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub instance: InstanceId,
    /// Heartbeats of days before this one may be gone; all others are kept for ever.
    #[schema(value_type = String, format = Date)]
    pub heartbeats_from: Day,
    /// What happened, in order.
    pub events: Vec<HistoryEntry>,
    /// What to send as `cursor` for the next page; none on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next_cursor: Option<String>,
}

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// The block that says so.
    pub block: HistoryBlock,
    /// How sure it is that it stays so.
    pub finality: Finality,
    /// The transaction.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub tx_hash: B256,
    /// The index of the log in its block. Block and index are the order of the history.
    pub log_index: u64,
    /// What happened.
    pub event: HistoryEvent,
    /// The log itself, of which all the rest is a reading. Left out where one log renews several instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub chain: Option<RawLog>,
}

/// A block that something happened in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryBlock {
    /// Height.
    #[schema(example = 1042)]
    pub number: u64,
    /// Hash of the header.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub hash: B256,
    /// Its time, where the index knows it: always, where a lease changes, and in the last blocks.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub time: Option<OffsetDateTime>,
}

/// How sure it is that something stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finality {
    /// A reorg may undo it.
    Latest,
    /// Unlikely to be undone.
    Safe,
    /// Cannot be undone without the chain breaking its own promise.
    Finalized,
}

impl From<domain::Finality> for Finality {
    fn from(finality: domain::Finality) -> Self {
        match finality {
            domain::Finality::Latest => Self::Latest,
            domain::Finality::Safe => Self::Safe,
            domain::Finality::Finalized => Self::Finalized,
        }
    }
}

/// A log as the contract emitted it: its hash is in the receipts of the block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RawLog {
    /// The contract.
    #[serde(with = "crate::account")]
    #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
    pub contract: Address,
    /// Its topics.
    #[schema(value_type = Vec<String>)]
    pub topics: Vec<B256>,
    /// Its data.
    #[schema(value_type = String, pattern = "^0x([0-9a-f]{2})*$")]
    pub data: Bytes,
}

/// What an instance publishes about itself, as of one event. All of it is claimed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Published {
    /// The version that it runs.
    #[schema(example = "1.2.0")]
    pub version: String,
    /// The addresses that it says it serves.
    pub endpoints: Vec<Endpoint>,
    /// The metadata, if it is a JSON object without names that come twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub metadata: Option<Map<String, Value>>,
    /// The metadata, if it is anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub metadata_base64: Option<String>,
    /// Commits to the record and to all records before it.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub record_hash: B256,
    /// The one before; zero if there was none.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub prev_record_hash: B256,
}

/// What happened. `kind` says which it is, and `epoch` the instance's epoch after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HistoryEvent {
    /// It was registered, for the first time or again.
    Registered {
        /// The name of its service.
        service: String,
        /// Its own name.
        label: String,
        /// Who registered it, and owns it now.
        #[serde(with = "crate::account")]
        #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
        registrant: Address,
        /// How long one heartbeat lasts, in seconds.
        ttl_s: u32,
        /// Its epoch.
        epoch: u32,
        /// What it publishes.
        published: Published,
    },
    /// Its record was replaced.
    Updated {
        /// How long one heartbeat lasts, in seconds.
        ttl_s: u32,
        /// What it publishes.
        published: Published,
    },
    /// Its owner took it out.
    Deregistered {
        /// Its epoch.
        epoch: u32,
    },
    /// Its lease was renewed.
    Heartbeat {
        /// The time that the lease begins anew at: that of the block, or the one that was signed.
        #[serde(with = "time::serde::rfc3339")]
        #[schema(value_type = String, format = DateTime)]
        last_heartbeat: OffsetDateTime,
        /// How it was sent.
        sent: Sent,
    },
    /// An account was proposed as its next owner, or nobody is any more.
    OwnerProposed {
        /// Who may accept; none if nobody.
        #[serde(default, with = "crate::account::option")]
        #[schema(value_type = Option<String>, pattern = "^0x[0-9a-fA-F]{40}$")]
        proposed_owner: Option<Address>,
        /// Its epoch.
        epoch: u32,
    },
    /// It was transferred.
    OwnerChanged {
        /// Who owns it now.
        #[serde(with = "crate::account")]
        #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
        owner: Address,
        /// Its epoch.
        epoch: u32,
    },
    /// Its owner said what an account may do for it alone.
    InstanceOperatorSet {
        /// Who may.
        #[serde(with = "crate::account")]
        #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
        account: Address,
        /// What it may do; nothing if the grant was withdrawn.
        permissions: Vec<Permission>,
        /// The last second at which it may.
        #[serde(with = "time::serde::rfc3339")]
        #[schema(value_type = String, format = DateTime)]
        expires_at: OffsetDateTime,
        /// Its epoch.
        epoch: u32,
    },
    /// The authority suspended, reinstated or revoked it.
    StatusSet {
        /// `active`, `suspended` or `revoked`.
        status: Status,
        /// Who owns the namespace, and said so.
        #[serde(with = "crate::account")]
        #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
        authority: Address,
        /// Why, in the authority's words: what is no text is replaced, what controls a terminal is escaped.
        reason: String,
        /// Its epoch.
        epoch: u32,
    },
    /// Somebody retired its long dead lease.
    Reaped {
        /// Its epoch.
        epoch: u32,
    },
    /// Somebody endorsed it.
    Endorsed {
        /// Who.
        #[serde(with = "crate::account")]
        #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
        endorser: Address,
        /// What about.
        #[serde(with = "crate::governance::topic")]
        #[schema(value_type = String, example = "audit")]
        topic: Topic,
        /// What it says or points to.
        #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
        digest: B256,
        /// The last second at which it holds.
        #[serde(with = "time::serde::rfc3339")]
        #[schema(value_type = String, format = DateTime)]
        expires_at: OffsetDateTime,
        /// Its epoch.
        epoch: u32,
    },
    /// Somebody took an endorsement back.
    Withdrawn {
        /// Who.
        #[serde(with = "crate::account")]
        #[schema(value_type = String, pattern = "^0x[0-9a-fA-F]{40}$")]
        endorser: Address,
        /// What about.
        #[serde(with = "crate::governance::topic")]
        #[schema(value_type = String, example = "audit")]
        topic: Topic,
        /// Its epoch.
        epoch: u32,
    },
}

/// How a heartbeat was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// By itself.
    Alone,
    /// With those of others.
    Batch,
    /// Signed, and relayed by another account with those of others.
    SignedBatch,
}

/// The kinds of events in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// [`HistoryEvent::Registered`]
    Registered,
    /// [`HistoryEvent::Updated`]
    Updated,
    /// [`HistoryEvent::Deregistered`]
    Deregistered,
    /// [`HistoryEvent::Heartbeat`]
    Heartbeat,
    /// [`HistoryEvent::OwnerProposed`]
    OwnerProposed,
    /// [`HistoryEvent::OwnerChanged`]
    OwnerChanged,
    /// [`HistoryEvent::InstanceOperatorSet`]
    InstanceOperatorSet,
    /// [`HistoryEvent::StatusSet`]
    StatusSet,
    /// [`HistoryEvent::Reaped`]
    Reaped,
    /// [`HistoryEvent::Endorsed`]
    Endorsed,
    /// [`HistoryEvent::Withdrawn`]
    Withdrawn,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Registered,
        Self::Updated,
        Self::Deregistered,
        Self::Heartbeat,
        Self::OwnerProposed,
        Self::OwnerChanged,
        Self::InstanceOperatorSet,
        Self::StatusSet,
        Self::Reaped,
        Self::Endorsed,
        Self::Withdrawn,
    ];

    /// The word for it in JSON and query strings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Updated => "updated",
            Self::Deregistered => "deregistered",
            Self::Heartbeat => "heartbeat",
            Self::OwnerProposed => "owner_proposed",
            Self::OwnerChanged => "owner_changed",
            Self::InstanceOperatorSet => "instance_operator_set",
            Self::StatusSet => "status_set",
            Self::Reaped => "reaped",
            Self::Endorsed => "endorsed",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// How long an instance was up on each of some days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UptimeAnswer {
    /// The block that this is true at.
    pub block: BlockInfo,
    /// How far this can be trusted to be up to date.
    pub mode: Mode,
    /// The instance.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub instance: InstanceId,
    /// Uptimes are there of days before this one, the first that is not over and final.
    #[schema(value_type = String, format = Date)]
    pub until: Day,
    /// The days, in order.
    pub days: Vec<DayUptime>,
}

/// What an instance did on one UTC day of chain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DayUptime {
    /// The day.
    #[schema(value_type = String, format = Date)]
    pub day: Day,
    /// For how many of its 86,400 seconds readers were told that it is live.
    #[schema(maximum = 86400)]
    pub seconds_up: u32,
    /// How many heartbeats came on that day.
    pub heartbeats: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_word() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
        }
        let reaped = serde_json::to_value(HistoryEvent::Reaped { epoch: 1 }).expect("JSON");
        assert_eq!(reaped, serde_json::json!({ "kind": EventKind::Reaped.as_str(), "epoch": 1 }));
    }
}
