//! The index against the model: every field of every row, as a check reads them and as gateways do.

use std::{collections::BTreeMap, fmt::Debug};

use alloy::primitives::B256;
use anyhow::{Context, Result, ensure};
use domain::BlockRef;
use e2e::eventually;
use indexer::{apply::State, storage::Storage};
use sqlx::PgPool;
use store::{
    audit::Audit,
    query::{Delta, Grants, Reader, Snapshot, Update},
    rows::{GrantRow, InstanceRow},
    schema,
};

use super::{model::Model, rows};

/// Heartbeats are kept for some time only; for how long at least.
const KEPT: u64 = 20 * 86_400;

/// The index, and a reader that has followed it from the start.
pub struct Index {
    pool: PgPool,
    reader: Reader,
    followed: Option<Snapshot>,
}

impl Index {
    pub async fn connect(database_url: &str) -> Result<Self> {
        let reader = Reader::connect(database_url).await?;
        Ok(Self { pool: schema::connect_read_only(database_url).await?, reader, followed: None })
    }

    /// Waits until the index stands at a block.
    pub async fn stands_at(&self, head: BlockRef) -> Result<()> {
        let there = async || {
            let now = Audit::begin(&self.pool).await.ok()?;
            (now.checkpoint().head == head && now.checkpoint().problem.is_none()).then_some(())
        };
        if let Err(error) = eventually(&format!("the index at {head}"), there).await {
            let checkpoint = Audit::begin(&self.pool).await?.checkpoint().clone();
            return Err(error.context(format!("the index says {checkpoint:?}")));
        }
        Ok(())
    }

    /// Whether it is what the model says. The storage of the contracts that follows from its rows.
    pub async fn is(&mut self, model: &Model) -> Result<Storage> {
        let mut audit = Audit::begin(&self.pool).await?;
        ensure!(audit.checkpoint().head_time == model.time, "the head's time is {}", model.time);
        let mut instances = Vec::new();
        loop {
            let page = audit.instances(instances.last().map(|row: &InstanceRow| row.id)).await?;
            if page.is_empty() {
                break;
            }
            instances.extend(page);
        }
        let (namespaces, services) = (audit.namespaces().await?, audit.services().await?);
        let said = audit.grants().await?;
        let storage = Storage::of(&State {
            namespaces: namespaces.iter().map(|row| (row.id, row.clone())).collect(),
            services: services.iter().map(|row| (row.key, row.clone())).collect(),
            instances: instances.iter().map(|row| (row.id, row.clone())).collect(),
            leases: BTreeMap::new(),
            grants: said.iter().cloned().collect(),
        });
        same("instances", instances, rows::instances(model))?;
        same("namespaces", namespaces, rows::namespaces(model))?;
        same("services", services, rows::services(model))?;
        let mut grants: Vec<GrantRow> = said.into_iter().map(|(_, row)| row).collect();
        let mut expected = rows::grants(model);
        grants.sort_by_key(|row| (row.block_number, row.log_index));
        expected.sort_by_key(|row| (row.block_number, row.log_index));
        same("grants", grants, expected)?;
        heartbeats(&mut audit, model).await?;
        drop(audit);
        self.serves(model).await?;
        Ok(storage)
    }

    /// What gateways read: one that starts now, and one that has followed the changes since the comparison before.
    async fn serves(&mut self, model: &Model) -> Result<()> {
        let known = self.followed.take();
        let followed = match self.reader.read(known.as_ref().map(|known| &known.checkpoint)).await? {
            Update::Snapshot(all) => all,
            Update::Delta(delta) => follow(known.context("a first read is a snapshot")?, delta),
        };
        let fresh = match self.reader.read(None).await? {
            Update::Snapshot(all) => all,
            Update::Delta(_) => anyhow::bail!("a first read is a snapshot"),
        };
        for (who, mut all) in [("a fresh reader", fresh), ("a reader that followed", followed.clone())] {
            all.instances.sort_by_key(|row| row.id);
            all.namespaces.sort_by_key(|row| row.id);
            all.services.sort_by_key(|row| row.key);
            same("instances", all.instances, rows::instances(model)).context(who)?;
            same("namespaces", all.namespaces, rows::namespaces(model)).context(who)?;
            same("services", all.services, rows::services(model)).context(who)?;
            let (said, expected) = (present(all.grants, model), rows::present(model));
            same("what is said of instances", said.instances, expected.instances).context(who)?;
            same("what is said of namespaces", said.namespaces, expected.namespaces).context(who)?;
            same("what is said of owners", said.owners, expected.owners).context(who)?;
        }
        self.followed = Some(followed);
        Ok(())
    }
}

