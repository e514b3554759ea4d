//! The rows that an index must have.

use std::{cmp::Reverse, collections::BTreeMap};

use alloy::primitives::Address;
use domain::{InstanceId, Lease, NamespaceId, Permissions, ServiceKey, Topic};
use store::{
    query::{Endorsement as Endorsed, Grants, InstanceGrants, List, NamespaceGrants, Operator, OwnerGrants, Registrar},
    rows::{Grant, GrantRow, InstanceRow, NamespaceRow, ServiceRow},
};

use super::model::{Grant as Granted, Model, Said};

pub fn instances(model: &Model) -> Vec<InstanceRow> {
    let row = |(id, instance): (&_, &super::model::Instance)| InstanceRow {
        id: InstanceId(*id),
        service: ServiceKey(instance.key.service()),
        label: instance.key.label.clone(),
        registrant: instance.key.registrant,
        version: instance.body.version.clone(),
        endpoints: instance.body.endpoints.clone(),
        metadata: instance.body.metadata.clone(),
        record_hash: instance.record_hash,
        registered_block: instance.registered_block,
        updated_block: instance.updated_block,
        reason: instance.reason.clone(),
        lease: Lease {
            owner: instance.owner,
            last_heartbeat: instance.last_heartbeat,
            ttl: instance.ttl,
            status: instance.status,
            epoch: instance.epoch,
        },
    };
    model.instances.iter().map(row).collect()
}

pub fn namespaces(model: &Model) -> Vec<NamespaceRow> {
    let all = model.namespaces.iter().map(|(id, namespace)| NamespaceRow {
        id: NamespaceId(*id),
        label: namespace.label.clone(),
        owner: namespace.owner,
        open: namespace.open,
        epoch: namespace.epoch,
    });
    all.collect()
}

pub fn services(model: &Model) -> Vec<ServiceRow> {
    let all = model.services.iter().map(|(key, service)| ServiceRow {
        key: ServiceKey(*key),
        namespace: NamespaceId(service.namespace),
        name: service.name.clone(),
        count: service.count,
        sequence: service.sequence,
    });
    all.collect()
}

/// All that was said, in whatever epoch.
pub fn grants(model: &Model) -> Vec<GrantRow> {
    let mut all = Vec::new();
    for (&(namespace, epoch), said) in &model.namespace_proposals {
        let namespace = NamespaceId(namespace);
        all.push(row(said, |account| Grant::NamespaceProposal { namespace, epoch, account }));
    }
    for (&(namespace, epoch, registrar), said) in &model.registrars {
        let namespace = NamespaceId(namespace);
        all.push(row(said, |expires_at| Grant::Registrar { namespace, epoch, registrar, expires_at }));
    }
    for (&(instance, epoch), said) in &model.proposals {
        let instance = InstanceId(instance);
        all.push(row(said, |account| Grant::Proposal { instance, epoch, account }));
    }
    for (&(owner, operator), said) in &model.operators {
        let grant = |grant: Granted| Grant::Operator {
            owner,
            operator,
            permissions: permissions(grant),
            expires_at: grant.expiry,
        };
        all.push(row(said, grant));
    }
    for (&(instance, epoch, operator), said) in &model.instance_operators {
        let grant = |grant: Granted| Grant::InstanceOperator {
            instance: InstanceId(instance),
            epoch,
            operator,
            permissions: permissions(grant),
            expires_at: grant.expiry,
        };
        all.push(row(said, grant));
    }
    for (&(instance, epoch, endorser, topic), said) in &model.endorsements {
        let grant = |given: super::model::Endorsement| Grant::Endorsement {
            instance: InstanceId(instance),
            epoch,
            endorser,
            topic: Topic(topic),
            expires_at: given.expiry,
            digest: given.digest,
            withdrawn: given.withdrawn,
        };
        all.push(row(said, grant));
    }
    all
}

fn row<T: Copy>(said: &Said<T>, grant: impl Fn(T) -> Grant) -> GrantRow {
    GrantRow { grant: grant(said.what), block_number: said.block, log_index: said.log }
}

