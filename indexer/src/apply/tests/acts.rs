//! What somebody does, and the events that the contracts make of it.

use bindings::Event;
use domain::{
    Address, B256, Bytes, InstanceId, Namespace, NamespaceId, Permissions, Record, ServiceKey, Status, Topic,
};
use proptest::{collection::vec, prelude::*};
use store::rows::{Grant, InstanceRow};

use crate::apply::State;

/// What somebody does; the contract refuses some of it, and then there is no event.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Claim(u8),
    Register(u8, u8),
    Update(u8, u8),
    Deregister(u8),
    Heartbeat(u8),
    Batch(Vec<u8>),
    Signed(Vec<u8>),
    /// Of the namespace of label `n`, or of the account's own if `n` is 0.
    Open(u8, bool),
    Registrar(u8, u8),
    ProposeNamespace(u8),
    TakeNamespace(u8),
    Propose(u8, u8),
    Take(u8, u8),
    Operator(u8, u8),
    InstanceOperator(u8, u8, u8),
    Status(u8, Status),
    Reap(u8),
    Endorse(u8, u8, u8),
    Withdraw(u8, u8),
    NextBlock,
}

pub(super) fn act() -> impl Strategy<Value = Act> {
    let who = 0u8..6;
    let status = prop_oneof![3 => Just(Status::Active), 3 => Just(Status::Suspended), 1 => Just(Status::Revoked)];
    prop_oneof![
        1 => who.clone().prop_map(Act::Claim),
        3 => (who.clone(), any::<u8>()).prop_map(|(i, v)| Act::Register(i, v)),
        3 => (who.clone(), any::<u8>()).prop_map(|(i, v)| Act::Update(i, v)),
        2 => who.clone().prop_map(Act::Deregister),
        3 => who.clone().prop_map(Act::Heartbeat),
        2 => vec(who.clone(), 1..8).prop_map(Act::Batch),
        2 => vec(who.clone(), 1..4).prop_map(Act::Signed),
        1 => (who.clone(), any::<bool>()).prop_map(|(n, open)| Act::Open(n, open)),
        1 => (who.clone(), any::<u8>()).prop_map(|(n, v)| Act::Registrar(n, v)),
        1 => who.clone().prop_map(Act::ProposeNamespace),
        1 => who.clone().prop_map(Act::TakeNamespace),
        1 => (who.clone(), any::<u8>()).prop_map(|(i, v)| Act::Propose(i, v)),
        1 => (who.clone(), any::<u8>()).prop_map(|(i, v)| Act::Take(i, v)),
        1 => (who.clone(), any::<u8>()).prop_map(|(i, v)| Act::Operator(i, v)),
        1 => (who.clone(), any::<u8>(), any::<u8>()).prop_map(|(i, w, v)| Act::InstanceOperator(i, w, v)),
        3 => (who.clone(), status).prop_map(|(i, status)| Act::Status(i, status)),
        1 => who.clone().prop_map(Act::Reap),
        2 => (who.clone(), any::<u8>(), any::<u8>()).prop_map(|(i, w, v)| Act::Endorse(i, w, v)),
        2 => (who, any::<u8>()).prop_map(|(i, w)| Act::Withdraw(i, w)),
        6 => Just(Act::NextBlock),
    ]
}

/// Six instances of two services: instance `i` is number `i / 2` of service `i % 2`.
pub(super) fn record(i: u8, version: u8) -> Record {
    let registrant = Address::repeat_byte(0xaa);
    Record {
        namespace: Namespace::Account(registrant).id(),
        name: format!("service-{}", i % 2),
        label: format!("label-{}", i / 2),
        registrant,
        version: format!("1.0.{version}"),
        endpoints: vec![Bytes::from(vec![0, 0xff, version])],
        metadata: Bytes::from(vec![version; 3]),
    }
}

/// The event that the contract would emit in this state, if it would.
pub(super) fn emit(state: &State, act: &Act, time: u64) -> Option<Event> {
    let row = |i: u8| state.instances.get(&record(i, 0).id());
    let listed = |i: u8| row(i).filter(|row| row.lease.status.is_listed());
    let active = |i: u8| row(i).filter(|row| row.lease.status == Status::Active);
    let roster = |service: ServiceKey| state.services.get(&service).map_or((0, 0), |row| (row.sequence, row.count));
    match act {
        Act::NextBlock => None,
        Act::Claim(i) => {
            let label = format!("label-{i}");
            let namespace = Namespace::Label(label.clone()).id();
            let free = !state.namespaces.contains_key(&namespace);
            free.then_some(Event::NamespaceClaimed { namespace, owner: account(9), label })
        }
        Act::Register(i, version) => {
            let record = record(*i, *version);
            let (sequence, count) = roster(record.service());
            let free = [None, Some(Status::Deregistered), Some(Status::Reaped)];
            free.contains(&row(*i).map(|row| row.lease.status)).then(|| Event::Registered {
                id: record.id(),
                service: record.service(),
                ttl: u32::from(*version) + 5,
                time,
                epoch: row(*i).map_or(0, |row| row.lease.epoch),
                sequence: sequence + 1,
                count: count + 1,
                prev_record_hash: row(*i).map_or(B256::ZERO, |row| row.record_hash),
                record,
            })
        }
        Act::Update(i, version) => listed(*i).map(|row| Event::Updated {
            id: row.id,
            service: row.service,
            version: format!("2.0.{version}"),
            endpoints: vec![Bytes::from(vec![*version]); 2],
            metadata: Bytes::new(),
            ttl: u32::from(*version) + 300,
            sequence: roster(row.service).0 + 1,
            prev_record_hash: row.record_hash,
        }),
        Act::Deregister(i) => active(*i).map(|row| Event::Deregistered {
            id: row.id,
            service: row.service,
            epoch: row.lease.epoch + 1,
            sequence: roster(row.service).0 + 1,
            count: roster(row.service).1 - 1,
        }),
        Act::Heartbeat(i) => listed(*i).map(|row| Event::Heartbeat { id: row.id, time }),
        Act::Batch(all) => {
            let ids: Vec<InstanceId> = all.iter().filter_map(|i| listed(*i)).map(|row| row.id).collect();
            (!ids.is_empty()).then_some(Event::HeartbeatBatch { time, ids })
        }
        other => governance(state, other, time),
    }
}

