//! All of an index, as far as it follows from the chain.

use std::fmt::Debug;

use anyhow::{Result, ensure};
use domain::{B256, BlockRef};
use store::{
    audit::Audit,
    rows::{EventRow, GrantRow, HeartbeatRow, InstanceRow, NamespaceRow, Origin, ServiceRow},
    schema,
};

/// Every row of it but those that tell its own past: which blocks it still remembers, what was orphaned, what gateways
/// were told.
pub struct Whole {
    origin: Origin,
    head: (BlockRef, u64),
    events: Vec<EventRow>,
    heartbeats: Vec<HeartbeatRow>,
    namespaces: Vec<NamespaceRow>,
    services: Vec<ServiceRow>,
    instances: Vec<InstanceRow>,
    grants: Vec<(B256, GrantRow)>,
}

impl Whole {
    pub async fn read(database_url: &str) -> Result<Self> {
        let pool = schema::connect(database_url).await?;
        let mut audit = Audit::begin(&pool).await?;
        let checkpoint = audit.checkpoint().clone();
        ensure!(checkpoint.problem.is_none(), "{checkpoint:?}");
        ensure!(audit.halves().await? == 0, "instances without a lease, or leases without an instance");
        // Up to the largest height that there can be: also what should not be there.
        let all = i64::MAX.cast_unsigned();
        let (mut instances, mut after) = (Vec::new(), None);
        loop {
            let page = audit.instances(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            instances.extend(page);
        }
        let mut grants = audit.grants().await?;
        grants.sort_by_key(|(slot, _)| *slot);
        Ok(Self {
            origin: checkpoint.origin,
            head: (checkpoint.head, checkpoint.head_time),
            events: audit.events(0, all).await?,
            heartbeats: audit.heartbeats(0, all).await?,
            namespaces: audit.namespaces().await?,
            services: audit.services().await?,
            instances,
            grants,
        })
    }

    /// How many events there are.
    pub fn events(&self) -> usize {
        self.events.len()
    }

    /// Whether both are the same, row by row.
    pub fn is(&self, other: &Self) -> Result<()> {
        ensure!(self.origin == other.origin, "{:?}\n{:?}", self.origin, other.origin);
        ensure!(self.head == other.head, "{:?}\n{:?}", self.head, other.head);
        let full = [self.events.len(), self.heartbeats.len(), self.services.len(), self.instances.len()];
        ensure!(full.iter().all(|rows| *rows > 0), "there is next to nothing to compare: {full:?}");
        same("events", &self.events, &other.events)?;
        same("heartbeats", &self.heartbeats, &other.heartbeats)?;
        same("namespaces", &self.namespaces, &other.namespaces)?;
        same("services", &self.services, &other.services)?;
        same("instances", &self.instances, &other.instances)?;
        same("grants", &self.grants, &other.grants)
    }
}

fn same<T: PartialEq + Debug>(what: &str, ours: &[T], theirs: &[T]) -> Result<()> {
    if ours == theirs {
        return Ok(());
    }
    let at = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let (all, of) = (ours.len(), theirs.len());
    anyhow::bail!("{what} differ, {all} rows and {of}: first {:?}\nand {:?}", ours.get(at), theirs.get(at))
}
