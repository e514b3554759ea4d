//! Answers as of a block that is final.

use store::query::Delta;

use super::*;
use crate::{
    params::Params,
    routes::instances::{KNOWN, Service},
    wanted::Wanted,
};

const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

/// A block in which instances change, and what the chain then calls safe and finalized.
fn block(world: &mut World, safe: u64, finalized: u64, change: impl Fn(&mut InstanceRow) -> bool) {
    let checkpoint = &mut world.rows.checkpoint;
    checkpoint.head.number += 1;
    checkpoint.head.hash = B256::left_padding_from(&checkpoint.head.number.to_be_bytes());
    checkpoint.head_time += 2;
    checkpoint.heads = Heads { latest: checkpoint.head.number, safe, finalized };
    checkpoint.change_seq += 1;
    let changed = world.rows.instances.iter_mut().filter_map(|row| change(row).then(|| row.clone())).collect();
    let delta = Delta {
        checkpoint: world.rows.checkpoint.clone(),
        namespaces: vec![],
        services: vec![],
        instances: changed,
        leases: vec![],
        grants: Grants::default(),
    };
    assert!(world.state.update(Update::Delta(delta)));
}

fn none(_: &mut InstanceRow) -> bool {
    false
}

async fn as_of(world: &World, consistency: &str) -> (u64, Vec<(String, Value)>) {
    let answer = world.get(&format!("{PATH}?consistency={consistency}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("x-registry-block"), answer.body["block"]["number"].to_string());
    let instances = answer.body["instances"].as_array().expect("a list");
    let shown = |instance: &Value| {
        (instance["label"].as_str().expect("a label").to_owned(), instance["last_heartbeat"].clone())
    };
    (answer.body["block"]["number"].as_u64().expect("a number"), instances.iter().map(shown).collect())
}

fn two() -> World {
    World::with([("payments", "a1", |_| {}), ("payments", "a2", |_| {})])
}

#[tokio::test]
async fn a_gateway_that_was_not_there_says_so() {
    let mut world = two();
    for word in ["safe", "finalized"] {
        let answer = world.get(&format!("{PATH}?consistency={word}")).await;
        assert!(answer.problem(503, "not-yet").contains("from block 100 on"), "{}", answer.body);
        assert_eq!(answer.header("retry-after"), "1");
    }
    block(&mut world, 100, 99, none);
    assert_eq!(as_of(&world, "safe").await.0, 100);
    world.get(&format!("{PATH}?consistency=finalized")).await.problem(503, "not-yet");
    for wrong in ["?consistency=sure", "?consistency=safe&index=1"] {
        world.get(&format!("{PATH}{wrong}")).await.problem(400, "bad-parameter");
    }
}

#[tokio::test]
async fn an_answer_is_as_of_its_block_and_not_only_called_so() {
    let mut world = two();
    let before = as_of(&world, "latest").await.1;
    // 101: a heartbeat of a1. 102: a2 goes. 103: a1 goes. Nothing of it is final.
    block(&mut world, 100, 100, |row| {
        row.lease.last_heartbeat = NOW + 2;
        row.label == "a1"
    });
    block(&mut world, 101, 100, |row| {
        row.lease.status = Status::Deregistered;
        row.label == "a2"
    });
    block(&mut world, 102, 100, |row| row.label == "a1");
    assert_eq!(as_of(&world, "latest").await, (103, vec![]));
    let (safe, instances) = as_of(&world, "safe").await;
    assert_eq!(safe, 102);
    assert_eq!(instances, [("a1".to_owned(), Value::from("2023-11-14T22:13:22Z"))]);
    assert_eq!(as_of(&world, "finalized").await, (100, before));
    // Ten minutes later, leases are still those of the block, at its time.
    for _ in 0..300 {
        block(&mut world, 102, 101, none);
    }
    let (finalized, instances) = as_of(&world, "finalized").await;
    assert_eq!((finalized, instances.len()), (101, 2));
    assert_eq!(instances[0].1, "2023-11-14T22:13:22Z");
    assert_eq!(as_of(&world, "safe").await.1.len(), 1);
}

#[tokio::test]
async fn changes_of_another_index_are_not_put_on_top() {
    let mut world = two();
    block(&mut world, 100, 100, none);
    let delta = |change: fn(&mut Checkpoint)| {
        let mut checkpoint = world.rows.checkpoint.clone();
        checkpoint.head.number += 1;
        change(&mut checkpoint);
        Update::Delta(Delta {
            checkpoint,
            namespaces: vec![],
            services: vec![],
            instances: vec![],
            leases: vec![],
            grants: Grants::default(),
        })
    };
    let others: [fn(&mut Checkpoint); 4] = [
        |checkpoint| checkpoint.writer_epoch += 1,
        |checkpoint| checkpoint.origin.contract = Address::repeat_byte(9),
        |checkpoint| checkpoint.change_seq -= 1,
        |checkpoint| checkpoint.confirmations = 0,
    ];
    for other in others {
        assert!(!world.state.update(delta(other)));
        assert_eq!(world.get(PATH).await.header("x-registry-block"), "101");
    }
    assert!(world.state.update(delta(|_| ())));
    assert_eq!(world.get(PATH).await.header("x-registry-block"), "102");
}

#[tokio::test]
async fn a_reorg_does_not_touch_what_is_final() {
    let mut world = two();
    block(&mut world, 100, 100, |row| {
        row.lease.last_heartbeat = NOW + 2;
        row.label == "a1"
    });
    let final_state = as_of(&world, "finalized").await;
    block(&mut world, 101, 101, none);
    let safe_state = as_of(&world, "safe").await;
    for _ in 0..5 {
        block(&mut world, 103, 101, |row| {
            row.lease.status = Status::Suspended;
            row.label == "a2"
        });
    }
    // Taken back to 102, and another branch of three blocks, read as a whole.
    world.rows.instances[1].lease.status = Status::Active;
    world.rows.instances[0].lease.status = Status::Deregistered;
    world.rows.checkpoint.head = BlockRef { number: 105, hash: B256::repeat_byte(0x99) };
    world.rows.checkpoint.heads = Heads { latest: 105, safe: 103, finalized: 101 };
    world.load();
    assert_eq!(as_of(&world, "latest").await.1.len(), 1);
    assert_eq!(as_of(&world, "finalized").await, safe_state);
    assert_eq!(as_of(&world, "safe").await, safe_state, "the newest that is known to be of this branch");
    assert_eq!(final_state.1.len(), 2);
}

#[tokio::test]
async fn an_answer_as_of_a_block_is_made_once() {
    let mut world = two();
    block(&mut world, 100, 100, |row| row.label == "a1");
    let service = Service::parse("acme", "payments").expect("a service");
    let found = |world: &World, query: &str| {
        let params = Params::parse(Some(query), &KNOWN).expect("parameters");
        Wanted::from_params(&params).expect("a question").answer(&world.state, &service).expect("an answer").ready
    };
    let queries = ["consistency=safe", "consistency=finalized", "consistency=safe&health=all"];
    let kept = queries.map(|query| found(&world, query));
    block(&mut world, 100, 100, |row| row.label == "a2");
    for (query, kept) in queries.iter().zip(&kept) {
        assert!(Arc::ptr_eq(&found(&world, query), kept), "{query}");
    }
    assert!(!Arc::ptr_eq(&found(&world, "consistency=safe&tag=blue"), &kept[0]));
    // Another block that is safe, or another mode, and it is another one.
    block(&mut world, 101, 100, none);
    assert!(!Arc::ptr_eq(&found(&world, queries[0]), &kept[0]));
    assert!(Arc::ptr_eq(&found(&world, queries[1]), &kept[1]));
    world.clock.advance(Duration::from_secs(10));
    assert!(!Arc::ptr_eq(&found(&world, queries[1]), &kept[1]));
    let answer = world.get(&format!("{PATH}?consistency=finalized")).await;
    assert_eq!((answer.header("x-registry-mode"), &answer.body["mode"]), ("stale", &"stale".into()));
}
