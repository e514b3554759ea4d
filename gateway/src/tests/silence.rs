//! Heartbeats that do not come: of one, of many, of all.

use super::*;

/// Ten instances that sent heartbeats every 10 s for a while.
fn steady() -> World {
    let labels = ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"];
    let mut world = World::new();
    labels.iter().for_each(|label| world.add(acme(), "payments", label, |_| {}));
    world.load();
    for _ in 0..6 {
        beat(&mut world, |_| true);
        pass(&mut world, 10);
    }
    world
}

/// Those send a heartbeat that comes with the next block.
fn beat(world: &mut World, who: impl Fn(&str) -> bool) {
    let time = world.rows.checkpoint.head_time;
    for row in world.rows.instances.iter_mut().filter(|row| who(&row.label)) {
        row.lease.last_heartbeat = time;
    }
}

/// A block every 2 s.
fn pass(world: &mut World, seconds: u64) {
    for _ in 0..seconds / 2 {
        world.rows.checkpoint.change_seq += 1;
        world.pass(2);
    }
}

async fn mode(world: &World) -> String {
    let answer = world.get("/v1/namespaces/acme/services/payments/instances").await;
    assert_eq!(answer.body["mode"], answer.header("x-registry-mode"));
    answer.header("x-registry-mode").to_owned()
}

#[tokio::test]
async fn one_that_dies_alone_goes_with_its_lease() {
    let mut world = steady();
    for _ in 0..2 {
        beat(&mut world, |label| label != "a3");
        pass(&mut world, 10);
        assert_eq!(world.labels("").await.len(), 10);
    }
    beat(&mut world, |label| label != "a3");
    pass(&mut world, 2);
    assert_eq!(world.labels("").await.len(), 9);
    assert_eq!(mode(&world).await, "normal");
}

#[tokio::test]
async fn when_most_heartbeats_are_lost_nobody_goes_before_three_ttls_and_the_mode_ends() {
    let mut world = steady();
    // The last heartbeat of the others was 10 s ago.
    for second in (10..90).step_by(10) {
        beat(&mut world, |label| label == "a9");
        assert_eq!(world.labels("").await.len(), 10, "{second} s after the last heartbeats");
        assert_eq!(mode(&world).await, if second > 30 { "preserved" } else { "normal" }, "after {second} s");
        pass(&mut world, 10);
    }
    let answer = world.get("/v1/namespaces/acme/services/payments/instances").await;
    let instances = answer.body["instances"].as_array().expect("a list");
    assert_eq!((&instances[0]["label"], &instances[0]["observed"]["suspect"]), (&"a9".into(), &false.into()));
    for suspect in &instances[1..] {
        assert_eq!((&suspect["observed"]["suspect"], &suspect["live"]), (&true.into(), &false.into()));
        assert!(suspect["observed"]["phi"].as_f64().expect("phi") > 8.0, "{suspect}");
    }
    let query = r#"{"service_name":"acme/payments"}"#;
    let found = world.post("/v1/discovery/services", query).await;
    assert_eq!(found.body["instances"][1]["health_status"], "suspect");
    assert_eq!((&found.body["mode"], found.header("x-registry-mode")), (&"preserved".into(), "preserved"));

    beat(&mut world, |label| label == "a9");
    pass(&mut world, 2);
    assert_eq!(world.labels("").await, ["a9"], "three ttls are over");
    assert_eq!(mode(&world).await, "normal");
}

#[tokio::test]
async fn those_who_come_back_end_the_mode_and_whoever_does_not_is_gone() {
    let mut world = steady();
    pass(&mut world, 30);
    assert_eq!((world.labels("").await.len(), mode(&world).await.as_str()), (10, "preserved"));
    beat(&mut world, |label| label != "a3");
    pass(&mut world, 2);
    assert_eq!((world.labels("").await.len(), mode(&world).await.as_str()), (9, "normal"));
}

#[tokio::test]
async fn those_who_deregister_are_not_missed() {
    let mut world = steady();
    for row in &mut world.rows.instances[..8] {
        row.lease.status = Status::Deregistered;
    }
    for _ in 0..6 {
        beat(&mut world, |_| true);
        pass(&mut world, 10);
        assert_eq!((world.labels("").await.len(), mode(&world).await.as_str()), (2, "normal"));
    }
}

