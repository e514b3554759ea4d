//! The rows of the tables as types.

use alloy_primitives::{Address, B256, Bytes};
use domain::{BlockRef, Heads, InstanceId, Lease, NamespaceId, ServiceKey};
use serde::{Deserialize, Serialize};

mod grants;
mod uptime;

pub use grants::{Grant, GrantRow};
pub use uptime::{DAY, LeaseRow, Upkeep, UptimeRow};

/// Which contract on which chain an index mirrors. An index never changes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The chain's id.
    pub chain_id: u64,
    /// Hash of block 0: tells two chains with one id apart.
    pub genesis_hash: B256,
    /// Address of the contract.
    pub contract: Address,
    /// Keccak of the contract's runtime code.
    pub code_hash: B256,
    /// Address of the contract with the endorsements of its instances, if they are indexed too.
    pub endorsements: Option<Address>,
    /// The block in which the contract was deployed: where the index starts.
    pub deploy_block: BlockRef,
}

/// How far the index is and how the writer feels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What the index mirrors.
    pub origin: Origin,
    /// Whether the chain's headers were shown to hash as Ethereum's: once true, always true.
    pub headers_hash: bool,
    /// The last fully applied block.
    pub head: BlockRef,
    /// Its timestamp in seconds.
    pub head_time: u64,
    /// What the chain said of itself when last asked.
    pub heads: Heads,
    /// Goes up each time that the writer sees the index at the chain's tip.
    pub confirmations: i64,
    /// The last sequence number in `changes`.
    pub change_seq: i64,
    /// The epoch of the writer.
    pub writer_epoch: i64,
    /// Why the writer is not well.
    pub problem: Option<String>,
}

impl Checkpoint {
    /// Whether the writer has come to nothing between this and `now`: no block, and not even a look at the tip.
    pub fn is_where(&self, now: &Self) -> bool {
        let place = |checkpoint: &Self| (checkpoint.head, checkpoint.confirmations, checkpoint.change_seq);
        place(self) == place(now)
    }
}

/// A block of the unfinalized window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockRow {
    /// Number and hash.
    pub block: BlockRef,
    /// Hash of the block before it.
    pub parent_hash: B256,
    /// Timestamp in seconds.
    pub time: u64,
}

/// A log of the contract, or of its endorsements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// The contract that emitted it.
    pub contract: Address,
    /// The block that holds it.
    pub block: BlockRef,
    /// Its index in the block.
    pub log_index: u64,
    /// The transaction that emitted it.
    pub tx_hash: B256,
    /// The event's name in the ABI.
    pub kind: String,
    /// The instance that it is about, where it is about just one.
    pub instance: Option<InstanceId>,
    /// The namespace that it is about.
    pub namespace: Option<NamespaceId>,
    /// The storage slot of the proposal, the grant or the endorsement that it sets, if it sets one.
    pub slot: Option<B256>,
    /// Its topics.
    pub topics: Vec<B256>,
    /// Its data.
    pub data: Bytes,
    /// The time of its block, if it changes a lease and does not say when.
    pub time: Option<u64>,
}

/// One heartbeat of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeartbeatRow {
    /// The instance that was renewed.
    pub instance: InstanceId,
    /// Height of the block that says so.
    pub block_number: u64,
    /// Index of the log that says so.
    pub log_index: u64,
    /// Chain time in seconds.
    pub time: u64,
}

/// A namespace that the contract has a word for: one that was claimed, or a personal one that was opened or closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceRow {
    /// Its id.
    pub id: NamespaceId,
    /// Its label; none of a personal one.
    pub label: Option<String>,
    /// Its owner: the authority of its services.
    pub owner: Address,
    /// Whether anyone may register in it.
    pub open: bool,
    /// Goes up when it is transferred.
    pub epoch: u32,
}

/// A service and its roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// Its key.
    pub key: ServiceKey,
    /// Its namespace.
    pub namespace: NamespaceId,
    /// Its name.
    pub name: String,
    /// How many instances are listed.
    pub count: u64,
    /// How many events the roster has seen.
    pub sequence: u64,
}

/// An instance: what it publishes, and its lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRow {
    /// Its id.
    pub id: InstanceId,
    /// Its service.
    pub service: ServiceKey,
    /// Its label.
    pub label: String,
    /// The account that registered it.
    pub registrant: Address,
    /// The version that it runs.
    pub version: String,
    /// The addresses that it serves; arbitrary bytes.
    pub endpoints: Vec<Bytes>,
    /// Its metadata; arbitrary bytes.
    pub metadata: Bytes,
    /// Slot B.
    pub record_hash: B256,
    /// Height of its last registration.
    pub registered_block: u64,
    /// Height of its last registration or update.
    pub updated_block: u64,
    /// What the authority said when it last set the status, since the last registration; arbitrary bytes.
    pub reason: Option<Bytes>,
    /// Slot A.
    pub lease: Lease,
}
