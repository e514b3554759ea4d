//! Every event of both contracts, and reorgs that take them back: the index says what the contracts say, and what an
//! index made anew says.

use alloy::{
    primitives::{Address, B256, Bytes, U256, Uint, keccak256},
    sol_types::SolCall,
};
use anyhow::{Result, ensure};
use bindings::{
    Endorsements,
    IRegistryTypes::{InstanceKey, InstancePath, SignedHeartbeat},
    ServiceRegistry as calls, canonical,
};
use domain::{NamespaceId, Permissions, Record, Status, Topic, layout};
use indexer::{Config, IndexerError, check::check};
use serde_json::json;
use store::query::Snapshot;

use crate::world::{OWNER, Running, World, record, register};

const OTHER: Address = alloy::primitives::address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
pub const FAR: u64 = 4_000_000_000;
const EIGHT_DAYS: u64 = 8 * 86_400;

/// Six instances of two services: instance `n` of each act.
fn instance(n: u8) -> Record {
    record(n, 1)
}

pub fn key(record: &Record) -> InstanceKey {
    let label = keccak256(record.label.as_bytes());
    InstanceKey { service: record.service().0, registrant: record.registrant, labelHash: label }
}

/// What the owner of the namespace says of an instance.
pub fn status_set(record: &Record, status: Status) -> calls::setStatusCall {
    let path = InstancePath {
        namespaceId: record.namespace.0,
        nameHash: keccak256(record.name.as_bytes()),
        registrant: record.registrant,
        labelHash: keccak256(record.label.as_bytes()),
    };
    calls::setStatusCall { path, status: status as u8, reason: Bytes::from_static(b"\xff\0") }
}

struct Story<'a>(&'a World);