#[tokio::test]
async fn a_chain_that_halts_loses_nobody_and_says_so() {
    let mut world = steady();
    assert_eq!(mode(&world).await, "normal");
    // The node answers, and has no new block.
    for second in 1..=600 {
        world.clock.advance(Duration::from_secs(1));
        world.poll(true);
        assert_eq!(world.labels("").await.len(), 10);
        let expected = if second >= 15 { "preserved" } else { "normal" };
        assert_eq!(mode(&world).await, expected, "after {second} s");
    }
    // The first block is later by ten minutes than the one before.
    world.rows.checkpoint.head_time += 600;
    pass(&mut world, 2);
    assert_eq!(mode(&world).await, "preserved", "their leases have run out");
    assert_eq!(world.labels("").await.len(), 10, "nobody could send a heartbeat meanwhile");
    for _ in 0..2 {
        pass(&mut world, 10);
        beat(&mut world, |label| label != "a3");
    }
    pass(&mut world, 8);
    assert_eq!(world.labels("").await.len(), 10, "a ttl is not over");
    pass(&mut world, 4);
    assert_eq!(world.labels("").await.len(), 9, "who is dead goes");
    assert_eq!(mode(&world).await, "normal");
}

#[tokio::test]
async fn an_indexer_that_catches_up_gives_nobody_grace() {
    let mut world = steady();
    world.clock.advance(Duration::from_secs(600));
    world.poll(false);
    assert_eq!(mode(&world).await, "preserved");
    // 300 blocks at once, in which all but one sent their heartbeats.
    world.rows.checkpoint.head_time += 600;
    world.rows.checkpoint.head.number += 300;
    beat(&mut world, |label| label != "a3");
    world.poll(true);
    assert_eq!((world.labels("").await.len(), mode(&world).await.as_str()), (9, "normal"));
}

/// Those rows, on a gateway that has just started.
fn restarted(world: World) -> World {
    let world = World { state: AppState::new(world.clock.clone()), ..world };
    world.load();
    world
}

#[tokio::test]
async fn a_gateway_that_starts_while_the_chain_stands_gives_the_same_grace() {
    let world = steady();
    // By the time it starts, nobody can tell for how long the head has been the head.
    world.clock.advance(Duration::from_secs(590));
    let mut world = restarted(world);
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(1));
        world.poll(true);
        assert_eq!(world.labels("").await.len(), 10);
    }
    world.rows.checkpoint.head_time += 600;
    pass(&mut world, 2);
    assert_eq!((world.labels("").await.len(), mode(&world).await.as_str()), (10, "preserved"));
    beat(&mut world, |label| label != "a3");
    pass(&mut world, 30);
    assert_eq!(world.labels("").await.len(), 10, "a ttl is not over");
    beat(&mut world, |label| label != "a3");
    pass(&mut world, 2);
    assert_eq!((world.labels("").await.len(), mode(&world).await.as_str()), (9, "normal"));
}

#[tokio::test]
async fn a_chain_that_stops_while_the_database_is_away_gives_the_same_grace() {
    let mut world = steady();
    world.clock.advance(Duration::from_secs(600));
    // Meanwhile came a block, and then none.
    world.pass(0);
    world.rows.checkpoint.head_time += 600;
    pass(&mut world, 2);
    assert_eq!((world.labels("").await.len(), mode(&world).await.as_str()), (10, "preserved"));
}

#[tokio::test]
async fn a_gateway_that_starts_gives_no_grace_for_blocks_that_it_did_not_see() {
    let world = steady();
    world.clock.advance(Duration::from_secs(600));
    let mut world = restarted(world);
    world.rows.checkpoint.head_time += 600;
    world.rows.checkpoint.head.number += 300;
    beat(&mut world, |label| label != "a3");
    world.poll(true);
    assert_eq!((world.labels("").await.len(), mode(&world).await.as_str()), (9, "normal"));
}

#[tokio::test]
async fn where_blocks_are_minutes_apart_the_silent_go_all_the_same() {
    let long = |row: &mut InstanceRow| row.lease.ttl = 300;
    let mut world = World::with([("payments", "a1", long), ("payments", "a2", long)]);
    for _ in 0..20 {
        world.rows.checkpoint.head_time += 120;
        beat(&mut world, |label| label == "a1");
        world.rows.checkpoint.head_time -= 120;
        world.rows.checkpoint.change_seq += 1;
        world.pass(120);
    }
    assert_eq!(world.labels("").await, ["a1"]);
    assert_eq!(mode(&world).await, "normal");
    // Nor is it a standstill if the next block takes a bit longer.
    world.clock.advance(Duration::from_secs(200));
    world.poll(true);
    assert_eq!(mode(&world).await, "normal");
}
