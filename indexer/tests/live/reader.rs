//! Somebody who reads all the time while the chain changes its mind.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use domain::{InstanceId, ServiceKey};
use store::{
    query::{Reader, Update},
    rows::{Checkpoint, InstanceRow, ServiceRow},
    schema,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::look::Look;

/// Reads until it is told to stop, or until what it sees is not whole.
pub struct Watcher {
    token: CancellationToken,
    task: JoinHandle<Result<Seen>>,
}

/// What it saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// How many times it looked.
    pub looks: u64,
    /// How many heads the index had then.
    pub heads: usize,
    /// How many times a head was not higher than the one before it.
    pub back: u64,
}

impl Watcher {
    /// Of an index that exists.
    pub fn start(database_url: &str) -> Self {
        let (token, url) = (CancellationToken::new(), database_url.to_owned());
        let task = tokio::spawn(watch(url, token.clone()));
        Self { token, task }
    }

    /// What it saw, if all of it was whole.
    pub async fn stop(self) -> Result<Seen> {
        self.token.cancel();
        self.task.await.context("the watcher")?
    }
}

async fn watch(url: String, token: CancellationToken) -> Result<Seen> {
    let pool = schema::connect(&url).await?;
    let (reader, mut gateway) = (Reader::connect(&url).await?, Gateway::default());
    let (mut seen, mut heads, mut height) = (Seen::default(), BTreeSet::new(), 0);
    while !token.is_cancelled() {
        let look = Look::at(&pool).await?;
        let head = look.checkpoint.head;
        look.is_whole().with_context(|| format!("at {head}, after {seen:?}"))?;
        gateway.update(&reader).await.with_context(|| format!("a gateway, after {seen:?}"))?;
        seen.looks += 1;
        if heads.insert(head.hash) {
            seen.heads += 1;
            seen.back += u64::from(head.number <= height);
            height = head.number;
        }
    }
    // And what the changes led to is what is there.
    gateway.update(&reader).await?;
    gateway.is_up_to_date(&reader).await?;
    Ok(seen)
}

/// What a gateway knows: a snapshot, and every change since.
#[derive(Default)]
struct Gateway {
    known: Option<Checkpoint>,
    services: BTreeMap<ServiceKey, ServiceRow>,
    instances: BTreeMap<InstanceId, InstanceRow>,
}

impl Gateway {
    async fn update(&mut self, reader: &Reader) -> Result<()> {
        let (checkpoint, services, instances) = match reader.read(self.known.as_ref()).await? {
            Update::Snapshot(all) => {
                self.services.clear();
                self.instances.clear();
                (all.checkpoint, all.services, all.instances)
            }
            Update::Delta(news) => {
                for (id, lease) in news.leases {
                    self.instances
                        .get_mut(&id)
                        .with_context(|| format!("a lease of {id}, which was never read"))?
                        .lease = lease;
                }
                (news.checkpoint, news.services, news.instances)
            }
        };
        self.known = Some(checkpoint);
        self.services.extend(services.into_iter().map(|row| (row.key, row)));
        self.instances.extend(instances.into_iter().map(|row| (row.id, row)));
        for row in self.services.values() {
            let listed = self.instances.values().filter(|one| one.service == row.key && one.lease.status.is_listed());
            let listed = listed.count() as u64;
            ensure!(listed == row.count, "{listed} instances listed, and {row:?}");
        }
        Ok(())
    }

    async fn is_up_to_date(&self, reader: &Reader) -> Result<()> {
        let Update::Snapshot(all) = reader.read(None).await? else { anyhow::bail!("a first read is a snapshot") };
        let known = self.known.as_ref().context("it has read")?;
        if known.head == all.checkpoint.head {
            ensure!(self.instances.values().eq(all.instances.iter()), "instances");
            ensure!(all.services.iter().all(|row| self.services.get(&row.key) == Some(row)), "services");
            ensure!(self.services.len() == all.services.len(), "more services than there are");
        }
        Ok(())
    }
}
