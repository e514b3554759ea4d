//! State + event → state; and the state of old, rebuilt from events. Pure.
//!
//! - `check`: what must be so before an event; `misfit`: what is wrong if it is not
//! - `grants`: proposals, grants and endorsements
//! - `past`: the state of old
//!
//! Each event carries all the state that it sets, so [`State::apply`] never computes a new value from an old one. It
//! does compare: what an event says was there before must be what we have, or logs are missing.

use std::collections::{BTreeMap, BTreeSet};

use bindings::Event;
use domain::{B256, InstanceId, Lease, NamespaceId, ServiceKey, Status, record};
use store::rows::{GrantRow, InstanceRow, NamespaceRow, ServiceRow};

mod check;
mod grants;
mod misfit;
mod past;

pub use misfit::Misfit;
pub use past::{Entry, Past};

/// The part of the catalogue that a batch of events is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Namespaces that the contract has a word for.
    pub namespaces: BTreeMap<NamespaceId, NamespaceRow>,
    /// Services.
    pub services: BTreeMap<ServiceKey, ServiceRow>,
    /// Instances, with what they publish.
    pub instances: BTreeMap<InstanceId, InstanceRow>,
    /// Leases of other instances, whose records no event here changes.
    pub leases: BTreeMap<InstanceId, Lease>,
    /// Proposals, grants and endorsements, by their slots in the contracts' storage.
    pub grants: BTreeMap<B256, GrantRow>,
}

/// What of the catalogue must be in a [`State`] for some events to be applied to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Namespaces that change, or that somebody is proposed for or admitted to.
    pub namespaces: BTreeSet<NamespaceId>,
    /// Services whose roster changes.
    pub services: BTreeSet<ServiceKey>,
    /// Instances whose record changes.
    pub instances: BTreeSet<InstanceId>,
    /// Other instances, whose lease changes, or of whose epoch something is said.
    pub leases: BTreeSet<InstanceId>,
    /// Slots of endorsements that are withdrawn: all else that is said is said anew.
    pub endorsements: BTreeSet<B256>,
}

impl Needs {
    /// What these events need.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut needs = Self::default();
        for event in events {
            needs.services.extend(event.service());
            match event {
                Event::NamespaceClaimed { namespace, .. }
                | Event::NamespaceOwnerProposed { namespace, .. }
                | Event::NamespaceOwnerChanged { namespace, .. }
                | Event::NamespaceOpenSet { namespace, .. }
                | Event::RegistrarSet { namespace, .. } => needs.namespaces.extend([*namespace]),
                Event::Registered { id, .. } | Event::Updated { id, .. } | Event::StatusSet { id, .. } => {
                    needs.instances.extend([*id]);
                }
                Event::Deregistered { id, .. }
                | Event::Reaped { id, .. }
                | Event::OwnerChanged { id, .. }
                | Event::Heartbeat { id, .. }
                | Event::OwnerProposed { id, .. }
                | Event::InstanceOperatorSet { id, .. }
                | Event::Endorsed { id, .. } => needs.leases.extend([*id]),
                Event::Withdrawn { id, .. } => {
                    needs.leases.extend([*id]);
                    needs.endorsements.extend(event.slot());
                }
                Event::HeartbeatBatch { ids, .. } => needs.leases.extend(ids),
                Event::SignedHeartbeatBatch { beats } => needs.leases.extend(beats.iter().map(|(id, _)| id)),
                Event::OperatorSet { .. } => {}
            }
        }
        needs.leases.retain(|id| !needs.instances.contains(id));
        needs
    }
}

impl State {
    /// Applies an event, the log `log_index` of the block at height `block`, or leaves the state as it is.
    ///
    /// # Errors
    /// [`Misfit`], if the event cannot follow on this state.
    pub fn apply(&mut self, block: u64, log_index: u64, event: &Event) -> Result<(), Misfit> {
        self.check(event)?;
        self.set_namespace(event);
        self.set_service(event);
        self.set_instance(block, event);
        self.set_grant(block, log_index, event);
        Ok(())
    }

    fn lease(&self, id: InstanceId) -> Option<&Lease> {
        self.instances.get(&id).map(|row| &row.lease).or_else(|| self.leases.get(&id))
    }

