//! State + event → state; and the state of old, rebuilt from events. Pure.
//!
//! Each event carries all the state that it sets, so [`State::apply`] never computes a new value from an old one. It
//! does compare: what an event says was there before must be what we have, or logs are missing.

use std::collections::{BTreeMap, BTreeSet};

use bindings::Event;
use domain::{B256, InstanceId, Lease, NamespaceId, ServiceKey, Status, record};
use store::rows::{EventRow, HeartbeatRow, InstanceRow, NamespaceRow, ServiceRow};

/// The part of the catalogue that a batch of events is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Claimed namespaces.
    pub namespaces: BTreeMap<NamespaceId, NamespaceRow>,
    /// Services.
    pub services: BTreeMap<ServiceKey, ServiceRow>,
    /// Instances, with what they publish.
    pub instances: BTreeMap<InstanceId, InstanceRow>,
    /// Leases of other instances, whose records no event here changes.
    pub leases: BTreeMap<InstanceId, Lease>,
}

/// What of the catalogue must be in a [`State`] for some events to be applied to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Services whose roster changes.
    pub services: BTreeSet<ServiceKey>,
    /// Instances whose record changes.
    pub instances: BTreeSet<InstanceId>,
    /// Other instances, whose lease changes.
    pub leases: BTreeSet<InstanceId>,
}

/// An event that does not fit to the state: logs before it are missing, or the node invents some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// It is about an instance that never registered.
    #[error("{kind} of instance {id}, which never registered: logs before it are missing")]
    UnknownInstance {
        /// The event.
        kind: &'static str,
        /// The instance.
        id: InstanceId,
    },
    /// It is about an instance that is not in the roster, or that enters it twice.
    #[error("{kind} of instance {id}, which is {}: logs before it are missing", status.as_str())]
    WrongStatus {
        /// The event.
        kind: &'static str,
        /// The instance.
        id: InstanceId,
        /// What it is.
        status: Status,
    },
    /// It is not the next one of its service.
    #[error("{kind} has sequence {found} of service {service}, expected {expected}: logs are missing")]
    Sequence {
        /// The event.
        kind: &'static str,
        /// The service.
        service: ServiceKey,
        /// What should have come.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// It replaces another record than the one that we have.
    #[error("{kind} of instance {id} replaces the record {found}, but we have {expected}: logs before it are missing")]
    RecordHash {
        /// The event.
        kind: &'static str,
        /// The instance.
        id: InstanceId,
        /// The record hash that we have.
        expected: B256,
        /// The one that the event replaces.
        found: B256,
    },
}

impl Needs {
    /// What these events need.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut needs = Self::default();
        for event in events {
            needs.services.extend(event.service());
            match event {
                Event::Registered { id, .. } | Event::Updated { id, .. } => needs.instances.extend([*id]),
                Event::Deregistered { id, .. } | Event::Heartbeat { id, .. } => needs.leases.extend([*id]),
                Event::HeartbeatBatch { ids, .. } => needs.leases.extend(ids),
                Event::NamespaceClaimed { .. } => {}
            }
        }
        needs.leases.retain(|id| !needs.instances.contains(id));
        needs
    }
}

impl State {
    /// Applies an event of the block at height `block`, or leaves the state as it is.
    ///
    /// # Errors
    /// [`Misfit`], if the event cannot follow on this state.
    pub fn apply(&mut self, block: u64, event: &Event) -> Result<(), Misfit> {
        self.check(event)?;
        self.set_namespace(event);
        self.set_service(event);
        self.set_instance(block, event);
        Ok(())
    }

    fn check(&self, event: &Event) -> Result<(), Misfit> {
        let kind = event.kind();
        match event {
            Event::NamespaceClaimed { .. } => Ok(()),
            Event::Registered { id, service, sequence, prev_record_hash, .. } => {
                let before = self.instances.get(id);
                if let Some(status) = before.map(|row| row.lease.status).filter(|status| status.is_listed()) {
                    return Err(Misfit::WrongStatus { kind, id: *id, status });
                }
                let expected = before.map_or(B256::ZERO, |row| row.record_hash);
                replaces(kind, *id, expected, *prev_record_hash)?;
                self.follows(kind, *service, *sequence)
            }
            Event::Updated { id, service, sequence, prev_record_hash, .. } => {
                self.listed(kind, *id)?;
                let before = self.instances.get(id).ok_or(Misfit::UnknownInstance { kind, id: *id })?;
                replaces(kind, *id, before.record_hash, *prev_record_hash)?;
                self.follows(kind, *service, *sequence)
            }
            Event::Deregistered { id, service, sequence, .. } => {
                self.listed(kind, *id)?;
                self.follows(kind, *service, *sequence)
            }
            Event::Heartbeat { id, .. } => self.listed(kind, *id),
            Event::HeartbeatBatch { ids, .. } => ids.iter().try_for_each(|id| self.listed(kind, *id)),
        }
    }

