//! The scenarios.

use std::fmt;

use alloy::primitives::{Address, Bytes, aliases::U24, keccak256};
use anyhow::Result;
use bindings::{
    ServiceRegistry::{
        claimNamespaceCall, deregisterCall, heartbeatBatchCall, heartbeatCall, registerCall, updateCall,
    },
    abi::IRegistryTypes::{InstanceKey, RecordUpdate, Registration},
};
use domain::{InstanceId, Namespace, NamespaceId, ServiceKey};

use crate::{
    chain::{ACCOUNTS, Chain},
    expected::Expected,
    governance, hostile,
};

/// A chain's history that tests agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// One service with one instance in a claimed namespace, one heartbeat after its registration.
    OneService,
    /// 50 services of 10 instances each; a tenth of the instances updated, a tenth deregistered, all heartbeat in batches.
    Fleet,
    /// Two instances; the last five blocks hold a third one's whole life so far. [`Chain::reorg`] of 5 takes it away.
    Reorg,
    /// Instances whose endpoints and metadata are whatever a stranger may write into them.
    Hostile,
    /// Every event of both contracts: namespaces, operators, transfers, statuses, reaping, endorsements.
    Governance,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 5] = [Self::OneService, Self::Fleet, Self::Reorg, Self::Hostile, Self::Governance];

    /// Its name: the stem of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneService => "one-service",
            Self::Fleet => "fleet",
            Self::Reorg => "reorg",
            Self::Hostile => "hostile",
            Self::Governance => "governance",
        }
    }

    /// The chain that it leaves behind, as [`Chain::load`] takes it.
    pub fn state(self) -> &'static [u8] {
        match self {
            Self::OneService => include_bytes!("../states/one-service.gz"),
            Self::Fleet => include_bytes!("../states/fleet.gz"),
            Self::Reorg => include_bytes!("../states/reorg.gz"),
            Self::Hostile => include_bytes!("../states/hostile.gz"),
            Self::Governance => include_bytes!("../states/governance.gz"),
        }
    }

    /// What the contract said of every instance when the state was made.
    pub fn expected(self) -> Result<Expected> {
        Ok(serde_json::from_str(match self {
            Self::OneService => include_str!("../states/one-service.json"),
            Self::Fleet => include_str!("../states/fleet.json"),
            Self::Reorg => include_str!("../states/reorg.json"),
            Self::Hostile => include_str!("../states/hostile.json"),
            Self::Governance => include_str!("../states/governance.json"),
        })?)
    }

    /// Plays it on a fresh Anvil that was started at [`crate::GENESIS_TIME`]; answers the ids that it registered.
    pub async fn play(self, chain: &Chain) -> Result<Vec<InstanceId>> {
        chain.manual_mining().await?;
        chain.deploy().await?;
        match self {
            Self::OneService => one_service(chain).await,
            Self::Fleet => fleet(chain).await,
            Self::Reorg => reorg(chain).await,
            Self::Hostile => all_hostile(chain).await,
            Self::Governance => governance::play(chain).await,
        }
    }

    /// Whether the endorsements are deployed in it.
    pub fn has_endorsements(self) -> bool {
        self == Self::Governance
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

async fn one_service(chain: &Chain) -> Result<Vec<InstanceId>> {
    let owner = ACCOUNTS[1];
    let ns = claim(chain, owner, "acme").await?;
    let registration = plain(ns, "payments", "a1", "1.2.0");
    let id = id_of(&registration, owner);
    chain.send(owner, &registerCall { registration }).await?;
    chain.send(owner, &heartbeatCall { id: id.0 }).await?;
    Ok(vec![id])
}

async fn fleet(chain: &Chain) -> Result<Vec<InstanceId>> {
    let mut ids = Vec::new();
    for service in 0..50usize {
        // Each account owns the services of its personal namespace.
        let owner = ACCOUNTS[service % ACCOUNTS.len()];
        let ns = Namespace::Account(owner).id();
        let name = format!("service-{service:02}");
        let registrations: Vec<_> = (0..10).map(|i| plain(ns, &name, &format!("i{i}"), "1.0.0")).collect();
        let own: Vec<_> = registrations.iter().map(|r| id_of(r, owner)).collect();
        let calls: Vec<_> = registrations.into_iter().map(|registration| registerCall { registration }).collect();
        chain.send_all(owner, &calls).await?;

        let key = |label: &str| key_of(ServiceKey::new(ns, &name), owner, label);
        let prev_record_hash = chain.contract().recordHashOf(own[0].0).call().await?;
        let change = RecordUpdate {
            key: key("i0"),
            prevRecordHash: prev_record_hash,
            version: "1.1.0".into(),
            endpoints: vec![Bytes::from_static(b"https://next.example:8443")],
            metadata: Bytes::from_static(br#"{"tags":["canary"]}"#),
            ttl: U24::from(60),
        };
        chain.send(owner, &updateCall { change }).await?;
        chain.send(owner, &deregisterCall { key: key("i9") }).await?;
        chain.send(owner, &heartbeatBatchCall { ids: own.iter().map(|id| id.0).collect() }).await?;
        ids.extend(own);
    }
    Ok(ids)
}

async fn reorg(chain: &Chain) -> Result<Vec<InstanceId>> {
    let owner = ACCOUNTS[1];
    let ns = claim(chain, owner, "acme").await?;
    let mut ids = Vec::new();
    for label in ["a1", "a2"] {
        ids.push(register(chain, owner, plain(ns, "payments", label, "1.2.0")).await?);
    }
    for _ in 0..10 {
        chain.send(owner, &heartbeatBatchCall { ids: ids.iter().map(|id| id.0).collect() }).await?;
    }
    // The five blocks that a reorg of 5 replaces.
    let third = register(chain, owner, plain(ns, "payments", "a3", "2.0.0")).await?;
    chain.send(owner, &heartbeatCall { id: third.0 }).await?;
    let key = key_of(ServiceKey::new(ns, "payments"), owner, "a1");
    chain.send(owner, &deregisterCall { key }).await?;
    chain.send(owner, &heartbeatCall { id: third.0 }).await?;
    chain.mine_after(1).await?;
    ids.push(third);
    Ok(ids)
}

async fn all_hostile(chain: &Chain) -> Result<Vec<InstanceId>> {
    let owner = ACCOUNTS[2];
    let ns = claim(chain, owner, "mallory").await?;
    let mut ids = Vec::new();
    for case in hostile::cases() {
        let registration = Registration {
            endpoints: case.endpoints,
            metadata: case.metadata,
            ..plain(ns, "hostile", case.label, "6.6.6")
        };
        ids.push(register(chain, owner, registration).await?);
    }
    Ok(ids)
}

pub(crate) async fn claim(chain: &Chain, owner: Address, label: &str) -> Result<NamespaceId> {
    chain.send(owner, &claimNamespaceCall { label: label.into() }).await?;
    Ok(Namespace::Label(label.into()).id())
}

async fn register(chain: &Chain, owner: Address, registration: Registration) -> Result<InstanceId> {
    let id = id_of(&registration, owner);
    chain.send(owner, &registerCall { registration }).await?;
    Ok(id)
}

/// A registration as a well-behaved operator writes it.
pub fn plain(namespace: NamespaceId, name: &str, label: &str, version: &str) -> Registration {
    Registration {
        namespaceId: namespace.0,
        name: name.into(),
        label: label.into(),
        version: version.into(),
        endpoints: vec![format!("https://{label}.{name}.example:8443").into_bytes().into()],
        metadata: Bytes::from_static(br#"{"region":"eu-west","tags":["stable"],"zone":"eu-west-1a"}"#),
        ttl: U24::from(30),
    }
}

fn id_of(registration: &Registration, owner: Address) -> InstanceId {
    let service = ServiceKey::new(NamespaceId(registration.namespaceId), &registration.name);
    InstanceId::new(service, owner, &registration.label)
}

fn key_of(service: ServiceKey, registrant: Address, label: &str) -> InstanceKey {
    InstanceKey { service: service.0, registrant, labelHash: keccak256(label) }
}
