//! What happens on the chain: calls of several accounts, some of which the contract refuses, and changes of its mind.

use alloy::{
    eips::BlockId,
    primitives::{
        Address, Bytes,
        aliases::{U24, U40},
    },
    sol_types::SolCall,
};
use anvil_fixtures::{
    Chain,
    chain::ACCOUNTS,
    governance::{endorse, key, path},
    scenario::plain,
};
use anyhow::Result;
use bindings::{
    Endorsements::withdrawCall,
    IRegistryTypes::{InstanceKey, RecordUpdate},
    ServiceRegistry::{
        acceptOwnerCall, deregisterCall, heartbeatBatchCall, heartbeatCall, proposeOwnerCall, registerCall,
        setInstanceOperatorCall, setNamespaceOpenCall, setOperatorCall, setRegistrarCall, setStatusCall, updateCall,
    },
};
use domain::{InstanceId, Namespace, NamespaceId, Permissions, ServiceKey, Status, Topic};
use serde_json::json;

use crate::chance::Chance;

/// Longer than any chain of ours lasts, in seconds.
const FAR: u64 = 4_000_000_000;

/// The deepest reorg. Anvil loses the contract in deep ones of long chains.
const DEEPEST: u64 = 20;

/// Of the instances of each account.
const LABELS: [&str; 5] = ["i0", "i1", "i2", "i3", "i4"];

pub struct Story {
    chain: Chain,
    pub chance: Chance,
    /// Of the newest block there ever was: after a rollback too, time goes on.
    time: u64,
    /// Nothing up to this height is taken back.
    floor: u64,
}

impl Story {
    /// From here on.
    pub async fn begin(chain: &Chain, chance: Chance) -> Result<Self> {
        let mut story = Self { chain: chain.clone(), chance, time: 0, floor: 0 };
        for owner in ACCOUNTS {
            // A personal namespace has no word until then, and is read: see `send_to`.
            let call = setNamespaceOpenCall { namespaceId: Namespace::Account(owner).id().0, open: true };
            story.send(owner, &call).await?;
        }
        story.mine().await?;
        story.floor = chain.head().await?.number;
        Ok(story)
    }

    /// Blocks with a few calls each.
    pub async fn blocks(&mut self, blocks: u64) -> Result<()> {
        for _ in 0..blocks {
            for _ in 0..self.chance.number(0..=3) {
                self.call().await?;
            }
            self.mine().await?;
        }
        Ok(())
    }

    /// A few blocks, or other ones in place of some, which may have as many successors or fewer.
    pub async fn turn(&mut self) -> Result<()> {
        let head = self.chain.head().await?.number;
        let most = DEEPEST.min(head.saturating_sub(self.floor + 1));
        match self.chance.number(0..=9) {
            0..=4 if most > 0 => self.reorg(most).await?,
            5 if most > 0 => {
                self.reorg(most).await?;
                self.reorg(most).await?;
            }
            6 if most > 0 => {
                let depth = self.chance.number(1..=most.min(6));
                self.chain.rollback(depth).await?;
            }
            _ => {}
        }
        let more = self.chance.number(1..=5);
        self.blocks(more).await
    }

    async fn reorg(&mut self, most: u64) -> Result<()> {
        // Mostly shallow, as they are.
        let most = if self.chance.once_in(2) { most } else { most.min(4) };
        let depth = self.chance.number(1..=most);
        // A transaction in the lowest one gives all of them other hashes: empty ones in place of empty ones would be the
        // same.
        let value = format!("{:#x}", self.chance.number(1..=u64::from(u32::MAX)));
        let tx = json!({ "from": ACCOUNTS[0], "to": ACCOUNTS[0], "value": value, "gas": "0x5208" });
        self.chain.raw("anvil_reorg", json!([depth, [[tx, 0]]])).await.map(drop)
    }

    async fn mine(&mut self) -> Result<()> {
        self.time = self.time.max(self.chain.time().await?) + self.chance.number(1..=3);
        self.chain.mine_at(self.time).await
    }