/// What changed, on top of what is known.
fn follow(mut known: Snapshot, delta: Delta) -> Snapshot {
    known.checkpoint = delta.checkpoint;
    replace(&mut known.namespaces, delta.namespaces, |row| row.id);
    replace(&mut known.services, delta.services, |row| row.key);
    replace(&mut known.instances, delta.instances, |row| row.id);
    let leases: BTreeMap<_, _> = delta.leases.into_iter().collect();
    for row in &mut known.instances {
        row.lease = leases.get(&row.id).copied().unwrap_or(row.lease);
    }
    replace(&mut known.grants.instances, delta.grants.instances, |of| of.id);
    replace(&mut known.grants.namespaces, delta.grants.namespaces, |of| of.id);
    replace(&mut known.grants.owners, delta.grants.owners, |of| of.owner);
    known
}

fn replace<T, K: Ord>(known: &mut Vec<T>, news: Vec<T>, key: impl Fn(&T) -> K) {
    let all = std::mem::take(known).into_iter().chain(news).map(|row| (key(&row), row));
    *known = all.collect::<BTreeMap<K, T>>().into_values().collect();
}

/// Without those of whom nothing is said any more, in the order of their ids. What was said in an epoch that is over does
/// not count.
fn present(mut all: Grants, model: &Model) -> Grants {
    let epoch = |id: B256| model.instances.get(&id).map(|instance| instance.epoch);
    all.instances.retain(|of| epoch(of.id.0) == Some(of.epoch));
    all.instances.retain(|of| of.proposed_owner.is_some() || of.operators.total + of.endorsements.total > 0);
    all.namespaces.retain(|of| of.epoch == model.namespace_epoch(of.id.0));
    all.namespaces.retain(|of| of.proposed_owner.is_some() || of.registrars.total > 0);
    all.owners.retain(|of| of.operators.total > 0);
    all.instances.sort_by_key(|of| of.id);
    all.namespaces.sort_by_key(|of| of.id);
    all.owners.sort_by_key(|of| of.owner);
    all
}

/// None is made up, and of those that have to be there none is missing.
async fn heartbeats(audit: &mut Audit, model: &Model) -> Result<()> {
    let stored = audit.heartbeats(0, model.block).await?;
    let stored = stored.into_iter().map(|row| ((row.instance.0, row.block_number, row.log_index), row.time));
    let mut stored: Vec<_> = stored.collect();
    stored.sort_unstable();
    for beat @ (key, time) in &stored {
        ensure!(model.heartbeats.get(key) == Some(time), "there was no heartbeat {beat:?}");
    }
    for (key, time) in model.heartbeats.iter().filter(|(_, time)| **time + KEPT > model.time) {
        ensure!(stored.binary_search(&(*key, *time)).is_ok(), "the heartbeat {:?} is missing", (key, time));
    }
    Ok(())
}

/// Whether two lists are the same; if not, where they begin to differ.
fn same<T: PartialEq + Debug>(what: &str, index: Vec<T>, model: Vec<T>) -> Result<()> {
    let differ = index.iter().zip(&model).find(|(index, model)| index != model);
    ensure!(differ.is_none(), "{what}: index and model have {differ:#?}");
    let more = index.iter().skip(model.len()).chain(model.iter().skip(index.len())).next();
    ensure!(more.is_none(), "{what}: {} in the index, {} in the model, {more:#?}", index.len(), model.len());
    Ok(())
}
