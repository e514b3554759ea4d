use std::collections::{BTreeMap, BTreeSet};

use bindings::Event;
use domain::{Address, B256, BlockRef, Bytes, InstanceId, NamespaceId, ServiceKey, Status};
use proptest::{collection::vec, prelude::*};
use store::rows::{EventRow, HeartbeatRow};

use super::{Entry, Misfit, Needs, Past, State};
use acts::{Act, act, emit, record};

mod acts;

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
        time: None,
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

#[test]
fn what_the_contract_would_not_have_emitted_does_not_fit() {
    let (_, states) = play(&[Act::Claim(1), Act::Register(0, 1), Act::Endorse(0, 1, 1)]);
    let state = &states[0];
    let row = &state.instances[&record(0, 0).id()];
    let (id, service, sequence) = (row.id, row.service, state.services[&row.service].sequence + 1);
    let misfit = |event: Event| state.clone().apply(9, 0, &event).expect_err("does not fit");
    let status = |status, epoch, count| Event::StatusSet {
        id,
        service,
        authority: Address::ZERO,
        status,
        epoch,
        sequence,
        count,
        reason: Bytes::new(),
    };
    assert!(matches!(misfit(status(Status::Active, 0, 1)), Misfit::WrongStatus { .. }), "it is active");
    assert!(matches!(misfit(status(Status::Revoked, 0, 0)), Misfit::Epoch { expected: 1, found: 0, .. }));
    assert!(matches!(misfit(status(Status::Suspended, 0, 0)), Misfit::Count { expected: 1, found: 0, .. }));
    let reaped = Event::Reaped { id, service, epoch: 1, sequence: sequence + 1, count: 0 };
    assert!(matches!(misfit(reaped), Misfit::Sequence { .. }));
    let changed = Event::OwnerChanged { id, service, owner: Address::ZERO, epoch: 2, sequence };
    assert!(matches!(misfit(changed), Misfit::Epoch { expected: 1, found: 2, .. }));
    assert!(matches!(misfit(Event::OwnerProposed { id, epoch: 1, account: Address::ZERO }), Misfit::Epoch { .. }));
    let late = Event::SignedHeartbeatBatch { beats: vec![(id, row.lease.last_heartbeat)] };
    assert!(matches!(misfit(late), Misfit::Heartbeat { .. }));
    let topic = domain::Topic(B256::repeat_byte(1));
    let withdrawn = Event::Withdrawn { id, endorser: Address::repeat_byte(2), topic, epoch: 0 };
    assert!(matches!(misfit(withdrawn), Misfit::NotEndorsed { .. }), "about another topic");
    let label = "label-1".to_owned();
    let (namespace, row) = state.namespaces.first_key_value().expect("one");
    let claimed = Event::NamespaceClaimed { namespace: *namespace, owner: Address::ZERO, label };
    assert!(matches!(misfit(claimed), Misfit::Claimed { .. }));
    let open = |namespace, owner| Event::NamespaceOpenSet { namespace, owner, open: true, epoch: 0 };
    assert!(matches!(misfit(open(*namespace, Address::ZERO)), Misfit::NamespaceOwner { .. }));
    assert!(matches!(misfit(open(NamespaceId(B256::repeat_byte(9)), row.owner)), Misfit::Unclaimed { .. }));
    let changed = Event::NamespaceOwnerChanged { namespace: *namespace, owner: Address::ZERO, epoch: 0 };
    assert!(matches!(misfit(changed), Misfit::Epoch { expected: 1, found: 0, .. }));
}
