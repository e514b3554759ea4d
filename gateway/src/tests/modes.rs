//! The bad days: no index, a chain that stands, an indexer that lags, a database that is gone.

use domain::ChainTime;

use super::*;
use crate::feed::FeedError;

const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

fn world() -> World {
    World::with([("payments", "a1", |_| {})])
}

async fn mode(world: &World) -> String {
    let answer = world.get(PATH).await;
    assert_eq!(answer.body["mode"], answer.header("x-registry-mode"));
    answer.header("x-registry-mode").to_owned()
}

#[tokio::test]
async fn without_an_index_nothing_is_answered_but_why() {
    let state = AppState::new(ManualClock::new());
    let rows = World::new().rows;
    let clock = ManualClock::new();
    let access = access::open(clock.clone());
    let world = World { clock, state, access, rows };
    for path in ["/v1/services", PATH, &format!("/v1/instances/{}", B256::ZERO), "/readyz"] {
        let answer = world.get(path).await;
        assert!(answer.problem(503, "not-ready").contains("not been read yet"));
        assert_eq!(answer.header("retry-after"), "1");
    }
    world.state.fault(&FeedError::Store(store::StoreError::NoIndex));
    assert!(world.get("/readyz").await.problem(503, "not-ready").contains("rollcall indexer"));
    // What the database itself says is for the log.
    let secret = crate::Histories::new("postgres://db.internal:port/x").expect_err("no URL");
    world.state.fault(&FeedError::Store(secret));
    assert!(world.get("/readyz").await.problem(503, "not-ready").ends_with("the database does not answer"));

    assert_eq!(world.get("/livez").await.status, 200);
    let health = world.get("/v1/discovery/health").await;
    assert_eq!(health.status, 503);
    assert_eq!(health.body["status"], "unavailable");
    assert_eq!(health.body["metrics"]["indexed_block"], Value::Null);
    assert!(health.body["metrics"]["problem"].as_str().expect("a reason").contains("does not answer"));
    serde_json::from_value::<api::DiscoveryHealth>(health.body).expect("the client reads it");
    assert!(world.metrics().contains("rollcall_gateway_ready 0"));
}

#[tokio::test]
async fn an_indexer_that_is_silent_stops_time_and_not_the_service() {
    let mut world = world();
    world.clock.advance(ChainTime::MAX_AHEAD - Duration::from_millis(1));
    world.poll(false);
    assert_eq!(mode(&world).await, "normal");
    world.clock.advance(Duration::from_millis(1));
    world.poll(false);
    assert_eq!(mode(&world).await, "preserved");
    assert_eq!(world.get("/readyz").await.status, 200);
    assert_eq!(world.get("/v1/discovery/health").await.body["status"], "degraded");
    for _ in 0..100 {
        world.clock.advance(Duration::from_secs(60));
        world.poll(false);
    }
    let answer = world.get(PATH).await;
    assert_eq!(answer.body["instances"][0]["live"], true);
    assert_eq!(world.get("/v1/services").await.body["now"], "2023-11-14T22:13:23Z");
    assert_eq!(answer.header("x-registry-head-age"), "6003");
    assert_eq!(answer.header("cache-control"), "public, max-age=1");

    // Now the node answers, and the chain still stands.
    world.poll(true);
    assert_eq!(mode(&world).await, "preserved");
    world.pass(1);
    assert_eq!(mode(&world).await, "normal");
}

#[tokio::test]
async fn a_confirmation_without_a_block_keeps_the_mode_normal() {
    let mut world = world();
    for _ in 0..30 {
        world.clock.advance(Duration::from_secs(1));
        world.poll(true);
        assert_eq!(mode(&world).await, "normal");
    }
}

#[tokio::test]
async fn a_confirmation_without_a_block_does_not_bring_back_who_is_gone() {
    let mut world = World::with([("payments", "a1", |row| row.lease.last_heartbeat = NOW - 30)]);
    assert_eq!(world.labels("").await, ["a1"]);
    world.clock.advance(Duration::from_secs(1));
    assert!(world.labels("").await.is_empty());
    world.poll(true);
    assert!(world.labels("").await.is_empty());
    // Not ahead without end: a chain without blocks keeps everybody else.
    for _ in 0..100 {
        world.clock.advance(Duration::from_secs(2));
        world.poll(true);
    }
    assert_eq!(world.get("/v1/services").await.body["now"], "2023-11-14T22:13:22Z");
    // A block is what the chain says.
    world.rows.checkpoint.head.number += 1;
    world.poll(true);
    assert_eq!(world.labels("").await, ["a1"]);
}

#[tokio::test]
async fn an_indexer_that_lags_is_not_taken_for_one_that_follows() {
    let mut world = world();
    world.rows.checkpoint.heads.latest = 1_000;
    for block in 101..120 {
        world.clock.advance(Duration::from_secs(1));
        world.rows.checkpoint.head.number = block;
        world.poll(false);
    }
    assert_eq!(mode(&world).await, "preserved");
    assert_eq!(world.get("/v1/discovery/health").await.body["metrics"]["lag_blocks"], 881);
}