    fn listed(&self, kind: &'static str, id: InstanceId) -> Result<(), Misfit> {
        let lease = self.instances.get(&id).map(|row| &row.lease).or_else(|| self.leases.get(&id));
        match lease.map(|lease| lease.status) {
            None => Err(Misfit::UnknownInstance { kind, id }),
            Some(status) if !status.is_listed() => Err(Misfit::WrongStatus { kind, id, status }),
            Some(_) => Ok(()),
        }
    }

    fn follows(&self, kind: &'static str, service: ServiceKey, found: u64) -> Result<(), Misfit> {
        let expected = self.services.get(&service).map_or(0, |row| row.sequence).saturating_add(1);
        if found == expected { Ok(()) } else { Err(Misfit::Sequence { kind, service, expected, found }) }
    }

    fn set_namespace(&mut self, event: &Event) {
        if let Event::NamespaceClaimed { namespace, owner, label } = event {
            let row = NamespaceRow { id: *namespace, label: label.clone(), owner: *owner };
            self.namespaces.insert(*namespace, row);
        }
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
            Event::Updated { service, sequence, .. } => {
                if let Some(row) = self.services.get_mut(service) {
                    row.sequence = *sequence;
                }
            }
            Event::Deregistered { service, sequence, count, .. } => {
                if let Some(row) = self.services.get_mut(service) {
                    (row.sequence, row.count) = (*sequence, *count);
                }
            }
            Event::NamespaceClaimed { .. } | Event::Heartbeat { .. } | Event::HeartbeatBatch { .. } => {}
        }
    }

    fn set_instance(&mut self, block: u64, event: &Event) {
        match event {
            Event::NamespaceClaimed { .. } => {}
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
            Event::Heartbeat { id, time } => self.set_lease(*id, |lease| lease.last_heartbeat = *time),
            Event::HeartbeatBatch { time, ids } => {
                for id in ids {
                    self.set_lease(*id, |lease| lease.last_heartbeat = *time);
                }
            }
        }
    }

    fn set_lease(&mut self, id: InstanceId, set: impl FnOnce(&mut Lease)) {
        let lease = self.instances.get_mut(&id).map(|row| &mut row.lease).or_else(|| self.leases.get_mut(&id));
        if let Some(lease) = lease {
            set(lease);
        }
    }
}

fn replaces(kind: &'static str, id: InstanceId, expected: B256, found: B256) -> Result<(), Misfit> {
    if expected == found { Ok(()) } else { Err(Misfit::RecordHash { kind, id, expected, found }) }
}

/// An event and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The log.
    pub row: EventRow,
    /// What it says.
    pub event: Event,
}

/// What a state of old is rebuilt from: as `store::ingest::History`, decoded.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// The newest event of each kind of each instance, heartbeats aside.
    pub instances: Vec<Entry>,
    /// The newest heartbeat of each instance.
    pub heartbeats: Vec<HeartbeatRow>,
    /// The newest event of each kind of each service.
    pub rosters: Vec<Entry>,
    /// The newest event of each kind of each claimed namespace.
    pub namespaces: Vec<Entry>,
}

impl Past {
    /// The state after all of it. There are no inverse steps, and no need for the events in between: each event sets
    /// all that events of its kind ever set, and a registration sets everything.
    pub fn rebuild(mut self) -> State {
        let mut state = State::default();
        for list in [&mut self.instances, &mut self.rosters, &mut self.namespaces] {
            list.sort_by_key(|entry| (entry.row.block.number, entry.row.log_index));
        }
        self.heartbeats.sort_by_key(|beat| (beat.block_number, beat.log_index));

        self.namespaces.iter().for_each(|entry| state.set_namespace(&entry.event));
        self.rosters.iter().for_each(|entry| state.set_service(&entry.event));
        let mut beats = self.heartbeats.iter().peekable();
        for entry in &self.instances {
            let at = (entry.row.block.number, entry.row.log_index);
            while let Some(beat) = beats.next_if(|beat| (beat.block_number, beat.log_index) < at) {
                state.set_lease(beat.instance, |lease| lease.last_heartbeat = beat.time);
            }
            state.set_instance(entry.row.block.number, &entry.event);
        }
        for beat in beats {
            state.set_lease(beat.instance, |lease| lease.last_heartbeat = beat.time);
        }
        state
    }
}

#[cfg(test)]
mod tests;
