//! The index in memory.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::Bound,
    sync::Arc,
};

use api::{BlockInfo, Observed};
use domain::{Address, InstanceId, Lease, Namespace, NamespaceId, ServiceKey};
use store::{
    query::{Delta, Grants, InstanceGrants, List, NamespaceGrants, Operator},
    rows::{InstanceRow, NamespaceRow, ServiceRow},
};

use self::whole::Before;
use crate::{
    board::Board,
    freshness::At,
    past::{self, CHANGES_OF_ALL, Heads},
    service::{Instance, Service},
};

mod whole;

/// Where readers find the board of a service, by `namespace/name` as people write it.
pub(crate) type Boards = papaya::HashMap<String, Arc<Board>>;

/// How many services are swept with each change.
const SWEPT: usize = 256;

/// Namespaces, services and instances, as of one block.
#[derive(Debug, Default)]
pub(crate) struct Index {
    namespaces: HashMap<NamespaceId, NamespaceRow>,
    services: HashMap<ServiceKey, Service>,
    /// Services by the namespace and the name that people write, in the order of `GET /v1/services`.
    names: BTreeMap<(Arc<str>, Arc<str>), ServiceKey>,
    instances: HashMap<InstanceId, Arc<Instance>>,
    /// How many of them serve.
    live: u64,
    /// What is said of instances, if anything is. Of an epoch that may have ended.
    said_of_instances: HashMap<InstanceId, InstanceGrants>,
    /// What is said of namespaces, if anything is. Of an epoch that may have ended.
    said_of_namespaces: HashMap<NamespaceId, NamespaceGrants>,
    /// Who may act for all instances of an owner.
    operators: HashMap<Address, List<Operator>>,
    boards: Arc<Boards>,
    /// The heads that rosters can be taken back to.
    heads: Heads,
    /// How many changes are remembered for that.
    remembered: usize,
    /// The last service whose past was looked at.
    swept: Option<(Arc<str>, Arc<str>)>,
    /// How many changes the database has had.
    changes: u64,
    /// When to judge the instances of which service again.
    due: BTreeSet<(u64, ServiceKey)>,
    /// Services that were judged at a chain time that no block has reached.
    ahead: Vec<(u64, ServiceKey)>,
    /// Services that are not what they are in the index that this one is to replace.
    news: HashSet<ServiceKey>,
}

/// A namespace: who governs it.
#[derive(Debug)]
pub(crate) struct Governed {
    pub(crate) owner: Address,
    pub(crate) open: bool,
    pub(crate) epoch: u32,
}

impl Index {
    pub(crate) fn apply(&mut self, delta: Delta, at: &At) {
        self.changes = u64::try_from(delta.checkpoint.change_seq).unwrap_or_default();
        let head = delta.checkpoint.head.number;
        if self.heads.at_or_below(head).is_none_or(|last| last.hash != delta.checkpoint.head.hash) {
            self.heads.see(&delta.checkpoint, false);
        }
        // A chain that calls no block safe has no past to ask for.
        let became = self.heads.first().map(|_| head);
        let mut touched = self.put(delta.namespaces, delta.services, delta.instances, became, None);
        touched.extend(self.put_leases(delta.leases, became));
        self.sweep();
        self.put_grants(delta.grants);
        for key in touched {
            if let Some(service) = self.services.get(&key) {
                self.boards.pin().get_or_insert_with(path(service), || Arc::clone(&service.board));
            }
            self.judge(key, at, true);
        }
        // Chain time may have been ahead of the block that came.
        let ahead = std::mem::take(&mut self.ahead);
        for (judged, key) in ahead {
            if judged > at.now {
                self.judge(key, at, false);
            } else if judged > at.head_time {
                self.ahead.push((judged, key));
            }
        }
        self.lapse(at);
    }

    /// Forgets what nobody can ask for any more, of some services at a time; and what is too much.
    fn sweep(&mut self) {
        let first = self.heads.first().unwrap_or(u64::MAX);
        let after = self.swept.take().map_or(Bound::Unbounded, Bound::Excluded);
        for (name, key) in self.names.range((after, Bound::Unbounded)).take(SWEPT) {
            if let Some(service) = self.services.get_mut(key) {
                let had = service.past.len();
                service.past.forget(first);
                self.remembered -= had - service.past.len();
            }
            self.swept = Some(name.clone());
        }
        if self.remembered > CHANGES_OF_ALL {
            // Half of them, or it would be to do again soon.
            let pasts = self.services.values_mut().map(|service| &mut service.past);
            self.remembered = past::keep_of_all(pasts, CHANGES_OF_ALL / 2);
        }
    }

