use std::collections::BTreeMap;

use bindings::Event;
use domain::{Address, B256, BlockRef, Bytes, InstanceId, Lease, Record, ServiceKey, Status};
use proptest::{collection::vec, prelude::*};
use store::rows::{DAY, EventRow, UptimeRow};

use super::Uptimes;
use crate::apply::Entry;

const FIRST: u64 = 20_000;

/// What happens in a block.
#[derive(Debug, Clone)]
enum Act {
    Register(u8, u32),
    Update(u8, u32),
    End(u8, Status),
    Beat(u8),
    Batch(Vec<u8>),
    /// Signed so many seconds before.
    Signed(u8, u64),
    Transfer(u8),
}

fn id(n: u8) -> InstanceId {
    InstanceId(B256::repeat_byte(n + 1))
}

fn event(act: &Act, time: u64) -> Event {
    let (service, sequence, count, epoch) = (ServiceKey(B256::ZERO), 0, 0, 0);
    match act {
        Act::Register(n, ttl) => Event::Registered {
            id: id(*n),
            service,
            record: Record {
                namespace: domain::NamespaceId(B256::ZERO),
                name: String::new(),
                label: String::new(),
                registrant: Address::ZERO,
                version: String::new(),
                endpoints: Vec::new(),
                metadata: Bytes::new(),
            },
            ttl: *ttl,
            time,
            epoch,
            sequence,
            count,
            prev_record_hash: B256::ZERO,
        },
        Act::Update(n, ttl) => Event::Updated {
            id: id(*n),
            service,
            version: String::new(),
            endpoints: Vec::new(),
            metadata: Bytes::new(),
            ttl: *ttl,
            sequence,
            prev_record_hash: B256::ZERO,
        },
        Act::End(n, Status::Deregistered) => Event::Deregistered { id: id(*n), service, epoch, sequence, count },
        Act::End(n, Status::Reaped) => Event::Reaped { id: id(*n), service, epoch, sequence, count },
        Act::End(n, status) => Event::StatusSet {
            id: id(*n),
            service,
            authority: Address::ZERO,
            status: *status,
            epoch,
            sequence,
            count,
            reason: Bytes::new(),
        },
        Act::Beat(n) => Event::Heartbeat { id: id(*n), time },
        Act::Batch(all) => Event::HeartbeatBatch { time, ids: all.iter().map(|n| id(*n)).collect() },
        Act::Signed(n, before) => Event::SignedHeartbeatBatch {
            beats: vec![(id(*n), time.saturating_sub(before + 1)), (id(*n), time.saturating_sub(*before))],
        },
        Act::Transfer(n) => {
            Event::OwnerChanged { id: id(*n), service, owner: Address::repeat_byte(9), epoch, sequence }
        }
    }
}

fn entry(act: &Act, time: u64) -> Entry {
    let event = event(act, time);
    let row = EventRow {
        contract: Address::ZERO,
        block: BlockRef { number: time, hash: B256::ZERO },
        log_index: 0,
        tx_hash: B256::ZERO,
        kind: event.kind().to_owned(),
        instance: event.instance(),
        namespace: None,
        slot: None,
        topics: Vec::new(),
        data: Bytes::new(),
        time: Some(time),
    };
    Entry { row, event }
}

/// Second by second, what a reader is told: [`Lease::is_live`].
fn model(blocks: &BTreeMap<u64, Vec<Act>>, days: u64) -> Vec<UptimeRow> {
    let mut leases: BTreeMap<InstanceId, Lease> = BTreeMap::new();
    let mut rows = Vec::new();
    for day in FIRST..FIRST + days {
        let mut of_day: BTreeMap<InstanceId, (u32, u64)> = BTreeMap::new();
        for now in day * DAY..(day + 1) * DAY {
            for act in blocks.get(&now).into_iter().flatten() {
                let entry = entry(act, now);
                let mut set = |id: &InstanceId, set: &dyn Fn(&mut Lease)| leases.get_mut(id).map(set).is_some();
                match &entry.event {
                    Event::Registered { id, ttl, .. } => {
                        let (owner, status) = (Address::ZERO, Status::Active);
                        leases.insert(*id, Lease { owner, last_heartbeat: now, ttl: *ttl, status, epoch: 0 });
                    }
                    Event::Updated { id, ttl, .. } => drop(set(id, &|lease| lease.ttl = *ttl)),
                    Event::StatusSet { id, status, .. } => drop(set(id, &|lease| lease.status = *status)),
                    Event::Deregistered { id, .. } => drop(set(id, &|lease| lease.status = Status::Deregistered)),
                    Event::Reaped { id, .. } => drop(set(id, &|lease| lease.status = Status::Reaped)),
                    Event::OwnerChanged { id, owner, .. } => drop(set(id, &|lease| lease.owner = *owner)),
                    _ => {
                        for beat in crate::log::heartbeats(&entry) {
                            if set(&beat.instance, &|lease| lease.last_heartbeat = beat.time) {
                                of_day.entry(beat.instance).or_default().1 += 1;
                            }
                        }
                    }
                }
            }
            for (id, lease) in &leases {
                of_day.entry(*id).or_default().0 += u32::from(lease.is_live(now));
            }
        }
        let row = |(instance, (seconds_up, heartbeats))| UptimeRow { day, instance, seconds_up, heartbeats };
        rows.extend(of_day.into_iter().filter(|(_, counts)| *counts != (0, 0)).map(row));
    }
    rows
}

