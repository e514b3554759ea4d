//! The index in memory.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};

use api::{Endpoint, Metadata, timestamp};
use domain::{Address, InstanceId, Lease, Namespace, NamespaceId, ServiceKey};
use semver::Version;
use store::{
    query::{Delta, Snapshot},
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
        index
    }

    pub(crate) fn apply(&mut self, delta: Delta) {
        self.put(delta.namespaces, delta.services, delta.instances);
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
        let namespace: Arc<str> = match (self.namespaces.get(&row.namespace), row.namespace.account()) {
            (Some(claimed), _) => claimed.label.as_str().into(),
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
