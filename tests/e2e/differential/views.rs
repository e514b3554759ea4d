//! The contracts' own views against the model.

use alloy::primitives::{Address, B256, Uint};
use anvil_fixtures::{Chain, chain::ACCOUNTS};
use anyhow::{Result, ensure};
use bindings::{Endorsements, IRegistryTypes::Registration};

use super::{
    act::{namespaces, topic},
    model::{Endorsement, Grant, Instance, Model, Said},
};

/// Whether the contracts say what the model says.
pub async fn are(chain: &Chain, model: &Model) -> Result<()> {
    for (id, instance) in &model.instances {
        of_instance(chain, model, *id, instance).await?;
    }
    let contract = chain.contract();
    let bitmap = contract.areLive(model.instances.keys().copied().collect()).call().await?;
    for (n, (id, instance)) in model.instances.iter().enumerate() {
        let live = bitmap.get(n / 256).is_some_and(|word| word.bit(n % 256));
        ensure!(live == instance.is_live(model.time), "whether {id} is live");
    }
    for (key, service) in &model.services {
        let roster = contract.countOf(*key).call().await?;
        ensure!((roster.count, roster.sequence) == (service.count, service.sequence), "the roster of {key}");
        let listed = model.instances.values().filter(|of| of.key.service() == *key && of.is_listed());
        ensure!(listed.count() as u64 == service.count, "who is listed in {key}");
    }
    for id in namespaces() {
        of_namespace(chain, model, id).await?;
    }
    for owner in ACCOUNTS {
        for operator in ACCOUNTS {
            let theirs = contract.operatorOf(owner, operator).call().await?;
            let ours = model.operators.get(&(owner, operator));
            ensure!((theirs.permissions, theirs.expiry.to(), theirs.made) == words(ours), "{operator} for {owner}");
        }
    }
    Ok(())
}

fn words(grant: Option<&Said<Grant>>) -> (u8, u64, bool) {
    grant.map_or((0, 0, false), |said| (said.what.permissions, said.what.expiry, true))
}

async fn of_instance(chain: &Chain, model: &Model, id: B256, ours: &Instance) -> Result<()> {
    let contract = chain.contract();
    let lease = contract.leaseOf(id).call().await?;
    let theirs = (lease.owner, lease.lastHeartbeat.to(), lease.ttl.to(), lease.status, lease.epoch.to());
    let lease = (ours.owner, ours.last_heartbeat, ours.ttl, ours.status as u8, ours.epoch);
    ensure!(theirs == lease, "the lease of {id}: {theirs:?}, not {lease:?}");
    ensure!(contract.recordHashOf(id).call().await? == ours.record_hash, "the record hash of {id}");
    let proposed = model.proposals.get(&(id, ours.epoch)).map_or(Address::ZERO, |said| said.what);
    ensure!(contract.proposedOwnerOf(id).call().await? == proposed, "the proposed owner of {id}");
    for account in ACCOUNTS {
        let theirs = contract.instanceOperatorOf(id, account).call().await?;
        let grant = model.instance_operators.get(&(id, ours.epoch, account));
        ensure!((theirs.permissions, theirs.expiry.to(), theirs.made) == words(grant), "{account} for {id}");
    }
    for account in ACCOUNTS {
        let may = ours.is_listed() && model.is_permitted(id, account, 3);
        ensure!(contract.isPermitted(id, account, 3).call().await? == may, "whether {account} may change {id}");
    }
    // The record, from its parts: the hash commits to it and to those before.
    let (name, body) = (&ours.key, &ours.body);
    let registration = Registration {
        namespaceId: name.namespace,
        name: name.name.clone(),
        label: name.label.clone(),
        version: body.version.clone(),
        endpoints: body.endpoints.clone(),
        metadata: body.metadata.clone(),
        ttl: Uint::from(ours.ttl),
    };
    let verified = contract.verifyRecord(id, name.registrant, registration, ours.previous_hash).call().await?;
    ensure!(verified, "the record of {id}");
    let endorsements = Endorsements::new(chain.endorsements(), chain.provider().clone());
    for endorser in ACCOUNTS {
        for topic in [topic(0), topic(1)] {
            let theirs = endorsements.endorsementOf(id, endorser, topic).call().await?;
            let theirs = Endorsement { expiry: theirs.expiry.to(), digest: theirs.digest, withdrawn: theirs.withdrawn };
            let nothing = Endorsement { expiry: 0, digest: B256::ZERO, withdrawn: false };
            let given = model.endorsements.get(&(id, ours.epoch, endorser, topic));
            ensure!(theirs == given.map_or(nothing, |said| said.what), "what {endorser} says of {id}: {theirs:?}");
        }
    }
    Ok(())
}

async fn of_namespace(chain: &Chain, model: &Model, id: B256) -> Result<()> {
    let contract = chain.contract();
    let theirs = contract.namespaceOf(id).call().await?;
    let theirs = (theirs.owner, theirs.open, theirs.epoch.to::<u32>());
    let open = model.namespaces.get(&id).is_some_and(|namespace| namespace.open);
    let epoch = model.namespace_epoch(id);
    ensure!(theirs == (model.authority(id), open, epoch), "the namespace {id}: {theirs:?}");
    let proposed = model.namespace_proposals.get(&(id, epoch)).map_or(Address::ZERO, |said| said.what);
    ensure!(contract.proposedNamespaceOwnerOf(id).call().await? == proposed, "the proposed owner of {id}");
    for account in ACCOUNTS {
        let expiry = model.registrars.get(&(id, epoch, account)).map_or(0, |said| said.what);
        ensure!(contract.registrarExpiryOf(id, account).call().await?.to::<u64>() == expiry, "{account} in {id}");
        let may = model.may_register(id, account);
        ensure!(contract.mayRegister(id, account).call().await? == may, "whether {account} may register in {id}");
    }
    Ok(())
}
