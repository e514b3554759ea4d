//! Blocking queries, and watches.

use std::pin::pin;

use axum::body::BodyDataStream;
use futures::{FutureExt, StreamExt};

use super::*;

const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

/// Two services.
fn world() -> World {
    World::with([("payments", "a1", |_| {}), ("payments", "a2", |_| {}), ("search", "s1", |_| {})])
}

/// A block with a heartbeat of each instance of a service.
fn beat(world: &mut World, service: &str) {
    let key = ServiceKey::new(acme().id(), service);
    for row in world.rows.instances.iter_mut().filter(|row| row.service == key) {
        row.lease.last_heartbeat += 1;
    }
    world.rows.checkpoint.change_seq += 1;
    world.pass(1);
}

fn index(answer: &Answer) -> u64 {
    answer.header("x-registry-index").parse().expect("a number")
}

#[expect(clippy::disallowed_methods, reason = "the test's runtime holds this clock, and moves it when all wait")]
fn started() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Lets everything that can go on go on.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocking_query_waits_for_its_own_service() {
    let mut world = world();
    let routes = world.routes();
    let first = world.get(PATH).await;
    let path = format!("{PATH}?index={}&wait=5m", index(&first));
    let request = Request::get(&path).body(Body::empty()).expect("a request");
    let mut waiting = tokio::spawn(async move { routes.oneshot(request).await.expect("an answer") });
    settle().await;
    for _ in 0..5 {
        beat(&mut world, "search");
        settle().await;
        assert!((&mut waiting).now_or_never().is_none(), "another service changed");
    }
    beat(&mut world, "payments");
    let response = waiting.await.expect("no panic");
    assert_eq!(response.status(), 200);
    assert_ne!(response.headers()["etag"], first.headers["etag"]);
    // Who was away while it changed is told at once, and by no cache.
    let missed = world.get(&path).now_or_never().expect("at once");
    assert!(index(&missed) > index(&first));
    assert_eq!(missed.header("cache-control"), "no-store");
}