    async fn call(&mut self) -> Result<()> {
        let registrant = self.chance.one(&ACCOUNTS[1..4]);
        let other = self.chance.one(&ACCOUNTS[1..5]);
        let ns = Namespace::Account(registrant).id();
        let label = self.chance.one(&LABELS);
        let id = id(ns, registrant, label);
        let owner = match self.owner(id).await? {
            Address::ZERO => registrant,
            owner => owner,
        };
        let (granted, expiry) = (self.chance.number(0..=7) as u8, U40::from(FAR));
        match self.chance.number(0..=17) {
            0..=3 => {
                let version = format!("1.{}.0", self.chance.number(0..=9));
                self.send(registrant, &registerCall { registration: plain(ns, "payments", label, &version) }).await
            }
            4..=6 => self.send(owner, &heartbeatCall { id: id.0 }).await,
            7 | 8 => {
                let mut ids = Vec::new();
                for id in LABELS.map(|label| self::id(ns, registrant, label)) {
                    if self.owner(id).await? == owner {
                        ids.push(id.0);
                    }
                }
                self.send(owner, &heartbeatBatchCall { ids }).await
            }
            9 | 10 => self.update(owner, key(ns, registrant, label), id).await,
            11 => self.send(owner, &deregisterCall { key: key(ns, registrant, label) }).await,
            12 => {
                // Mostly suspended and active again, seldom revoked.
                let status =
                    self.chance.one(&[Status::Active, Status::Active, Status::Suspended, Status::Revoked]) as u8;
                let reason = Bytes::from_static(b"a \xff reason");
                self.send(registrant, &setStatusCall { path: path(ns, registrant, label), status, reason }).await
            }
            13 => {
                let permissions = Permissions::ALL.bits() & granted;
                self.send(owner, &setOperatorCall { operator: other, permissions, expiry }).await?;
                self.send(owner, &setInstanceOperatorCall { id: id.0, operator: other, permissions, expiry }).await
            }
            14 => {
                self.send(registrant, &setNamespaceOpenCall { namespaceId: ns.0, open: granted > 3 }).await?;
                let expiry = if granted > 1 { expiry } else { U40::ZERO };
                self.send(registrant, &setRegistrarCall { namespaceId: ns.0, registrar: other, expiry }).await
            }
            15 => {
                self.send(owner, &proposeOwnerCall { id: id.0, account: other }).await?;
                self.send(other, &acceptOwnerCall { key: key(ns, registrant, label) }).await
            }
            16 => self.send_to(self.chain.endorsements(), other, &endorse(id, "audit")?).await,
            _ => {
                let topic: Topic = "audit".parse()?;
                self.send_to(self.chain.endorsements(), other, &withdrawCall { id: id.0, topic: topic.0 }).await
            }
        }
    }

    /// After what is on its way into the next block.
    async fn owner(&self, id: InstanceId) -> Result<Address> {
        Ok(self.chain.contract().leaseOf(id.0).block(BlockId::pending()).call().await?.owner)
    }

    async fn update(&mut self, owner: Address, key: InstanceKey, id: InstanceId) -> Result<()> {
        let change = RecordUpdate {
            key,
            prevRecordHash: self.chain.contract().recordHashOf(id.0).block(BlockId::pending()).call().await?,
            version: format!("2.{}.0", self.chance.number(0..=9)),
            endpoints: vec![Bytes::from_static(b"https://next.example:8443")],
            metadata: Bytes::new(),
            ttl: U24::from(60),
        };
        self.send(owner, &updateCall { change }).await
    }

    async fn send(&self, from: Address, call: &impl SolCall) -> Result<()> {
        self.send_to(self.chain.registry(), from, call).await
    }

    /// Into the next block, unless the contract would refuse it: of what a refused transaction has read and is zero,
    /// Anvil keeps a leaf in the storage's trie, which no chain has, and the root check rightly finds.
    async fn send_to(&self, to: Address, from: Address, call: &impl SolCall) -> Result<()> {
        let input = Bytes::from(call.abi_encode());
        let tx = json!({ "from": from, "to": to, "gas": "0x1e8480", "maxFeePerGas": "0x2540be400", "input": input });
        if self.chain.raw("eth_call", json!([tx, "pending"])).await.is_err() {
            return Ok(());
        }
        self.chain.raw("eth_sendTransaction", json!([tx])).await.map(drop)
    }
}

fn id(ns: NamespaceId, owner: Address, label: &str) -> InstanceId {
    InstanceId::new(ServiceKey::new(ns, "payments"), owner, label)
}
