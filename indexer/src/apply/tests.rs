use std::collections::{BTreeMap, BTreeSet};

use bindings::Event;
use domain::{Address, B256, BlockRef, Bytes, InstanceId, Namespace, NamespaceId, Record, ServiceKey, Status};
use proptest::{collection::vec, prelude::*};
use store::rows::{EventRow, HeartbeatRow};

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
    NextBlock,
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0u8..6;
    prop_oneof![
        1 => who.clone().prop_map(Act::Claim),
        3 => (who.clone(), any::<u8>()).prop_map(|(i, v)| Act::Register(i, v)),
        3 => (who.clone(), any::<u8>()).prop_map(|(i, v)| Act::Update(i, v)),
        2 => who.clone().prop_map(Act::Deregister),
        3 => who.clone().prop_map(Act::Heartbeat),
        2 => vec(who, 1..8).prop_map(Act::Batch),
        4 => Just(Act::NextBlock),
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
    let roster = |service: ServiceKey| state.services.get(&service).map_or((0, 0), |row| (row.sequence, row.count));
    match act {
        Act::NextBlock => None,
        Act::Claim(i) => {
            let label = format!("label-{i}");
            let namespace = Namespace::Label(label.clone()).id();
            let free = !state.namespaces.contains_key(&namespace);
            free.then_some(Event::NamespaceClaimed { namespace, owner: Address::ZERO, label })
        }
        Act::Register(i, version) => {
            let record = record(*i, *version);
            let (sequence, count) = roster(record.service());
            listed(*i).is_none().then(|| Event::Registered {
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
        Act::Deregister(i) => listed(*i).map(|row| Event::Deregistered {
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
            state.apply(block, &event).expect("what the contract emits fits");
            entries.push(entry(block, log_index, event));
            log_index += 1;
        }
    }
    states.push(state);
    (entries, states)
}

fn entry(number: u64, log_index: u64, event: Event) -> Entry {
    let row = EventRow {
        block: BlockRef { number, hash: B256::ZERO },
        log_index,
        tx_hash: B256::ZERO,
        kind: event.kind().to_owned(),
        instance: event.instance(),
        namespace: event.namespace(),
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
        .filter_map(|entry| entry.row.instance)
        .chain(beats(&mut touched.iter()).into_iter().map(|beat| beat.instance))
        .collect();
    let services: BTreeSet<ServiceKey> = touched.iter().filter_map(|entry| entry.event.service()).collect();
    let namespaces: BTreeSet<NamespaceId> =
        touched.iter().filter(|entry| entry.row.instance.is_none()).filter_map(|entry| entry.row.namespace).collect();

    let cold = |entry: &&&Entry| entry.row.instance.is_some() && entry.event.kind() != "Heartbeat";
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
                .filter(|entry| entry.row.instance.is_none())
                .filter_map(|entry| entry.row.namespace.filter(|id| namespaces.contains(id)).map(|id| (id.0, *entry))),
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
                e.row.instance == Some(*id) || crate::log::heartbeats(e).iter().any(|beat| beat.instance == *id)
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
            let touched = gone.iter().any(|e| e.row.namespace == Some(*id));
            let now = if touched { rebuilt.namespaces.get(id) } else { Some(row) };
            prop_assert_eq!(now, before.namespaces.get(id));
        }
    }

    #[test]
    fn a_batch_with_just_what_it_needs_does_the_same(acts in vec(act(), 0..60), cut in any::<prop::sample::Index>()) {
        let (entries, states) = play(&acts);
        let block = cut.index(states.len()) as u64;
        let (before, batch) = entries.split_at(entries.partition_point(|e| e.row.block.number <= block));
        let mut whole = State::default();
        for e in before {
            prop_assert_eq!(whole.apply(e.row.block.number, &e.event), Ok(()));
        }
        let needs = Needs::of(batch.iter().map(|e| &e.event));
        let leases = pick(&whole.instances, &needs.leases).into_iter().map(|(id, row)| (id, row.lease)).collect();
        let mut part = State {
            namespaces: BTreeMap::new(),
            services: pick(&whole.services, &needs.services),
            instances: pick(&whole.instances, &needs.instances),
            leases,
        };
        for e in batch {
            prop_assert_eq!(part.apply(e.row.block.number, &e.event), Ok(()));
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
        let ok = rest.map(|(_, e)| state.apply(e.row.block.number, &e.event)).all(|result| result.is_ok());
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
        state.apply(9, &Event::Heartbeat { id, time: 1 }),
        Err(Misfit::WrongStatus { status: Status::Deregistered, .. })
    ));
    let id = record(1, 0).id();
    assert!(matches!(
        state.apply(9, &Event::HeartbeatBatch { time: 1, ids: vec![id] }),
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
