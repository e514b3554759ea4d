//! The index in memory.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

use api::{Endpoint, Metadata, governance::plain_text, timestamp};
use domain::{Address, InstanceId, Lease, Namespace, NamespaceId, ServiceKey};
use semver::Version;
use store::{
    query::{Delta, Grants, InstanceGrants, List, NamespaceGrants, Operator, Snapshot},
    rows::{InstanceRow, NamespaceRow, ServiceRow},
};

/// Namespaces, services and instances, as of one block.
#[derive(Debug, Default)]
pub(crate) struct Index {
    namespaces: HashMap<NamespaceId, NamespaceRow>,
    services: HashMap<ServiceKey, Service>,
    /// Services by the namespace and the name that people write, in the order of `GET /v1/services`.
    names: BTreeMap<(Arc<str>, Arc<str>), ServiceKey>,
    instances: HashMap<InstanceId, Arc<Instance>>,
    /// What is said of instances, if anything is. Of an epoch that may have ended.
    said_of_instances: HashMap<InstanceId, InstanceGrants>,
    /// What is said of namespaces, if anything is. Of an epoch that may have ended.
    said_of_namespaces: HashMap<NamespaceId, NamespaceGrants>,
    /// Who may act for all instances of an owner.
    operators: HashMap<Address, List<Operator>>,
}

/// A namespace: who governs it.
#[derive(Debug)]
pub(crate) struct Governed {
    pub(crate) owner: Address,
    pub(crate) open: bool,
    pub(crate) epoch: u32,
}

/// A service and its roster.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) key: ServiceKey,
    /// The namespace as people write it.
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    namespace_id: NamespaceId,
    /// How many instances are listed, by the contract's count.
    pub(crate) count: u64,
    /// The listed ones, ordered by id.
    listed: BTreeMap<InstanceId, Arc<Instance>>,
}

/// An instance, prepared for being served.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) lease: Lease,
    /// The version, if it is a semantic one.
    pub(crate) version: Option<Version>,
    /// All that is served but `live`, which is computed at read.
    body: api::Instance,
}

impl Instance {
    fn new(row: InstanceRow, service: &Service) -> Self {
        let lease = row.lease;
        let (metadata, metadata_base64) = Metadata::from_bytes(&row.metadata).into_fields();
        let body = api::Instance {
            id: row.id,
            namespace: service.namespace.to_string(),
            service: service.name.to_string(),
            label: row.label,
            registrant: row.registrant,
            owner: lease.owner,
            version: row.version,
            status: lease.status.into(),
            reason: row.reason.as_ref().map(|reason| plain_text(reason)),
            live: false,
            ttl_s: lease.ttl,
            last_heartbeat: timestamp::from_seconds(lease.last_heartbeat),
            expires_at: timestamp::from_seconds(lease.expires_at()),
            epoch: lease.epoch,
            registered_block: row.registered_block,
            updated_block: row.updated_block,
            record_hash: row.record_hash,
            endpoints: row.endpoints.iter().map(|bytes| Endpoint::from_bytes(bytes)).collect(),
            metadata,
            metadata_base64,
        };
        Self { lease, version: Version::parse(&body.version).ok(), body }
    }

    pub(crate) fn id(&self) -> InstanceId {
        self.body.id
    }

    /// The namespace as people write it.
    pub(crate) fn namespace(&self) -> &str {
        &self.body.namespace
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.body.endpoints
    }

    /// What the owner claims, if it is a JSON object.
    pub(crate) fn claims(&self) -> Option<&serde_json::Map<String, serde_json::Value>> {
        self.body.metadata.as_ref()
    }

    /// The instance as it is served at a chain time.
    pub(crate) fn served(&self, now: u64) -> api::Instance {
        api::Instance { live: self.lease.is_live(now), ..self.body.clone() }
    }
}

impl Service {
    /// The listed instances, ordered by id.
    pub(crate) fn listed(&self) -> impl Iterator<Item = &Instance> {
        self.listed.values().map(Arc::as_ref)
    }

    /// How many instances are live at a chain time.
    pub(crate) fn live(&self, now: u64) -> u64 {
        self.listed().filter(|instance| instance.lease.is_live(now)).count() as u64
    }
}

impl Index {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        let mut index = Self::default();
        index.put(snapshot.namespaces, snapshot.services, snapshot.instances);
        index.put_grants(snapshot.grants);
        index
    }

    pub(crate) fn apply(&mut self, delta: Delta) {
        self.put(delta.namespaces, delta.services, delta.instances);
        self.put_grants(delta.grants);
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

    fn put(&mut self, namespaces: Vec<NamespaceRow>, services: Vec<ServiceRow>, instances: Vec<InstanceRow>) {
        self.namespaces.extend(namespaces.into_iter().map(|row| (row.id, row)));
        for row in services {
            self.put_service(row);
        }
        for row in instances {
            let id = row.id;
            let Some(service) = self.services.get_mut(&row.service) else {
                // The writer puts the service first, always: somebody else has written to the database.
                tracing::error!(instance = %id, service = %row.service, "an instance without a service: left out");
                continue;
            };
            let instance = Arc::new(Instance::new(row, service));
            if instance.lease.status.is_listed() {
                service.listed.insert(id, Arc::clone(&instance));
            } else {
                service.listed.remove(&id);
            }
            self.instances.insert(id, instance);
        }
    }

    fn put_service(&mut self, row: ServiceRow) {
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
        let service = Service {
            key: row.key,
            namespace,
            name,
            namespace_id: row.namespace,
            count: row.count,
            listed: BTreeMap::new(),
        };
        self.services.insert(row.key, service);
    }

    pub(crate) fn service(&self, key: ServiceKey) -> Option<&Service> {
        self.services.get(&key)
    }

    pub(crate) fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.get(&id).map(Arc::as_ref)
    }

    /// The services after a namespace and name, in order.
    pub(crate) fn services_after(&self, after: Bound<(Arc<str>, Arc<str>)>) -> impl Iterator<Item = &Service> {
        self.names.range((after, Bound::Unbounded)).filter_map(|(_, key)| self.services.get(key))
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
    pub(crate) fn counts(&self, now: u64) -> Counts {
        Counts {
            services: self.services.len() as u64,
            instances: self.instances.len() as u64,
            live: self.services.values().map(|service| service.live(now)).sum(),
        }
    }
}

/// How much the index holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) services: u64,
    pub(crate) instances: u64,
    pub(crate) live: u64,
}