impl Story<'_> {
    async fn by(&self, from: Address, call: &impl SolCall) -> Result<()> {
        let to = self.0.chain.registry;
        ensure!(self.0.chain.send_from(from, to, call).await?, "{}: refused", std::any::type_name_of_val(call));
        Ok(())
    }

    async fn endorse(&self, from: Address, call: &impl SolCall) -> Result<()> {
        let to = self.0.chain.endorsements.unwrap_or_default();
        ensure!(self.0.chain.send_from(from, to, call).await?, "{}: refused", std::any::type_name_of_val(call));
        Ok(())
    }

    async fn set_status(&self, n: u8, status: Status) -> Result<()> {
        self.by(OWNER, &status_set(&instance(n), status)).await
    }

    async fn namespaces(&self) -> Result<NamespaceId> {
        let id = keccak256("acme");
        self.by(OWNER, &calls::claimNamespaceCall { label: "acme".into() }).await?;
        self.by(OWNER, &calls::setNamespaceOpenCall { namespaceId: id, open: true }).await?;
        self.registrar(OWNER, id, OTHER, FAR).await?;
        self.by(OWNER, &calls::proposeNamespaceOwnerCall { namespaceId: id, account: OTHER }).await?;
        self.by(OTHER, &calls::acceptNamespaceOwnerCall { namespaceId: id }).await?;
        self.registrar(OTHER, id, OWNER, FAR).await?;
        self.registrar(OTHER, id, OTHER, FAR).await?;
        self.registrar(OTHER, id, OTHER, 0).await?;
        self.by(OTHER, &calls::proposeNamespaceOwnerCall { namespaceId: id, account: OWNER }).await?;
        let personal = OWNER.into_word();
        self.registrar(OWNER, personal, OTHER, FAR).await?;
        self.by(OWNER, &calls::setNamespaceOpenCall { namespaceId: personal, open: true }).await?;
        self.by(OWNER, &calls::setNamespaceOpenCall { namespaceId: personal, open: false }).await?;
        Ok(NamespaceId(id))
    }

    async fn registrar(&self, from: Address, namespace: B256, registrar: Address, expiry: u64) -> Result<()> {
        let call = calls::setRegistrarCall { namespaceId: namespace, registrar, expiry: Uint::from(expiry) };
        self.by(from, &call).await
    }

    async fn operators(&self) -> Result<()> {
        let expiry = Uint::from(FAR);
        for permissions in [Permissions::ALL, Permissions::HEARTBEAT, Permissions::NONE, Permissions::UPDATE] {
            let call = calls::setOperatorCall { operator: OTHER, permissions: permissions.bits(), expiry };
            self.by(OWNER, &call).await?;
        }
        for (n, permissions) in [(0, Permissions::HEARTBEAT), (1, Permissions::ALL), (1, Permissions::NONE)] {
            let (id, permissions) = (instance(n).id().0, permissions.bits());
            self.by(OWNER, &calls::setInstanceOperatorCall { id, operator: OTHER, permissions, expiry }).await?;
        }
        Ok(())
    }

    async fn endorsements(&self) -> Result<()> {
        let expiry = Uint::from(FAR);
        let topic = |text: &str| B256::right_padding_from(text.as_bytes());
        for (n, text) in [(0, "audit"), (0, "region"), (1, "audit"), (3, "audit"), (0, "audit")] {
            let digest = keccak256([n]);
            let call = Endorsements::endorseCall {
                id: instance(n).id().0,
                epoch: Uint::ZERO,
                topic: topic(text),
                expiry,
                digest,
            };
            self.endorse(OTHER, &call).await?;
        }
        for (n, text) in [(0, "region"), (1, "audit")] {
            self.endorse(OTHER, &Endorsements::withdrawCall { id: instance(n).id().0, topic: topic(text) }).await?;
        }
        Ok(())
    }

    async fn transfers(&self) -> Result<()> {
        for n in [0, 3] {
            self.by(OWNER, &calls::proposeOwnerCall { id: instance(n).id().0, account: OTHER }).await?;
        }
        self.by(OWNER, &calls::proposeOwnerCall { id: instance(1).id().0, account: OTHER }).await?;
        self.by(OWNER, &calls::proposeOwnerCall { id: instance(1).id().0, account: Address::ZERO }).await?;
        self.by(OTHER, &calls::acceptOwnerCall { key: key(&instance(3)) }).await
    }

    async fn ends(&self) -> Result<()> {
        self.set_status(0, Status::Suspended).await?;
        self.set_status(1, Status::Suspended).await?;
        self.set_status(1, Status::Active).await?;
        self.set_status(2, Status::Revoked).await?;
        self.by(OWNER, &calls::deregisterCall { key: key(&instance(4)) }).await?;
        self.set_status(4, Status::Revoked).await?;
        self.0.chain.raw("evm_increaseTime", json!([EIGHT_DAYS])).await?;
        self.by(OTHER, &calls::reapCall { keys: vec![key(&instance(5))] }).await?;
        self.by(OWNER, &register(instance(5), 60)).await?;
        let items = vec![self.signed(OWNER, 1).await?, self.signed(OTHER, 3).await?];
        self.by(OTHER, &calls::heartbeatSignedCall { items }).await
    }

    async fn signed(&self, signer: Address, n: u8) -> Result<SignedHeartbeat> {
        let time = self.0.chain.time().await?;
        self.0.chain.signed_heartbeat(signer, instance(n).id(), time).await
    }
}