    fn set_namespace(&mut self, event: &Event) {
        let row = match event {
            Event::NamespaceClaimed { namespace, owner, label } => {
                NamespaceRow { id: *namespace, label: Some(label.clone()), owner: *owner, open: false, epoch: 0 }
            }
            Event::NamespaceOwnerChanged { namespace, owner, epoch } => {
                let label = self.label(*namespace);
                NamespaceRow { id: *namespace, label, owner: *owner, open: false, epoch: *epoch }
            }
            Event::NamespaceOpenSet { namespace, owner, open, epoch } => {
                let label = self.label(*namespace);
                NamespaceRow { id: *namespace, label, owner: *owner, open: *open, epoch: *epoch }
            }
            _ => return,
        };
        self.namespaces.insert(row.id, row);
    }

    fn label(&self, namespace: NamespaceId) -> Option<String> {
        self.namespaces.get(&namespace).and_then(|row| row.label.clone())
    }

    fn set_service(&mut self, event: &Event) {
        match event {
            Event::Registered { service, record, sequence, count, .. } => {
                let row = ServiceRow {
                    key: *service,
                    namespace: record.namespace,
                    name: record.name.clone(),
                    count: *count,
                    sequence: *sequence,
                };
                self.services.insert(*service, row);
            }
            Event::Updated { service, sequence, .. } | Event::OwnerChanged { service, sequence, .. } => {
                if let Some(row) = self.services.get_mut(service) {
                    row.sequence = *sequence;
                }
            }
            Event::Deregistered { service, sequence, count, .. }
            | Event::Reaped { service, sequence, count, .. }
            | Event::StatusSet { service, sequence, count, .. } => {
                if let Some(row) = self.services.get_mut(service) {
                    (row.sequence, row.count) = (*sequence, *count);
                }
            }
            _ => {}
        }
    }

    fn set_instance(&mut self, block: u64, event: &Event) {
        match event {
            Event::Registered { id, service, record, ttl, time, epoch, prev_record_hash, .. } => {
                let row = InstanceRow {
                    id: *id,
                    service: *service,
                    label: record.label.clone(),
                    registrant: record.registrant,
                    version: record.version.clone(),
                    endpoints: record.endpoints.clone(),
                    metadata: record.metadata.clone(),
                    record_hash: record.hash(*prev_record_hash),
                    registered_block: block,
                    updated_block: block,
                    reason: None,
                    lease: Lease {
                        owner: record.registrant,
                        last_heartbeat: *time,
                        ttl: *ttl,
                        status: Status::Active,
                        epoch: *epoch,
                    },
                };
                self.leases.remove(id);
                self.instances.insert(*id, row);
            }
            Event::Updated { id, version, endpoints, metadata, ttl, prev_record_hash, .. } => {
                if let Some(row) = self.instances.get_mut(id) {
                    row.version.clone_from(version);
                    row.endpoints.clone_from(endpoints);
                    row.metadata.clone_from(metadata);
                    row.record_hash = record::record_hash(*prev_record_hash, version, endpoints, metadata);
                    row.updated_block = block;
                    row.lease.ttl = *ttl;
                }
            }
            Event::Deregistered { id, epoch, .. } => self.set_lease(*id, |lease| {
                (lease.status, lease.epoch) = (Status::Deregistered, *epoch);
            }),
            Event::Reaped { id, epoch, .. } => self.set_lease(*id, |lease| {
                (lease.status, lease.epoch) = (Status::Reaped, *epoch);
            }),
            Event::OwnerChanged { id, owner, epoch, .. } => self.set_lease(*id, |lease| {
                (lease.owner, lease.epoch) = (*owner, *epoch);
            }),
            Event::StatusSet { id, status, epoch, reason, .. } => {
                if let Some(row) = self.instances.get_mut(id) {
                    (row.lease.status, row.lease.epoch) = (*status, *epoch);
                    row.reason = Some(reason.clone());
                }
            }
            Event::Heartbeat { id, time } => self.set_lease(*id, |lease| lease.last_heartbeat = *time),
            Event::HeartbeatBatch { time, ids } => {
                for id in ids {
                    self.set_lease(*id, |lease| lease.last_heartbeat = *time);
                }
            }
            Event::SignedHeartbeatBatch { beats } => {
                for (id, time) in beats {
                    self.set_lease(*id, |lease| lease.last_heartbeat = *time);
                }
            }
            _ => {}
        }
    }

    fn set_lease(&mut self, id: InstanceId, set: impl FnOnce(&mut Lease)) {
        let lease = self.instances.get_mut(&id).map(|row| &mut row.lease).or_else(|| self.leases.get_mut(&id));
        if let Some(lease) = lease {
            set(lease);
        }
    }
}

#[cfg(test)]
mod tests;