    /// Judges all that is due.
    pub(crate) fn lapse(&mut self, at: &At) {
        while let Some(&(due, key)) = self.due.first()
            && due <= at.now
        {
            self.due.pop_first();
            self.judge(key, at, false);
        }
    }

    /// The newest head that was seen at or below a height.
    pub(crate) fn head_at(&self, height: u64) -> Option<BlockInfo> {
        self.heads.at_or_below(height)
    }

    /// The first head that rosters can be taken back to.
    pub(crate) fn first_head(&self) -> Option<u64> {
        self.heads.first()
    }

    /// The first chain time at which something is due.
    pub(crate) fn first_due(&self) -> Option<u64> {
        self.due.first().map(|(due, _)| *due)
    }

    fn judge(&mut self, key: ServiceKey, at: &At, touched: bool) {
        let Some(service) = self.services.get_mut(&key) else { return };
        if let Some(due) = service.due() {
            self.due.remove(&(due, key));
        }
        self.live -= service.live();
        let changed = service.judge(at.now, at.resumed);
        self.live += service.live();
        self.due.extend(service.due().map(|due| (due, key)));
        if touched {
            service.board.change(self.changes);
        } else if changed {
            service.board.change(0);
        }
        if changed && at.now > at.head_time {
            self.ahead.push((at.now, key));
        }
    }

    /// Who has nothing said of it any more takes no memory.
    fn put_grants(&mut self, grants: Grants) {
        for said in grants.instances {
            if said.proposed_owner.is_none() && said.operators.total + said.endorsements.total == 0 {
                self.said_of_instances.remove(&said.id);
            } else {
                self.said_of_instances.insert(said.id, said);
            }
        }
        for said in grants.namespaces {
            if said.proposed_owner.is_none() && said.registrars.total == 0 {
                self.said_of_namespaces.remove(&said.id);
            } else {
                self.said_of_namespaces.insert(said.id, said);
            }
        }
        for said in grants.owners {
            if said.operators.total == 0 {
                self.operators.remove(&said.owner);
            } else {
                self.operators.insert(said.owner, said.operators);
            }
        }
    }

    /// Puts leases in; which services that changes.
    fn put_leases(&mut self, leases: Vec<(InstanceId, Lease)>, became: Option<u64>) -> HashSet<ServiceKey> {
        let mut touched = HashSet::new();
        for (id, lease) in leases {
            let known = self.instances.get(&id).map(|known| known.with(lease));
            let service = known.as_ref().and_then(|known| self.services.get_mut(&known.service));
            let Some((service, instance)) = service.zip(known) else {
                tracing::error!(instance = %id, "a heartbeat of an instance that was never read: left out");
                continue;
            };
            touched.insert(service.key);
            let had = service.past.len();
            self.instances.insert(id, service.enlist(instance, became, None));
            service.past.forget(self.heads.first().unwrap_or_default());
            self.remembered = self.remembered + service.past.len() - had;
        }
        touched
    }

    /// Puts rows in; which services that changes.
    fn put(
        &mut self,
        namespaces: Vec<NamespaceRow>,
        services: Vec<ServiceRow>,
        instances: Vec<InstanceRow>,
        became: Option<u64>,
        before: Option<&Before>,
    ) -> HashSet<ServiceKey> {
        self.namespaces.extend(namespaces.into_iter().map(|row| (row.id, row)));
        for row in services {
            self.put_service(row, before);
        }
        let mut touched = HashSet::new();
        for row in instances {
            let (id, key) = (row.id, row.service);
            let Some(service) = self.services.get_mut(&key) else {
                // The writer puts the service first, always: somebody else has written to the database.
                tracing::error!(instance = %id, service = %key, "an instance without a service: left out");
                continue;
            };
            let known = before.and_then(|before| before.services.get(&key)?.member(id));
            let had = service.past.len();
            self.instances.insert(id, service.put(row, became, known));
            service.past.forget(self.heads.first().unwrap_or_default());
            self.remembered = self.remembered + service.past.len() - had;
            touched.insert(key);
        }
        touched
    }