fn play(blocks: &BTreeMap<u64, Vec<Act>>, days: u64) -> Vec<UptimeRow> {
    let mut uptimes = Uptimes::new(0, []);
    let mut rows = Vec::new();
    for (time, acts) in blocks {
        rows.extend(uptimes.until(*time));
        acts.iter().for_each(|act| uptimes.act(*time, &entry(act, *time)));
    }
    rows.extend(uptimes.until((FIRST + days) * DAY));
    rows
}

fn acts() -> impl Strategy<Value = Act> {
    let who = || 0..3_u8;
    let ttl = || prop_oneof![5..60_u32, 80_000..200_000_u32];
    let status = prop_oneof![
        Just(Status::Active),
        Just(Status::Suspended),
        Just(Status::Deregistered),
        Just(Status::Revoked),
        Just(Status::Reaped),
    ];
    prop_oneof![
        3 => (who(), ttl()).prop_map(|(n, ttl)| Act::Register(n, ttl)),
        1 => (who(), ttl()).prop_map(|(n, ttl)| Act::Update(n, ttl)),
        2 => (who(), status).prop_map(|(n, status)| Act::End(n, status)),
        3 => who().prop_map(Act::Beat),
        1 => vec(who(), 1..4).prop_map(Act::Batch),
        2 => (who(), prop_oneof![0..90_u64, 0..100_000_u64]).prop_map(|(n, before)| Act::Signed(n, before)),
        1 => who().prop_map(Act::Transfer),
    ]
}

/// Often right at the end of a day.
fn time() -> impl Strategy<Value = u64> {
    let second = prop_oneof![0..DAY, 0..3_u64, DAY - 3..DAY];
    (0..3_u64, second).prop_map(|(day, second)| (FIRST + day) * DAY + second)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn uptimes_are_what_a_reader_was_told_each_second(
        blocks in proptest::collection::btree_map(time(), vec(acts(), 1..4), 0..14),
    ) {
        prop_assert_eq!(play(&blocks, 4), model(&blocks, 4));
    }

    /// Ended at any moments, and begun again from what was kept of a day's end.
    #[test]
    fn a_fold_that_is_interrupted_at_the_end_of_a_day_gives_the_same(
        blocks in proptest::collection::btree_map(time(), vec(acts(), 1..4), 0..14),
    ) {
        let mut kept = BTreeMap::new();
        let mut rows = Vec::new();
        for day in FIRST..FIRST + 4 {
            let mut uptimes = Uptimes::new(day, kept.values().copied());
            for (time, acts) in blocks.range(day * DAY..(day + 1) * DAY) {
                prop_assert!(uptimes.until(*time).is_empty());
                acts.iter().for_each(|act| uptimes.act(*time, &entry(act, *time)));
            }
            rows.extend(uptimes.until((day + 1) * DAY));
            kept.extend(uptimes.changed().into_iter().map(|lease| (lease.instance, lease)));
            prop_assert_eq!(uptimes.leases().collect::<Vec<_>>(), kept.values().copied().collect::<Vec<_>>());
        }
        prop_assert_eq!(rows, play(&blocks, 4));
    }
}

#[test]
fn a_lease_reaches_into_the_next_day_and_a_late_heartbeat_does_not_reach_back() {
    let end = (FIRST + 1) * DAY;
    let registered = BTreeMap::from([(end - 10, vec![Act::Register(0, 30)])]);
    let row = |day, seconds_up, heartbeats| UptimeRow { day, instance: id(0), seconds_up, heartbeats };
    // The last second of the ttl counts too: 31 in all.
    assert_eq!(play(&registered, 3), [row(FIRST, 10, 0), row(FIRST + 1, 21, 0)]);
    let late = BTreeMap::from([(end - 10, vec![Act::Register(0, 5)]), (end + 100, vec![Act::Signed(0, 20)])]);
    // Expired after 6 seconds; the heartbeat of 20 seconds ago comes when its lease is over: it came, and that is all.
    assert_eq!(play(&late, 3), [row(FIRST, 6, 0), row(FIRST + 1, 0, 1)]);
}

#[test]
fn time_may_leap() {
    let blocks =
        BTreeMap::from([(5, vec![Act::Register(0, 100_000)]), (u64::from(u32::MAX) * DAY, vec![Act::Beat(0)])]);
    let rows = play(&blocks, 1);
    assert_eq!(rows.iter().map(|row| (row.day, row.seconds_up)).collect::<Vec<_>>(), [(0, 86_395), (1, 13_606)]);
}
