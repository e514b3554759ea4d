//! What must be so before an event: the contract would not have emitted it else.

use bindings::Event;
use domain::{B256, InstanceId, Lease, NamespaceId, ServiceKey, Status};
use store::rows::{Grant, NamespaceRow};

use super::{Misfit, State};

/// What an event does to the count of its service.
#[derive(Clone, Copy)]
enum Count {
    Up,
    Same,
    Down,
}

impl State {
    pub(super) fn check(&self, event: &Event) -> Result<(), Misfit> {
        let kind = event.kind();
        match event {
            Event::NamespaceClaimed { namespace, .. } => match self.namespaces.get(namespace) {
                Some(row) => Err(Misfit::Claimed { kind, namespace: *namespace, owner: row.owner }),
                None => Ok(()),
            },
            Event::NamespaceOwnerChanged { namespace, epoch, .. } => {
                let row = self.claimed(kind, *namespace)?;
                is_epoch(kind, namespace.0, row.epoch.saturating_add(1), *epoch)
            }
            Event::NamespaceOpenSet { namespace, owner, epoch, .. } => {
                let expected = match namespace.account() {
                    Some(account) => account,
                    None => self.claimed(kind, *namespace)?.owner,
                };
                if expected != *owner {
                    return Err(Misfit::NamespaceOwner { kind, namespace: *namespace, expected, found: *owner });
                }
                self.in_epoch_of_namespace(kind, *namespace, *epoch)
            }
            Event::NamespaceOwnerProposed { namespace, epoch, .. } | Event::RegistrarSet { namespace, epoch, .. } => {
                self.in_epoch_of_namespace(kind, *namespace, *epoch)
            }
            Event::Registered { id, service, epoch, sequence, count, prev_record_hash, .. } => {
                let before = self.instances.get(id);
                let status = before.map(|row| row.lease.status);
                let may_return = |status: &Status| matches!(status, Status::Deregistered | Status::Reaped);
                if let Some(status) = status.filter(|status| !may_return(status)) {
                    return Err(Misfit::WrongStatus { kind, id: *id, status });
                }
                is_epoch(kind, id.0, before.map_or(0, |row| row.lease.epoch), *epoch)?;
                replaces(kind, *id, before.map_or(B256::ZERO, |row| row.record_hash), *prev_record_hash)?;
                self.follows(kind, *service, *sequence)?;
                self.counts(kind, *service, Count::Up, *count)
            }
            Event::Updated { id, service, sequence, prev_record_hash, .. } => {
                self.listed(kind, *id)?;
                let before = self.instances.get(id).ok_or(Misfit::UnknownInstance { kind, id: *id })?;
                replaces(kind, *id, before.record_hash, *prev_record_hash)?;
                self.follows(kind, *service, *sequence)
            }
            Event::Deregistered { id, service, epoch, sequence, count }
            | Event::Reaped { id, service, epoch, sequence, count } => {
                let lease = self.known(kind, *id)?;
                if lease.status != Status::Active {
                    return Err(Misfit::WrongStatus { kind, id: *id, status: lease.status });
                }
                is_epoch(kind, id.0, lease.epoch.saturating_add(1), *epoch)?;
                self.follows(kind, *service, *sequence)?;
                self.counts(kind, *service, Count::Down, *count)
            }
            Event::OwnerChanged { id, service, epoch, sequence, .. } => {
                let lease = self.listed(kind, *id)?;
                is_epoch(kind, id.0, lease.epoch.saturating_add(1), *epoch)?;
                self.follows(kind, *service, *sequence)
            }
            Event::StatusSet { id, service, status, epoch, sequence, count, .. } => {
                let lease = self.known(kind, *id)?;
                let revokes = *status == Status::Revoked;
                let allowed = match lease.status {
                    Status::Revoked => false,
                    listed if listed.is_listed() => listed != *status,
                    _ => revokes,
                };
                if !allowed {
                    return Err(Misfit::WrongStatus { kind, id: *id, status: lease.status });
                }
                is_epoch(kind, id.0, lease.epoch.saturating_add(u32::from(revokes)), *epoch)?;
                self.follows(kind, *service, *sequence)?;
                // One that has left already is not counted any more.
                let change = if revokes && lease.status.is_listed() { Count::Down } else { Count::Same };
                self.counts(kind, *service, change, *count)
            }
            Event::Heartbeat { id, .. } => self.listed(kind, *id).map(drop),
            Event::HeartbeatBatch { ids, .. } => ids.iter().try_for_each(|id| self.listed(kind, *id).map(drop)),
            Event::SignedHeartbeatBatch { beats } => beats.iter().try_for_each(|(id, time)| {
                let last = self.listed(kind, *id)?.last_heartbeat;
                if *time > last { Ok(()) } else { Err(Misfit::Heartbeat { kind, id: *id, last, found: *time }) }
            }),
            Event::OwnerProposed { id, epoch, .. }
            | Event::InstanceOperatorSet { id, epoch, .. }
            | Event::Endorsed { id, epoch, .. } => is_epoch(kind, id.0, self.listed(kind, *id)?.epoch, *epoch),
            Event::Withdrawn { id, endorser, epoch, .. } => {
                is_epoch(kind, id.0, self.known(kind, *id)?.epoch, *epoch)?;
                let given = event.slot().and_then(|slot| self.grants.get(&slot)).map(|row| &row.grant);
                match given {
                    Some(Grant::Endorsement { withdrawn: false, .. }) => Ok(()),
                    _ => Err(Misfit::NotEndorsed { kind, id: *id, endorser: *endorser }),
                }
            }
            Event::OperatorSet { .. } => Ok(()),
        }
    }