fn account(n: u8) -> Address {
    Address::repeat_byte(n % 3 + 1)
}

fn namespace(n: u8) -> NamespaceId {
    match n {
        0 => Namespace::Account(Address::repeat_byte(0xaa)).id(),
        n => Namespace::Label(format!("label-{n}")).id(),
    }
}

fn governance(state: &State, act: &Act, time: u64) -> Option<Event> {
    let row = |i: u8| state.instances.get(&record(i, 0).id());
    let listed = |i: u8| row(i).filter(|row| row.lease.status.is_listed());
    let roster = |row: &InstanceRow| state.services.get(&row.service).map_or((0, 0), |row| (row.sequence, row.count));
    // The owner and the epoch of a namespace.
    let governed = |id: NamespaceId| match state.namespaces.get(&id) {
        Some(row) => Some((row.owner, row.epoch)),
        None => id.account().map(|owner| (owner, 0)),
    };
    match act {
        Act::Signed(all) => {
            let beats: Vec<_> = all
                .iter()
                .filter_map(|i| listed(*i))
                .filter(|row| row.lease.last_heartbeat < time)
                .enumerate()
                .map(|(n, row)| (row.id, time + n as u64))
                .collect();
            (!beats.is_empty()).then_some(Event::SignedHeartbeatBatch { beats })
        }
        Act::Open(n, open) => governed(namespace(*n)).map(|(owner, epoch)| Event::NamespaceOpenSet {
            namespace: namespace(*n),
            owner,
            open: *open,
            epoch,
        }),
        Act::Registrar(n, v) => governed(namespace(*n)).map(|(_, epoch)| Event::RegistrarSet {
            namespace: namespace(*n),
            epoch,
            registrar: account(*v),
            expires_at: u64::from(*v / 2),
        }),
        Act::ProposeNamespace(n) => {
            let epoch = state.namespaces.get(&namespace(*n)).filter(|row| row.label.is_some())?.epoch;
            Some(Event::NamespaceOwnerProposed { namespace: namespace(*n), epoch, account: account(*n) })
        }
        Act::TakeNamespace(n) => {
            let epoch = state.namespaces.get(&namespace(*n)).filter(|row| row.label.is_some())?.epoch + 1;
            Some(Event::NamespaceOwnerChanged { namespace: namespace(*n), owner: account(*n), epoch })
        }
        Act::Propose(i, v) => {
            listed(*i).map(|row| Event::OwnerProposed { id: row.id, epoch: row.lease.epoch, account: account(*v) })
        }
        Act::Take(i, v) => listed(*i).map(|row| Event::OwnerChanged {
            id: row.id,
            service: row.service,
            owner: account(*v),
            epoch: row.lease.epoch + 1,
            sequence: roster(row).0 + 1,
        }),
        Act::Operator(i, v) => Some(Event::OperatorSet {
            owner: account(*i),
            operator: account(*v),
            permissions: Permissions::from_u8(*v % 8)?,
            expires_at: time,
        }),
        Act::InstanceOperator(i, w, v) => Some(Event::InstanceOperatorSet {
            id: listed(*i)?.id,
            epoch: listed(*i)?.lease.epoch,
            operator: account(*w),
            permissions: Permissions::from_u8(*v % 8)?,
            expires_at: time,
        }),
        Act::Status(i, to) => {
            let row = row(*i)?;
            let (from, revokes) = (row.lease.status, *to == Status::Revoked);
            let allowed = from != Status::Revoked && from != *to && (revokes || from.is_listed());
            let (sequence, count) = roster(row);
            allowed.then(|| Event::StatusSet {
                id: row.id,
                service: row.service,
                authority: row.registrant,
                status: *to,
                epoch: row.lease.epoch + u32::from(revokes),
                sequence: sequence + 1,
                count: count - u64::from(revokes && from.is_listed()),
                reason: Bytes::from(vec![0xff; usize::from(*i)]),
            })
        }
        Act::Reap(i) => row(*i).filter(|row| row.lease.status == Status::Active).map(|row| Event::Reaped {
            id: row.id,
            service: row.service,
            epoch: row.lease.epoch + 1,
            sequence: roster(row).0 + 1,
            count: roster(row).1 - 1,
        }),
        Act::Endorse(i, w, v) => listed(*i).map(|row| Event::Endorsed {
            id: row.id,
            endorser: account(*w),
            topic: Topic(B256::ZERO),
            epoch: row.lease.epoch,
            expires_at: u64::from(*v),
            digest: B256::repeat_byte(*v | 1),
        }),
        Act::Withdraw(i, w) => {
            let row = row(*i)?;
            let (endorser, topic) = (account(*w), Topic(B256::ZERO));
            let event = Event::Withdrawn { id: row.id, endorser, topic, epoch: row.lease.epoch };
            let given = state.grants.get(&event.slot()?).map(|row| &row.grant);
            matches!(given, Some(Grant::Endorsement { withdrawn: false, .. })).then_some(event)
        }
        other => unreachable!("{other:?} is no act of governance"),
    }
}
