//! The contracts' rules once more, as plainly as can be: maps, no slots, no events. docs/contract.md says them in words.

use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, B256, Bytes, keccak256},
    sol_types::SolValue,
};
use domain::Status;

mod rules;

pub use rules::Refusal;

/// All that the registry and its endorsements hold, after some transactions.
#[derive(Debug, Clone, Default)]
pub struct Model {
    /// The block that is being filled, its time, and how many logs it has so far.
    pub block: u64,
    pub time: u64,
    pub logs: u64,
    /// Namespaces that were claimed, and personal ones that were opened or closed.
    pub namespaces: BTreeMap<B256, Namespace>,
    pub services: BTreeMap<B256, Service>,
    pub instances: BTreeMap<B256, Instance>,
    /// By namespace and epoch: who may take it over.
    pub namespace_proposals: BTreeMap<(B256, u32), Said<Address>>,
    /// By namespace, epoch and registrar: until when.
    pub registrars: BTreeMap<(B256, u32, Address), Said<u64>>,
    /// By instance and epoch: who may take it over.
    pub proposals: BTreeMap<(B256, u32), Said<Address>>,
    /// By owner and operator.
    pub operators: BTreeMap<(Address, Address), Said<Grant>>,
    /// By instance, epoch and operator.
    pub instance_operators: BTreeMap<(B256, u32, Address), Said<Grant>>,
    /// By instance, epoch, endorser and topic.
    pub endorsements: BTreeMap<(B256, u32, Address, B256), Said<Endorsement>>,
    /// By instance, block and log: the time.
    pub heartbeats: BTreeMap<(B256, u64, u64), u64>,
}

/// What was said last, and which log of which block said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said<T> {
    pub block: u64,
    pub log: u64,
    pub what: T,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    pub label: Option<String>,
    pub owner: Address,
    pub open: bool,
    pub epoch: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub namespace: B256,
    pub name: String,
    pub count: u64,
    pub sequence: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    pub key: Key,
    pub owner: Address,
    pub last_heartbeat: u64,
    pub ttl: u32,
    pub status: Status,
    pub epoch: u32,
    pub body: Body,
    /// Commits to the record and to all before it; the hash before it.
    pub record_hash: B256,
    pub previous_hash: B256,
    pub registered_block: u64,
    pub updated_block: u64,
    pub reason: Option<Bytes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub permissions: u8,
    pub expiry: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endorsement {
    pub expiry: u64,
    pub digest: B256,
    pub withdrawn: bool,
}

/// What an instance is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub namespace: B256,
    pub name: String,
    pub registrant: Address,
    pub label: String,
}

/// What an instance publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub version: String,
    pub endpoints: Vec<Bytes>,
    pub metadata: Bytes,
}

/// A heartbeat that somebody signed, in an epoch.
#[derive(Debug, Clone)]
pub struct Beat {
    pub id: B256,
    pub epoch: u32,
    pub time: u64,
    pub deadline: u64,
    pub signer: Address,
}

/// A call of one of the contracts.
#[derive(Debug, Clone)]
pub enum Call {
    Claim { label: String },
    Open { namespace: B256, open: bool },
    ProposeNamespaceOwner { namespace: B256, account: Address },
    AcceptNamespaceOwner { namespace: B256 },
    SetRegistrar { namespace: B256, registrar: Address, expiry: u64 },
    Register { namespace: B256, name: String, label: String, body: Body, ttl: u32 },
    Update { key: Key, previous: B256, body: Body, ttl: u32 },
    Deregister { key: Key },
    Heartbeat { id: B256 },
    HeartbeatBatch { ids: Vec<B256> },
    HeartbeatSigned { beats: Vec<Beat> },
    ProposeOwner { id: B256, account: Address },
    AcceptOwner { key: Key },
    SetOperator { operator: Address, grant: Grant },
    SetInstanceOperator { id: B256, operator: Address, grant: Grant },
    SetStatus { key: Key, status: u8, reason: Bytes },
    Reap { keys: Vec<Key> },
    Endorse { id: B256, epoch: u32, topic: B256, expiry: u64, digest: B256 },
    Withdraw { id: B256, topic: B256 },
}

impl Key {
    pub fn service(&self) -> B256 {
        keccak256((self.namespace, keccak256(&self.name)).abi_encode())
    }

    pub fn id(&self) -> B256 {
        keccak256((self.service(), self.registrant, keccak256(&self.label)).abi_encode())
    }
}

impl Body {
    /// Commits to this record and to all before it.
    fn hash(&self, previous: B256) -> B256 {
        let hash = keccak256((self.version.as_str(), self.endpoints.as_slice(), &self.metadata).abi_encode_params());
        keccak256((previous, hash).abi_encode())
    }
}

impl Instance {
    pub fn is_listed(&self) -> bool {
        self.status == Status::Active || self.status == Status::Suspended
    }

    pub fn is_live(&self, now: u64) -> bool {
        self.status == Status::Active && now <= self.last_heartbeat + u64::from(self.ttl)
    }
}

impl Grant {
    fn allows(self, permissions: u8, now: u64) -> bool {
        self.permissions & permissions == permissions && now <= self.expiry
    }
}

impl Model {
    /// The same state, in the next block.
    pub fn in_block(&self, block: u64, time: u64) -> Self {
        Self { block, time, logs: 0, ..self.clone() }
    }

    /// The account whose own namespace it is, or who claimed it.
    pub fn authority(&self, namespace: B256) -> Address {
        let personal = namespace[..12] == [0; 12];
        let claimed = self.namespaces.get(&namespace).map_or(Address::ZERO, |namespace| namespace.owner);
        if personal { Address::from_slice(&namespace[12..]) } else { claimed }
    }

    pub fn namespace_epoch(&self, namespace: B256) -> u32 {
        self.namespaces.get(&namespace).map_or(0, |namespace| namespace.epoch)
    }

    pub fn may_register(&self, namespace: B256, account: Address) -> bool {
        let admitted = self.registrars.get(&(namespace, self.namespace_epoch(namespace), account));
        account == self.authority(namespace)
            || self.namespaces.get(&namespace).is_some_and(|namespace| namespace.open)
            || admitted.is_some_and(|expiry| self.time <= expiry.what)
    }

    /// Whether the account is the owner, or has one grant that allows all of it.
    pub fn is_permitted(&self, id: B256, account: Address, permissions: u8) -> bool {
        let Some(instance) = self.instances.get(&id) else { return false };
        let grants = [
            self.operators.get(&(instance.owner, account)),
            self.instance_operators.get(&(id, instance.epoch, account)),
        ];
        account == instance.owner || grants.into_iter().flatten().any(|grant| grant.what.allows(permissions, self.time))
    }
}