/// Compares what is said in the present epochs with the views of the contracts, and with their storage.
async fn check_grants(world: &World, snapshot: &Snapshot, claimed: NamespaceId) -> Result<()> {
    let (chain, contract) = (&world.chain, world.chain.contract());
    let endorsements = chain.endorsements.unwrap_or_default();
    let of_endorsements = Endorsements::new(endorsements, chain.provider.clone());
    let said = |id| snapshot.grants.instances.iter().find(|said| said.id == id);
    let word = async |address: Address, slot: B256| -> Result<U256> {
        let word = chain.raw("eth_getStorageAt", json!([address, slot, "latest"])).await?;
        Ok(serde_json::from_value(word)?)
    };
    let grant = |expires_at: u64, permissions: Permissions| {
        U256::from(expires_at) | (U256::from(permissions.bits()) << 40) | (U256::from(1) << 48)
    };
    for row in &snapshot.instances {
        let said = said(row.id);
        let proposed = contract.proposedOwnerOf(row.id.0).call().await?;
        ensure!(said.and_then(|said| said.proposed_owner).unwrap_or_default() == proposed, "proposal of {}", row.id);
        let granted = contract.instanceOperatorOf(row.id.0, OTHER).call().await?;
        let operator = said.and_then(|said| said.operators.items.first());
        ensure!(operator.map_or(0, |of| of.permissions.bits()) == granted.permissions, "operators of {}", row.id);
        if let Some(of) = operator {
            let slot = layout::instance_operator(row.id, row.lease.epoch, OTHER);
            ensure!(word(chain.registry, slot).await? == grant(of.expires_at, of.permissions), "word of an operator");
        }
        for text in ["audit", "region"] {
            let topic: Topic = text.parse()?;
            let theirs = of_endorsements.endorsementOf(row.id.0, OTHER, topic.0).call().await?;
            let ours = said.and_then(|said| said.endorsements.items.iter().find(|of| of.topic == topic));
            let given = theirs.digest != B256::ZERO && !theirs.withdrawn;
            ensure!(ours.is_some() == given, "{text} of {}", row.id);
            if let Some(ours) = ours {
                ensure!(ours.digest == theirs.digest && ours.expires_at == theirs.expiry.to::<u64>());
                let slot = layout::endorsement(row.id, row.lease.epoch, OTHER, topic);
                ensure!(word(endorsements, slot).await? == U256::from(ours.expires_at), "word of an endorsement");
            }
        }
    }
    let granted = contract.operatorOf(OWNER, OTHER).call().await?;
    let ours = snapshot.grants.owners.iter().find(|said| said.owner == OWNER);
    let ours = ours.and_then(|said| said.operators.items.first());
    ensure!(ours.map_or(0, |of| of.permissions.bits()) == granted.permissions, "operators of the owner");
    if let Some(of) = ours {
        let at = word(chain.registry, layout::operator(OWNER, OTHER)).await?;
        ensure!(at == grant(of.expires_at, of.permissions), "word of the owner's operator");
    }
    for id in [claimed, NamespaceId(OWNER.into_word())] {
        let said = snapshot.grants.namespaces.iter().find(|said| said.id == id);
        let theirs = contract.namespaceOf(id.0).call().await?;
        let row = snapshot.namespaces.iter().find(|row| row.id == id);
        let ours = row.map(|row| (row.owner, row.open, row.epoch)).unwrap_or_default();
        let theirs = (theirs.owner, theirs.open, theirs.epoch.to::<u32>());
        ensure!(ours == theirs || (row.is_none() && theirs == (id.account().unwrap_or_default(), false, 0)));
        let stored = U256::from_be_slice(ours.0.as_slice()) | (U256::from(ours.1) << 160) | (U256::from(ours.2) << 168);
        ensure!(word(chain.registry, layout::namespace(id)).await? == stored, "word of a namespace");
        let proposed = contract.proposedNamespaceOwnerOf(id.0).call().await?;
        ensure!(said.and_then(|said| said.proposed_owner).unwrap_or_default() == proposed, "proposal of {id}");
        for account in [OWNER, OTHER] {
            let expiry: u64 = contract.registrarExpiryOf(id.0, account).call().await?.to();
            let registrar = said.and_then(|said| said.registrars.items.iter().find(|of| of.account == account));
            ensure!(registrar.map_or(0, |of| of.expires_at) == expiry, "registrar {account} of {id}");
            if expiry > 0 {
                let at = word(chain.registry, layout::registrar(id, ours.2, account)).await?;
                ensure!(at == grant(expiry, Permissions::NONE), "word of a registrar");
            }
        }
    }
    Ok(())
}

/// The index agrees with the contracts, and with one that is made anew.
async fn agrees(world: &World, claimed: NamespaceId) -> Result<Snapshot> {
    let ours = world.agrees().await?;
    check_grants(world, &ours, claimed).await?;
    let fresh = world.beside().await?;
    let indexer = fresh.index();
    let theirs = fresh.agrees().await?;
    indexer.stop().await?;
    ensure!(ours.namespaces.len() == theirs.namespaces.len());
    ensure!(ours.namespaces.iter().all(|row| theirs.namespaces.contains(row)), "namespaces");
    ensure!(ours.services.len() == theirs.services.len());
    ensure!(ours.services.iter().all(|row| theirs.services.contains(row)), "services");
    ensure!(ours.instances == theirs.instances, "instances");
    ensure!(ours.grants.instances == theirs.grants.instances, "{:?}\n{:?}", ours.grants, theirs.grants);
    ensure!(ours.grants.owners == theirs.grants.owners, "operators");
    // A namespace of which nothing is said any more may be there or not.
    let some = |snapshot: &Snapshot| {
        let said = snapshot.grants.namespaces.iter();
        said.filter(|of| of.proposed_owner.is_some() || of.registrars.total > 0).cloned().collect::<Vec<_>>()
    };
    let (mut ours_said, mut theirs_said) = (some(&ours), some(&theirs));
    ours_said.sort_by_key(|of| of.id);
    theirs_said.sort_by_key(|of| of.id);
    ensure!(ours_said == theirs_said, "grants of namespaces");
    Ok(ours)
}