#[tokio::test(start_paused = true)]
async fn a_blocking_query_ends_in_time_with_the_same_answer() {
    let world = world();
    let first = world.get(PATH).await;
    let began = started();
    let same = world.get(&format!("{PATH}?wait=30s&index={}", index(&first))).await;
    let took = began.elapsed();
    assert!((30.0..=32.0).contains(&took.as_secs_f64()), "{took:?}");
    assert_eq!((index(&same), same.header("etag")), (index(&first), first.header("etag")));
    // An index that nobody has told: of another registry.
    let began = started();
    let reset = world.get(&format!("{PATH}?index={}", u64::MAX)).await;
    assert_eq!((index(&reset), began.elapsed()), (index(&first), Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_ends_wakes_who_waits() {
    let world = World::with([("payments", "a1", |row| row.lease.last_heartbeat = NOW - 29)]);
    let first = world.get(PATH).await;
    let path = format!("{PATH}?index={}", index(&first));
    let mut waiting = pin!(world.get(&path));
    assert!((&mut waiting).now_or_never().is_none());
    let mut clock = pin!(crate::wait::lapse(world.state.clone()));
    assert!(futures::poll!(&mut clock).is_pending());
    world.clock.advance(Duration::from_secs(2));
    tokio::select! {
        () = &mut clock => panic!("it never ends"),
        answer = &mut waiting => assert_eq!(answer.body["matched"], 0),
    }
}

#[tokio::test]
async fn a_gateway_without_an_index_knows_nothing_of_services() {
    let clock = ManualClock::new();
    let world = World { state: AppState::new(clock.clone()), clock, ..world() };
    for path in [&format!("{PATH}?index=1"), "/v1/watch?service=acme/payments"] {
        world.get(path).await.problem(503, "not-ready");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = world();
    for (query, word) in [
        ("index=0", "no index of an answer"),
        ("index=-1", "no number"),
        ("index=x", "no number"),
        ("wait=5s", "there is no index"),
        ("index=1&wait=5", "unit"),
        ("index=1&wait=0s", "range"),
        ("index=1&wait=11m", "range"),
        ("index=1&wait=99999999999999999999s", "number"),
        ("index=1&wait=s", "number"),
    ] {
        let answer = world.get(&format!("{PATH}?{query}")).await;
        assert!(answer.problem(400, "bad-parameter").contains(word), "{query}: {}", answer.body);
    }
    for (path, status, kind) in [
        ("/v1/watch", 400, "bad-parameter"),
        ("/v1/watch?service=payments", 400, "bad-parameter"),
        ("/v1/watch?service=acme/Payments", 400, "bad-parameter"),
        ("/v1/watch?service=acme/payments&index=1", 400, "unknown-parameter"),
        ("/v1/watch?service=acme/none", 404, "unknown-service"),
        ("/v1/namespaces/acme/services/none/instances?index=1", 404, "unknown-service"),
    ] {
        world.get(path).await.problem(status, kind);
    }
}

/// One who watches.
struct Events(BodyDataStream);

#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: u64,
    data: Value,
}

impl Events {
    async fn open(world: &World, query: &str, last: Option<u64>) -> Self {
        let mut request = Request::get(format!("/v1/watch?service=acme/payments{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last.to_string());
        }
        let request = request.body(Body::empty()).expect("a request");
        let response = world.routes().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        Self(response.into_body().into_data_stream())
    }

    /// The next event, if it is there.
    async fn next(&mut self) -> Option<Event> {
        let next = tokio::time::timeout(Duration::from_secs(1), self.0.next());
        let bytes = next.await.ok()??.expect("no error");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
            line.unwrap_or_else(|| panic!("no {name} in {text:?}")).to_owned()
        };
        let data = serde_json::from_str(&field("data")).expect("JSON");
        Some(Event { name: field("event"), id: field("id").parse().expect("a number"), data })
    }
}

#[tokio::test(start_paused = true)]
async fn who_watches_gets_all_and_then_what_changes() {
    let mut world = world();
    let mut events = Events::open(&world, "", None).await;
    let first = events.next().await.expect("a snapshot");
    let answer = world.get(PATH).await;
    assert_eq!((first.name.as_str(), first.id, &first.data), ("snapshot", index(&answer), &answer.body));
    assert_eq!(events.next().await, None);

    beat(&mut world, "search");
    assert_eq!(events.next().await, None, "another service");

    world.rows.instances[0].lease.last_heartbeat += 1;
    world.rows.instances[1].lease.status = Status::Deregistered;
    world.rows.checkpoint.change_seq += 1;
    world.pass(1);
    let delta = events.next().await.expect("a delta");
    let answer = world.get(PATH).await;
    assert_eq!((delta.name.as_str(), delta.id), ("delta", index(&answer)));
    assert_eq!(delta.data["instances"], answer.body["instances"], "the one that is left, with its new heartbeat");
    assert_eq!(delta.data["gone"], serde_json::json!([world.rows.instances[1].id]));
    serde_json::from_value::<api::InstancesDelta>(delta.data).expect("the client reads it");
    assert_eq!(events.next().await, None);

    // What was missed comes as one.
    for _ in 0..10 {
        beat(&mut world, "payments");
    }
    let delta = events.next().await.expect("a delta");
    assert_eq!(delta.data["instances"], world.get(PATH).await.body["instances"]);
    assert_eq!(events.next().await, None);

    // Coming back with what one has, and with what is of old.
    let mut back = Events::open(&world, "", Some(delta.id)).await;
    let nothing = back.next().await.expect("how it is");
    assert_eq!((nothing.name.as_str(), nothing.id, &nothing.data["mode"]), ("delta", delta.id, &"normal".into()));
    assert_eq!((&nothing.data["instances"], &nothing.data["gone"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert_eq!(back.next().await, None);
    let resync = Events::open(&world, "", Some(first.id)).await.next().await.expect("a resync");
    assert_eq!((resync.name.as_str(), resync.id, resync.data), ("resync", delta.id, world.get(PATH).await.body));
}

#[tokio::test(start_paused = true)]
async fn who_watches_some_is_not_told_of_others() {
    let mut world = world();
    world.rows.instances[1].metadata = metadata(r#"{"zone":"z2"}"#);
    world.load();
    let mut events = Events::open(&world, "&zone=z1", None).await;
    assert_eq!(events.next().await.expect("a snapshot").data["matched"], 1);
    world.rows.instances[1].lease.last_heartbeat += 1;
    world.rows.checkpoint.change_seq += 1;
    world.pass(1);
    assert_eq!(events.next().await, None);
    world.rows.instances[0].lease.last_heartbeat += 1;
    world.rows.checkpoint.change_seq += 1;
    world.pass(1);
    assert_eq!(events.next().await.expect("a delta").data["instances"].as_array().expect("a list").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_told_of_the_mode_as_well() {
    let mut world = world();
    let clock = tokio::spawn(crate::wait::lapse(world.state.clone()));
    let mut all = Events::open(&world, "", None).await;
    let mut some = Events::open(&world, "&zone=z1", None).await;
    let first = all.next().await.expect("a snapshot");
    assert_eq!(first.data["mode"], "normal");
    assert_eq!(some.next().await.expect("a snapshot").data["mode"], "normal");
    let told = async |all: &mut Events, some: &mut Events, mode: &str| {
        for events in [all, some] {
            let delta = events.next().await.expect("a delta");
            assert_eq!((delta.name.as_str(), delta.id, &delta.data["mode"]), ("delta", first.id, &mode.into()));
            assert_eq!(
                (&delta.data["instances"], &delta.data["gone"]),
                (&serde_json::json!([]), &serde_json::json!([]))
            );
            serde_json::from_value::<api::InstancesDelta>(delta.data).expect("the client reads it");
            assert_eq!(events.next().await, None);
        }
    };
    world.clock.advance(domain::ChainTime::MAX_AHEAD);
    world.poll(false);
    told(&mut all, &mut some, "preserved").await;
    world.clock.advance(Duration::from_secs(4));
    told(&mut all, &mut some, "stale").await;
    // Who comes back cannot know it from the index.
    let back = Events::open(&world, "", Some(first.id)).await.next().await.expect("how it is");
    assert_eq!((back.name.as_str(), back.id, &back.data["mode"]), ("delta", first.id, &"stale".into()));
    // No index has changed: who waits for that goes on.
    let routes = world.routes();
    let request = Request::get(format!("{PATH}?index={}", first.id)).body(Body::empty()).expect("a request");
    let mut waiting = tokio::spawn(async move { routes.oneshot(request).await.expect("an answer") });
    settle().await;
    world.poll(true);
    told(&mut all, &mut some, "normal").await;
    assert!((&mut waiting).now_or_never().is_none());
    waiting.abort();
    clock.abort();
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_mode_alone_changes_has_changed() {
    // One lease ends in the grace after a standstill, the other one only later.
    let mut world =
        World::with([("payments", "a1", |row| row.lease.ttl = 700), ("payments", "a2", |row| row.lease.ttl = 650)]);
    world.pass(1);
    for _ in 0..600 {
        world.clock.advance(Duration::from_secs(1));
        world.poll(true);
    }
    world.rows.checkpoint.head_time += 600;
    world.pass(1);
    let before = world.get(PATH).await;
    assert_eq!(before.header("x-registry-mode"), "normal");
    let mut events = Events::open(&world, "", None).await;
    events.next().await.expect("a snapshot");
    world.pass(60);
    let after = world.get(PATH).await;
    assert_eq!((after.header("x-registry-mode"), &after.body["matched"]), ("preserved", &2.into()));
    assert!(index(&after) > index(&before));
    let delta = events.next().await.expect("a delta");
    assert_eq!(
        (delta.id, &delta.data["mode"], &delta.data["gone"]),
        (index(&after), &"preserved".into(), &serde_json::json!([]))
    );
}