    fn known(&self, kind: &'static str, id: InstanceId) -> Result<&Lease, Misfit> {
        self.lease(id).ok_or(Misfit::UnknownInstance { kind, id })
    }

    fn listed(&self, kind: &'static str, id: InstanceId) -> Result<&Lease, Misfit> {
        match self.known(kind, id)? {
            lease if lease.status.is_listed() => Ok(lease),
            lease => Err(Misfit::WrongStatus { kind, id, status: lease.status }),
        }
    }

    fn claimed(&self, kind: &'static str, namespace: NamespaceId) -> Result<&NamespaceRow, Misfit> {
        self.namespaces.get(&namespace).ok_or(Misfit::Unclaimed { kind, namespace })
    }

    fn in_epoch_of_namespace(&self, kind: &'static str, namespace: NamespaceId, epoch: u32) -> Result<(), Misfit> {
        // That of an account's own address cannot be transferred.
        let expected = match namespace.account() {
            Some(_) => 0,
            None => self.claimed(kind, namespace)?.epoch,
        };
        is_epoch(kind, namespace.0, expected, epoch)
    }

    fn follows(&self, kind: &'static str, service: ServiceKey, found: u64) -> Result<(), Misfit> {
        let expected = self.services.get(&service).map_or(0, |row| row.sequence).saturating_add(1);
        if found == expected { Ok(()) } else { Err(Misfit::Sequence { kind, service, expected, found }) }
    }

    fn counts(&self, kind: &'static str, service: ServiceKey, change: Count, found: u64) -> Result<(), Misfit> {
        let before = self.services.get(&service).map_or(0, |row| row.count);
        let expected = match change {
            Count::Up => before.saturating_add(1),
            Count::Same => before,
            Count::Down => before.saturating_sub(1),
        };
        if found == expected { Ok(()) } else { Err(Misfit::Count { kind, service, expected, found }) }
    }
}

fn is_epoch(kind: &'static str, subject: B256, expected: u32, found: u32) -> Result<(), Misfit> {
    if expected == found { Ok(()) } else { Err(Misfit::Epoch { kind, subject, expected, found }) }
}

fn replaces(kind: &'static str, id: InstanceId, expected: B256, found: B256) -> Result<(), Misfit> {
    if expected == found { Ok(()) } else { Err(Misfit::RecordHash { kind, id, expected, found }) }
}
