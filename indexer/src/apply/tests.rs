use std::collections::{BTreeMap, BTreeSet};

use bindings::Event;
use domain::{
    Address, B256, BlockRef, Bytes, InstanceId, Namespace, NamespaceId, Permissions, Record, ServiceKey, Status, Topic,
};
use proptest::{collection::vec, prelude::*};
use store::rows::{EventRow, Grant, HeartbeatRow, InstanceRow};

use super::{Entry, Misfit, Needs, Past, State};

/// What somebody does; the contract refuses some of it, and then there is no event.
#[derive(Debug, Clone)]
enum Act {
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

fn act() -> impl Strategy<Value = Act> {
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
fn record(i: u8, version: u8) -> Record {
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
fn emit(state: &State, act: &Act, time: u64) -> Option<Event> {
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

/// Plays the acts; returns the events, and the state after each block.
fn play(acts: &[Act]) -> (Vec<Entry>, Vec<State>) {
    let (mut state, mut entries, mut states) = (State::default(), Vec::new(), Vec::new());
    let mut log_index = 0;
    for act in acts {
        let block = states.len() as u64;
        if matches!(act, Act::NextBlock) {
            states.push(state.clone());
            log_index = 0;
        } else if let Some(event) = emit(&state, act, 1_000 + block * 7) {
            state.apply(block, log_index, &event).expect("what the contract emits fits");
            entries.push(entry(block, log_index, event));
            log_index += 1;
        }
    }
    states.push(state);
    (entries, states)
}

fn entry(number: u64, log_index: u64, event: Event) -> Entry {
    let row = EventRow {
        contract: Address::ZERO,
        block: BlockRef { number, hash: B256::ZERO },
        log_index,
        tx_hash: B256::ZERO,
        kind: event.kind().to_owned(),
        instance: event.instance(),
        namespace: event.namespace(),
        slot: event.slot(),
        topics: Vec::new(),
        data: Bytes::new(),
    };
    Entry { row, event }
}

/// What `store::ingest::Writer::history` answers, from the events up to a height.
fn past(entries: &[Entry], up_to: u64, touched: &[Entry]) -> Past {
    let kept: Vec<&Entry> = entries.iter().filter(|entry| entry.row.block.number <= up_to).collect();
    let beats = |entries: &mut dyn Iterator<Item = &Entry>| -> Vec<HeartbeatRow> {
        entries.flat_map(crate::log::heartbeats).collect()
    };
    let instances: BTreeSet<InstanceId> = touched
        .iter()
        .filter(|entry| entry.row.slot.is_none())
        .filter_map(|entry| entry.row.instance)
        .chain(beats(&mut touched.iter()).into_iter().map(|beat| beat.instance))
        .collect();
    let services: BTreeSet<ServiceKey> = touched.iter().filter_map(|entry| entry.event.service()).collect();
    let slots: BTreeSet<B256> = touched.iter().filter_map(|entry| entry.row.slot).collect();
    let namespaces: BTreeSet<NamespaceId> = touched
        .iter()
        .filter(|entry| entry.row.instance.is_none() && entry.row.slot.is_none())
        .filter_map(|entry| entry.row.namespace)
        .collect();

    let cold =
        |entry: &&&Entry| entry.row.instance.is_some() && entry.row.slot.is_none() && entry.event.kind() != "Heartbeat";
    let newest = |of: &mut dyn Iterator<Item = (B256, &Entry)>| {
        let mut newest = BTreeMap::new();
        for (id, entry) in of {
            newest.insert((id, entry.event.kind()), entry.clone());
        }
        newest.into_values().collect::<Vec<_>>()
    };
    let mut last_beats = BTreeMap::new();
    for beat in beats(&mut kept.iter().copied()) {
        last_beats.insert(beat.instance, beat);
    }
    Past {
        instances: newest(
            &mut kept
                .iter()
                .filter(cold)
                .filter_map(|entry| entry.row.instance.filter(|id| instances.contains(id)).map(|id| (id.0, *entry))),
        ),
        heartbeats: last_beats.into_values().filter(|beat| instances.contains(&beat.instance)).collect(),
        rosters: newest(
            &mut kept.iter().filter_map(|entry| {
                entry.event.service().filter(|key| services.contains(key)).map(|key| (key.0, *entry))
            }),
        ),
        namespaces: newest(
            &mut kept
                .iter()
                .filter(|entry| entry.row.instance.is_none() && entry.row.slot.is_none())
                .filter_map(|entry| entry.row.namespace.filter(|id| namespaces.contains(id)).map(|id| (id.0, *entry))),
        ),
        grants: newest(
            &mut kept
                .iter()
                .filter_map(|entry| entry.row.slot.filter(|slot| slots.contains(slot)).map(|slot| (slot, *entry))),
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_reorg_gives_the_state_that_the_remaining_events_give(
        acts in vec(act(), 0..60), cut in any::<prop::sample::Index>(),
    ) {
        let (entries, states) = play(&acts);
        let ancestor = cut.index(states.len()) as u64;
        let gone: Vec<Entry> = entries.iter().filter(|e| e.row.block.number > ancestor).cloned().collect();
        let rebuilt = past(&entries, ancestor, &gone).rebuild();

        // What was not touched stays as the later state has it; what was touched is as rebuilt, or gone.
        let (before, after) = (&states[ancestor as usize], states.last().expect("one state at least"));
        prop_assert!(rebuilt.leases.is_empty());
        for (id, row) in &after.instances {
            let touched = gone.iter().any(|e| {
                (e.row.instance == Some(*id) && e.row.slot.is_none()) || crate::log::heartbeats(e).iter().any(|beat| beat.instance == *id)
            });
            let now = if touched { rebuilt.instances.get(id) } else { Some(row) };
            prop_assert_eq!(now, before.instances.get(id));
        }
        for (key, row) in &after.services {
            let touched = gone.iter().any(|e| e.event.service() == Some(*key));
            let now = if touched { rebuilt.services.get(key) } else { Some(row) };
            prop_assert_eq!(now, before.services.get(key));
        }
        for (id, row) in &after.namespaces {
            let touched =
                gone.iter().any(|e| e.row.namespace == Some(*id) && e.row.instance.is_none() && e.row.slot.is_none());
            let now = if touched { rebuilt.namespaces.get(id) } else { Some(row) };
            prop_assert_eq!(now, before.namespaces.get(id));
        }
        // Of the grants, those that a block above has set go, and what was in their places comes back.
        let mut grants = after.grants.clone();
        grants.retain(|_, row| row.block_number <= ancestor);
        prop_assert!(rebuilt.grants.keys().all(|slot| !grants.contains_key(slot)));
        grants.extend(rebuilt.grants);
        prop_assert_eq!(&grants, &before.grants);
    }

    #[test]
    fn a_batch_with_just_what_it_needs_does_the_same(acts in vec(act(), 0..60), cut in any::<prop::sample::Index>()) {
        let (entries, states) = play(&acts);
        let block = cut.index(states.len()) as u64;
        let (before, batch) = entries.split_at(entries.partition_point(|e| e.row.block.number <= block));
        let mut whole = State::default();
        for e in before {
            prop_assert_eq!(whole.apply(e.row.block.number, e.row.log_index, &e.event), Ok(()));
        }
        let needs = Needs::of(batch.iter().map(|e| &e.event));
        let leases = pick(&whole.instances, &needs.leases).into_iter().map(|(id, row)| (id, row.lease)).collect();
        let mut part = State {
            namespaces: pick(&whole.namespaces, &needs.namespaces),
            services: pick(&whole.services, &needs.services),
            instances: pick(&whole.instances, &needs.instances),
            leases,
            grants: pick(&whole.grants, &needs.endorsements),
        };
        for e in batch {
            prop_assert_eq!(part.apply(e.row.block.number, e.row.log_index, &e.event), Ok(()));
        }
        let last = states.last().expect("one state at least");
        for (id, row) in &part.instances {
            prop_assert_eq!(last.instances.get(id), Some(row));
        }
        for (id, lease) in &part.leases {
            prop_assert_eq!(last.instances.get(id).map(|row| &row.lease), Some(lease));
        }
        for (key, row) in &part.services {
            prop_assert_eq!(last.services.get(key), Some(row));
        }
        for (id, row) in &part.namespaces {
            prop_assert_eq!(last.namespaces.get(id), Some(row));
        }
        for (slot, row) in &part.grants {
            prop_assert_eq!(last.grants.get(slot), Some(row));
        }
    }

    #[test]
    fn a_log_that_is_left_out_is_noticed(acts in vec(act(), 40..60), which in any::<prop::sample::Index>()) {
        let (entries, _) = play(&acts);
        prop_assume!(!entries.is_empty());
        let missing = which.index(entries.len());
        let Some(service) = entries[missing].event.service() else { return Ok(()) };
        prop_assume!(entries[missing + 1..].iter().any(|e| e.event.service() == Some(service)));
        let mut state = State::default();
        let rest = entries.iter().enumerate().filter(|(n, _)| *n != missing);
        let ok = rest.map(|(_, e)| state.apply(e.row.block.number, e.row.log_index, &e.event)).all(|result| result.is_ok());
        prop_assert!(!ok);
    }
}

fn pick<K: Ord + Copy, V: Clone>(all: &BTreeMap<K, V>, keys: &BTreeSet<K>) -> BTreeMap<K, V> {
    keys.iter().filter_map(|key| all.get(key).map(|value| (*key, value.clone()))).collect()
}

#[test]
fn a_heartbeat_of_nobody_or_of_somebody_who_left_does_not_fit() {
    let (_, states) = play(&[Act::Register(0, 1), Act::Deregister(0)]);
    let mut state = states[0].clone();
    let id = record(0, 0).id();
    assert!(matches!(
        state.apply(9, 0, &Event::Heartbeat { id, time: 1 }),
        Err(Misfit::WrongStatus { status: Status::Deregistered, .. })
    ));
    let id = record(1, 0).id();
    assert!(matches!(
        state.apply(9, 0, &Event::HeartbeatBatch { time: 1, ids: vec![id] }),
        Err(Misfit::UnknownInstance { .. })
    ));
    assert_eq!(state, states[0]);
}

#[test]
fn a_batch_that_names_an_instance_twice_is_one_heartbeat_of_it() {
    let id = record(0, 0).id();
    let beats = crate::log::heartbeats(&entry(3, 1, Event::HeartbeatBatch { time: 9, ids: vec![id, id] }));
    assert_eq!(beats, [HeartbeatRow { instance: id, block_number: 3, log_index: 1, time: 9 }]);
}
