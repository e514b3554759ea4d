//! What the contract itself says after a scenario: tests compare the index with it.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256};
use anyhow::Result;
use domain::InstanceId;
use serde::{Deserialize, Serialize};

use crate::chain::Chain;

/// The contract's own answer about every instance of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Height of the newest block.
    pub head: u64,
    /// Hash of the newest block.
    pub head_hash: B256,
    /// Slots A and B of each instance.
    pub instances: BTreeMap<InstanceId, ExpectedInstance>,
}

/// Slots A and B of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedInstance {
    /// Who holds it.
    pub owner: Address,
    /// Chain time of the last heartbeat in seconds.
    pub last_heartbeat: u64,
    /// Length of a lease in seconds.
    pub ttl: u32,
    /// The contract's number of the status.
    pub status: u8,
    /// The epoch.
    pub epoch: u32,
    /// Slot B.
    pub record_hash: B256,
}

impl Expected {
    /// Asks the contract.
    pub async fn ask(chain: &Chain, ids: &[InstanceId]) -> Result<Self> {
        let head = chain.head().await?;
        let contract = chain.contract();
        let mut instances = BTreeMap::new();
        for id in ids {
            let lease = contract.leaseOf(id.0).call().await?;
            let instance = ExpectedInstance {
                owner: lease.owner,
                last_heartbeat: lease.lastHeartbeat.to(),
                ttl: lease.ttl.to(),
                status: lease.status,
                epoch: lease.epoch.to(),
                record_hash: contract.recordHashOf(id.0).call().await?,
            };
            instances.insert(*id, instance);
        }
        Ok(Self { head: head.number, head_hash: head.hash, instances })
    }
}