fn permissions(grant: Granted) -> Permissions {
    Permissions::from_u8(grant.permissions).expect("the model lets no others in")
}

/// What is said in the present epochs and was not taken back, the newest first.
pub fn present(model: &Model) -> Grants {
    let mut all = Grants::default();
    for (&id, instance) in &model.instances {
        let epoch = instance.epoch;
        let operators = model.instance_operators.iter().filter(|((of, at, _), _)| (*of, *at) == (id, epoch));
        let of = InstanceGrants {
            id: InstanceId(id),
            epoch,
            proposed_owner: model.proposals.get(&(id, epoch)).map(|said| said.what).filter(|who| !who.is_zero()),
            operators: self::operators(operators.map(|((_, _, operator), said)| (*operator, said))),
            endorsements: endorsements(model, id, epoch),
        };
        if of.proposed_owner.is_some() || of.operators.total + of.endorsements.total > 0 {
            all.instances.push(of);
        }
    }
    let mut of_namespaces: BTreeMap<_, NamespaceGrants> = BTreeMap::new();
    let of = |id| NamespaceGrants {
        id: NamespaceId(id),
        epoch: model.namespace_epoch(id),
        proposed_owner: None,
        registrars: List::default(),
    };
    for (&(id, epoch), said) in &model.namespace_proposals {
        if epoch == model.namespace_epoch(id) && !said.what.is_zero() {
            of_namespaces.entry(id).or_insert_with(|| of(id)).proposed_owner = Some(said.what);
        }
    }
    let mut registrars: Vec<_> = model.registrars.iter().filter(|(_, said)| said.what != 0).collect();
    registrars.sort_by_key(|(_, said)| Reverse((said.block, said.log)));
    for (&(id, epoch, account), said) in registrars {
        if epoch == model.namespace_epoch(id) {
            let list = &mut of_namespaces.entry(id).or_insert_with(|| of(id)).registrars;
            list.items.push(Registrar { account, expires_at: said.what });
            list.total += 1;
        }
    }
    all.namespaces = of_namespaces.into_values().collect();
    let mut owners: Vec<Address> = model.operators.keys().map(|(owner, _)| *owner).collect();
    owners.dedup();
    for owner in owners {
        let of = model.operators.iter().filter(|((of, _), _)| *of == owner);
        let operators = operators(of.map(|((_, operator), said)| (*operator, said)));
        if operators.total > 0 {
            all.owners.push(OwnerGrants { owner, operators });
        }
    }
    all
}

fn operators<'a>(all: impl Iterator<Item = (Address, &'a Said<Granted>)>) -> List<Operator> {
    let mut all: Vec<_> = all.filter(|(_, said)| said.what.permissions != 0).collect();
    all.sort_by_key(|(_, said)| Reverse((said.block, said.log)));
    let operator = |(account, said): (Address, &Said<Granted>)| Operator {
        account,
        permissions: permissions(said.what),
        expires_at: said.what.expiry,
    };
    list(all.into_iter().map(operator))
}

/// The newest of each endorser before all others.
fn endorsements(model: &Model, id: alloy::primitives::B256, epoch: u32) -> List<Endorsed> {
    let mut all: Vec<_> = model.endorsements.iter().filter(|((of, at, ..), _)| (*of, *at) == (id, epoch)).collect();
    all.retain(|(_, said)| !said.what.withdrawn);
    all.sort_by_key(|(_, said)| Reverse((said.block, said.log)));
    let mut by_endorser: BTreeMap<Address, usize> = BTreeMap::new();
    let mut ranked: Vec<_> = all
        .into_iter()
        .map(|(&(_, _, endorser, topic), said)| {
            let rank = by_endorser.entry(endorser).or_default();
            *rank += 1;
            let (digest, expires_at) = (said.what.digest, said.what.expiry);
            (*rank, Endorsed { endorser, topic: Topic(topic), digest, expires_at })
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    list(ranked.into_iter().map(|(_, endorsement)| endorsement))
}

fn list<T>(items: impl Iterator<Item = T>) -> List<T> {
    let items: Vec<T> = items.collect();
    List { total: items.len() as u64, items }
}