#[tokio::test]
async fn a_database_that_is_gone_makes_answers_stale_and_keeps_them() {
    let mut world = world();
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(mode(&world).await, "normal");
    world.clock.advance(Duration::from_millis(1_001));
    world.state.fault(&FeedError::Silent(Duration::from_secs(3)));
    assert_eq!(mode(&world).await, "stale");
    assert_eq!(world.get(PATH).await.body["instances"][0]["label"], "a1");
    assert!(world.get("/readyz").await.problem(503, "not-ready").contains("from memory"));
    assert_eq!(world.get("/v1/discovery/health").await.body["status"], "degraded");
    world.clock.advance(Duration::from_secs(3_600));
    assert_eq!(world.labels("").await, ["a1"]);
    world.pass(1);
    assert_eq!(mode(&world).await, "normal");
    assert_eq!(world.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn a_problem_of_the_indexer_is_told() {
    let mut world = world();
    world.rows.checkpoint.problem = Some("https://rpc.example/v2/KEY says no".into());
    world.load();
    let ready = world.get("/readyz").await;
    let ready = ready.problem(503, "not-ready");
    assert!(ready.contains("the indexer reports a problem") && !ready.contains("KEY"), "{ready}");
    let health = world.get("/v1/discovery/health").await;
    assert!(!health.body.to_string().contains("KEY"), "{}", health.body);
    assert_eq!((health.status, &health.body["status"]), (StatusCode::OK, &"degraded".into()));
    assert_eq!(world.labels("").await, ["a1"]);
}

#[tokio::test]
async fn an_index_that_is_being_filled_is_not_served() {
    let mut world = World::new();
    let filled = world.rows.clone();
    world.state = AppState::new(world.clock.clone());
    world.rows.checkpoint.confirmations = 0;
    world.rows.checkpoint.heads.latest = 150;
    world.load();
    assert!(world.get("/v1/services").await.problem(503, "not-ready").contains("50 blocks to go"));
    world.get("/readyz").await.problem(503, "not-ready");
    world.rows.checkpoint.confirmations = 1;
    world.load();
    assert_eq!(world.get("/v1/services").await.status, 200);

    // One that is filled anew does not replace a full one; the index of another contract does.
    let mut anew = Snapshot { namespaces: vec![], ..filled };
    anew.checkpoint.confirmations = 0;
    assert!(!world.state.update(Update::Snapshot(anew.clone())));
    assert_eq!(world.get("/v1/services").await.status, 200);
    anew.checkpoint.origin.contract = Address::repeat_byte(9);
    assert!(world.state.update(Update::Snapshot(anew)));
    assert_eq!(world.get("/v1/services").await.status, 503);
}

#[tokio::test]
async fn a_feed_that_hangs_is_not_alive() {
    let world = World::new();
    world.clock.advance(Duration::from_secs(181));
    world.get("/livez").await.problem(503, "not-ready");
    world.state.tick();
    assert_eq!(world.get("/livez").await.body["status"], "alive");
}

#[tokio::test]
async fn metrics_count_by_route_and_not_by_what_strangers_send() {
    let world = world();
    world.get(PATH).await;
    world.get("/v1/namespaces/acme/services/other/instances").await;
    world.get("/nonsense").await;
    let request = Request::builder().method("EVIL").uri("/v1/services").body(Body::empty()).expect("a request");
    world.send(request).await;
    let text = world.metrics();
    let route = "route=\"/v1/namespaces/{ns}/services/{name}/instances\"";
    assert!(
        text.contains(&format!("rollcall_gateway_requests_total{{{route},method=\"GET\",status=\"200\"}} 1")),
        "{text}"
    );
    assert!(text.contains("route=\"none\",method=\"GET\",status=\"404\""), "{text}");
    assert!(text.contains("method=\"other\",status=\"405\""), "{text}");
    assert!(text.contains("rollcall_gateway_live_instances 1"), "{text}");
    assert!(text.contains("rollcall_gateway_mode{mode=\"normal\"} 1"), "{text}");
    assert!(!text.contains("nonsense") && !text.contains("EVIL"), "{text}");
    assert!(!World::new().metrics().contains("requests_total"), "metrics are not shared");
}

#[tokio::test]
async fn a_block_brings_back_who_went_ahead_of_it_also_after_a_whole_read() {
    let mut world = World::with([("payments", "a1", |row| row.lease.last_heartbeat = NOW - 30)]);
    world.clock.advance(Duration::from_secs(1));
    assert!(world.labels("").await.is_empty());
    // Read as a whole, also by one that starts.
    world.poll(false);
    assert!(world.labels("").await.is_empty());
    let mut checkpoint = world.rows.checkpoint.clone();
    checkpoint.head.number += 1;
    let delta = store::query::Delta {
        checkpoint,
        namespaces: vec![],
        services: vec![],
        instances: vec![],
        leases: vec![],
        grants: Grants::default(),
    };
    // It has the time of the one before.
    assert!(world.state.update(Update::Delta(delta)));
    assert_eq!(world.labels("").await, ["a1"]);
}