    fn put_service(&mut self, row: ServiceRow, before: Option<&Before>) {
        if let Some(service) = self.services.get_mut(&row.key) {
            service.count = row.count;
            return;
        }
        let label = self.namespaces.get(&row.namespace).and_then(|known| known.label.as_deref());
        let namespace: Arc<str> = match (label, row.namespace.account()) {
            (Some(label), _) => label.into(),
            (None, Some(account)) => Namespace::Account(account).to_string().into(),
            (None, None) => row.namespace.to_string().into(),
        };
        let name: Arc<str> = row.name.into();
        self.names.insert((Arc::clone(&namespace), Arc::clone(&name)), row.key);
        let known = before.and_then(|before| before.services.get(&row.key));
        let board = known.map_or_else(|| Board::new(self.changes), |known| Arc::clone(&known.board));
        let service = Service::new(row.key, (row.namespace, namespace), name, row.count, board);
        self.services.insert(row.key, service);
    }

    pub(crate) fn service(&self, key: ServiceKey) -> Option<&Service> {
        self.services.get(&key)
    }

    pub(crate) fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.get(&id).map(Arc::as_ref)
    }

    /// An instance as it is served at a chain time.
    pub(crate) fn served(&self, instance: &Instance, now: u64) -> api::Instance {
        let member = self.services.get(&instance.service).and_then(|service| service.member(instance.id()));
        member.map_or_else(|| instance.served(false, Observed::default()), |member| member.served(now))
    }

    /// The services after a namespace and name whose names begin with `prefix`, in order, of namespaces that are wanted; of the
    /// one alone to which it is `confined`. What is not wanted is skipped, not looked at.
    pub(crate) fn services_after(
        &self,
        mut after: Bound<(Arc<str>, Arc<str>)>,
        confined: Option<&str>,
        prefix: &str,
        wants: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = &Service> {
        std::iter::from_fn(move || {
            loop {
                let ((namespace, name), key) = self.names.range((after.clone(), Bound::Unbounded)).next()?;
                if confined.is_some_and(|confined| **namespace != *confined) {
                    return None;
                }
                if wants(namespace) && name.starts_with(prefix) {
                    after = Bound::Excluded((Arc::clone(namespace), Arc::clone(name)));
                    return self.services.get(key);
                }
                let is_before = wants(namespace) && **name < *prefix;
                let namespace = if is_before { Arc::clone(namespace) } else { next_namespace(namespace) };
                after = Bound::Included((namespace, prefix.into()));
            }
        })
    }

    /// What is said of an instance in its present epoch.
    pub(crate) fn said_of(&self, instance: &Instance) -> Option<&InstanceGrants> {
        self.said_of_instances.get(&instance.id()).filter(|said| said.epoch == instance.lease.epoch)
    }

    /// Who may act for all instances of an owner.
    pub(crate) fn operators(&self, owner: Address) -> Option<&List<Operator>> {
        self.operators.get(&owner)
    }

    /// Who governs a namespace; none if nobody claimed it.
    pub(crate) fn governed(&self, id: NamespaceId) -> Option<Governed> {
        match self.namespaces.get(&id) {
            Some(row) => Some(Governed { owner: row.owner, open: row.open, epoch: row.epoch }),
            None => id.account().map(|owner| Governed { owner, open: false, epoch: 0 }),
        }
    }

    /// What is said of a namespace in an epoch of it.
    pub(crate) fn said_of_namespace(&self, id: NamespaceId, epoch: u32) -> Option<&NamespaceGrants> {
        self.said_of_namespaces.get(&id).filter(|said| said.epoch == epoch)
    }

    /// Who owns the namespace of a service.
    pub(crate) fn authority(&self, service: &Service) -> Option<Address> {
        let claimed = self.namespaces.get(&service.namespace_id).map(|row| row.owner);
        claimed.or_else(|| service.namespace_id.account())
    }

    /// How many services and instances there are, and how many of these are live.
    pub(crate) fn counts(&self) -> Counts {
        Counts { services: self.services.len() as u64, instances: self.instances.len() as u64, live: self.live }
    }
}

/// The first text after a namespace.
fn next_namespace(namespace: &str) -> Arc<str> {
    format!("{namespace}\0").into()
}

/// How people write a service.
fn path(service: &Service) -> String {
    format!("{}/{}", service.namespace, service.name)
}

/// How much the index holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) services: u64,
    pub(crate) instances: u64,
    pub(crate) live: u64,
}