#[tokio::test]
async fn every_event_is_indexed_and_every_reorg_takes_it_back() -> Result<()> {
    let mut world = World::new().await?;
    world.deploy_endorsements().await?;
    let indexer = world.index();
    let story = Story(&world);
    for n in 0..6 {
        story.by(OWNER, &register(instance(n), 60)).await?;
    }
    let claimed = story.namespaces().await?;
    agrees(&world, claimed).await?;
    story.operators().await?;
    story.endorsements().await?;
    let before = agrees(&world, claimed).await?;
    let said = before.grants.instances.iter().map(|said| said.endorsements.total).sum::<u64>();
    ensure!(said == 2 && before.grants.owners.len() == 1, "{:?}", before.grants);
    story.transfers().await?;
    agrees(&world, claimed).await?;
    story.ends().await?;
    let all = agrees(&world, claimed).await?;
    for status in [Status::Active, Status::Suspended, Status::Revoked] {
        ensure!(all.instances.iter().any(|row| row.lease.status == status), "{status:?}");
    }
    let report = check(&world.config, |_| {}).await?;
    ensure!(report.agrees(), "{report:?}");
    for depth in [2, 6, 14, 30, 45] {
        world.chain.reorg(depth).await?;
        agrees(&world, claimed).await?;
        let report = check(&world.config, |_| {}).await?;
        ensure!(report.agrees(), "{report:?}");
    }
    indexer.stop().await
}

#[tokio::test]
async fn endorsements_that_are_none_or_another_registrys_are_refused_at_the_start() -> Result<()> {
    let mut world = World::new().await?;
    world.deploy_endorsements().await?;
    let refused = async |config: Config| Running::start(config).end().await.expect_err("refused");
    let config = || world.config.clone();
    let error = refused(Config { endorsements: Some(Address::repeat_byte(7)), ..config() }).await;
    ensure!(matches!(error, IndexerError::NoContract { .. }), "{error}");
    let error = refused(Config { endorsements: Some(world.chain.registry), ..config() }).await;
    ensure!(error.to_string().contains("does not say whose") && error.is_fatal(), "{error}");
    let mut other = World::new().await?;
    other.chain.provider = world.chain.provider.clone();
    other.chain.registry = Address::repeat_byte(9);
    other.deploy_endorsements().await?;
    let error = refused(Config { endorsements: other.chain.endorsements, ..config() }).await;
    ensure!(error.to_string().contains("endorses instances of the registry"), "{error}");

    let indexer = world.index();
    world.agrees().await?;
    indexer.stop().await?;
    let error = refused(Config { endorsements: None, ..config() }).await;
    ensure!(matches!(error, IndexerError::WrongOrigin { what: "endorsements address", .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn endorsements_may_be_deployed_under_an_index_that_runs() -> Result<()> {
    let mut world = World::new().await?;
    world.config.endorsements = Some(canonical::endorsements(world.chain.registry));
    let indexer = world.index();
    Story(&world).by(OWNER, &register(instance(0), 60)).await?;
    Story(&world).by(OWNER, &register(instance(1), 60)).await?;
    world.agrees().await?;
    world.deploy_canonical_endorsements().await?;
    let call = Endorsements::endorseCall {
        id: instance(0).id().0,
        epoch: Uint::ZERO,
        topic: B256::right_padding_from(b"audit"),
        expiry: Uint::from(FAR),
        digest: keccak256("report"),
    };
    Story(&world).endorse(OTHER, &call).await?;
    let all = world.agrees().await?;
    ensure!(all.grants.instances.iter().map(|said| said.endorsements.total).sum::<u64>() == 1, "{:?}", all.grants);
    indexer.stop().await?;
    let again = world.index();
    world.agrees().await?;
    again.stop().await
}
