//! `GET /v1/instances/{id}/history` and `/uptime`, on a real Postgres and with logs as the contracts emit them.

use alloy_primitives::aliases::{U24, U40};
use alloy_sol_types::SolEvent;
use bindings::{
    Endorsements::{Endorsed, Withdrawn},
    IRegistryTypes::Registration,
    ServiceRegistry as registry,
};
use store::{
    ingest::{Batch, RollUp, Writer},
    rows::{EventRow, HeartbeatRow, UptimeRow},
};

use super::{
    feed::{Feed, NEVER, block, registered},
    *,
};

const OTHER: Address = Address::repeat_byte(0xcd);
const HOSTILE: &[u8] = b"\x1b[2J\r\nSet-Cookie: x\0\xff";

fn row() -> InstanceRow {
    instance(&acme(), "payments", "a1")
}

/// The row of a log, as the indexer makes it.
fn log(number: u64, log_index: u64, event: &impl SolEvent) -> EventRow {
    let (topics, data) = event.encode_log_data().split();
    let decoded = bindings::decode(&topics, &data).or_else(|_| bindings::decode_endorsement(&topics, &data));
    let decoded = decoded.expect("an event of the contracts");
    EventRow {
        contract: Address::repeat_byte(3),
        block: block(number, 0).block,
        log_index,
        tx_hash: B256::repeat_byte(9),
        kind: decoded.kind().to_owned(),
        instance: decoded.instance(),
        namespace: decoded.namespace(),
        slot: decoded.slot(),
        topics,
        data,
        time: None,
    }
}

fn updated(number: u64, log_index: u64) -> EventRow {
    let event = registry::Updated {
        id: row().id.0,
        service: row().service.0,
        version: "1.1.0".into(),
        endpoints: vec![Bytes::from_static(HOSTILE)],
        metadata: Bytes::from_static(HOSTILE),
        ttl: U24::from(60),
        sequence: 2,
        prevRecordHash: B256::repeat_byte(1),
    };
    log(number, log_index, &event)
}

/// All kinds of events about one instance, and one about another, from log 0 on in block 2.
pub(super) fn all_kinds() -> Vec<EventRow> {
    let (id, service, epoch) = (row().id.0, row().service.0, U24::from(1));
    let registration = Registration {
        namespaceId: acme().id().0,
        name: "payments".into(),
        label: "a1".into(),
        ttl: U24::from(30),
        version: "1.0.0".into(),
        endpoints: row().endpoints,
        metadata: row().metadata,
    };
    let time = U40::from(NOW);
    let registered = registry::Registered {
        id,
        service,
        owner: OWNER,
        registration,
        time,
        epoch: U24::ZERO,
        sequence: 1,
        count: 1,
        prevRecordHash: B256::ZERO,
    };
    let reason = Bytes::from_static(HOSTILE);
    let status_set =
        registry::StatusSet { id, service, authority: OWNER, status: 2, epoch, sequence: 3, count: 1, reason };
    let operator =
        registry::InstanceOperatorSet { id, epoch, operator: OTHER, permissions: 3, expiry: U40::from(NOW + 60) };
    let topic = B256::right_padding_from(b"audit");
    let expiry = U40::from(NOW + 90);
    let endorsed = Endorsed { id, endorser: OTHER, topic, epoch, expiry, digest: B256::repeat_byte(7) };
    vec![
        log(2, 0, &registered),
        log(2, 1, &registry::Heartbeat { id, time }),
        updated(2, 2),
        log(2, 3, &status_set),
        log(2, 4, &registry::OwnerProposed { id, epoch, account: Address::ZERO }),
        log(2, 5, &registry::OwnerChanged { id, service, owner: OTHER, epoch, sequence: 4 }),
        log(2, 6, &operator),
        log(2, 7, &endorsed),
        log(2, 8, &Withdrawn { id, endorser: OTHER, topic, epoch }),
        log(2, 9, &registry::SignedHeartbeatBatch { times: vec![time, time], ids: vec![id, B256::ZERO] }),
        log(2, 10, &registry::Deregistered { id, service, epoch, sequence: 5, count: 0 }),
        log(2, 11, &registry::Reaped { id, service, epoch, sequence: 6, count: 0 }),
        log(2, 12, &registry::OwnerProposed { id: B256::repeat_byte(8), epoch, account: OTHER }),
    ]
}

/// A feed whose index has the instance, and these events in block 2.
async fn with_events(events: Vec<EventRow>) -> (Feed, Writer) {
    let mut feed = Feed::start(NEVER).await;
    let writer = feed.init().await;
    let beat = |log_index| HeartbeatRow { instance: row().id, block_number: 2, log_index, time: NOW };
    let heartbeats = if events.len() > 9 { vec![beat(1), beat(9)] } else { vec![] };
    feed.apply(&writer, Batch { events, heartbeats, ..registered("a1", 1) }).await;
    feed.until(&["a1"]).await;
    (feed, writer)
}

async fn history(world: &World, query: &str) -> Answer {
    world.get(&format!("/v1/instances/{}/history{query}", row().id)).await
}

fn kinds(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let events = answer.body["events"].as_array().expect("events");
    events.iter().map(|entry| entry["event"]["kind"].as_str().expect("a kind")).collect()
}

#[tokio::test]
async fn a_history_tells_every_kind_of_event_with_its_log() {
    let (feed, _writer) = with_events(all_kinds()).await;
    let all = history(&feed.world, "").await;
    let expected = [
        "reaped",
        "deregistered",
        "withdrawn",
        "endorsed",
        "instance_operator_set",
        "owner_changed",
        "owner_proposed",
        "status_set",
        "updated",
        "registered",
    ];
    assert_eq!(kinds(&all), expected, "the newest first, without heartbeats");
    assert_eq!(all.header("x-registry-block"), "2");
    assert_eq!(all.body["block"]["number"], 2);
    assert_eq!((&all.body["mode"], &all.body["next_cursor"]), (&"normal".into(), &Value::Null));
    serde_json::from_value::<api::HistoryAnswer>(all.body.clone()).expect("the client reads it");

    let text = all.body.to_string();
    assert!(!text.contains('\u{1b}') && !text.contains("\\r") && !text.contains("\\u0000"), "{text}");
    let event = |kind: &str| {
        let events = all.body["events"].as_array().expect("events");
        events.iter().find(|entry| entry["event"]["kind"] == kind).expect(kind).clone()
    };
    let registered = event("registered");
    assert_eq!(registered["event"]["label"], "a1");
    assert_eq!(registered["event"]["published"]["metadata"]["zone"], "z1");
    assert_eq!(registered["event"]["published"]["prev_record_hash"], B256::ZERO.to_string());
    assert_eq!(registered["block"]["time"], "2023-11-14T22:13:20Z");
    assert_eq!(registered["finality"], "latest");
    assert_eq!(registered["tx_hash"], B256::repeat_byte(9).to_string());
    assert_eq!(registered["chain"]["topics"].as_array().map(Vec::len), Some(4));
    assert!(registered["chain"]["data"].as_str().is_some_and(|data| data.len() > 500), "{registered}");
    let update = &event("updated")["event"];
    assert!(update["published"]["endpoints"][0]["base64"].is_string(), "{update}");
    assert!(update["published"]["metadata_base64"].is_string() && update["ttl_s"] == 60, "{update}");
    let status = &event("status_set")["event"];
    assert_eq!((&status["status"], &status["authority"]), (&"suspended".into(), &OWNER.to_string().into()));
    assert_eq!(status["reason"], "\\u{1b}[2J\\u{d}\\u{a}Set-Cookie: x\\u{0}\u{fffd}");
    assert_eq!(event("owner_proposed")["event"]["proposed_owner"], Value::Null);
    assert_eq!(event("owner_changed")["event"]["owner"], OTHER.to_string());
    let operator = &event("instance_operator_set")["event"];
    assert_eq!(operator["permissions"], serde_json::json!(["heartbeat", "update"]));
    assert_eq!(operator["expires_at"], "2023-11-14T22:14:20Z");
    assert_eq!(event("endorsed")["event"]["topic"], "audit");
    assert_eq!(event("reaped")["event"]["epoch"], 1);

    let beats = history(&feed.world, "?kind=heartbeat&kind=registered&order=asc").await;
    assert_eq!(kinds(&beats), ["registered", "heartbeat", "heartbeat"]);
    let [_, alone, signed] = &beats.body["events"].as_array().expect("events")[..] else { panic!("three") };
    assert_eq!((&alone["event"]["sent"], &signed["event"]["sent"]), (&"alone".into(), &"signed_batch".into()));
    assert_eq!(signed["event"]["last_heartbeat"], "2023-11-14T22:13:20Z");
    assert!(alone["chain"].is_object() && signed.get("chain").is_none(), "a batch is about others too");

    // A row that no indexer writes is our own fault, not an answer without it.
    let (broken, _writer) = with_events(vec![EventRow { data: Bytes::new(), ..updated(2, 0) }]).await;
    history(&broken.world, "").await.problem(500, "internal");
}

#[tokio::test]
async fn pages_follow_each_other_though_events_come_meanwhile() {
    let (mut feed, writer) = with_events((0..7).map(|n| updated(2, n)).collect()).await;
    for order in ["desc", "asc"] {
        let (mut places, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = history(&feed.world, &format!("?order={order}&limit=3{cursor}")).await;
            assert!(kinds(&page).len() <= 3);
            for entry in page.body["events"].as_array().expect("events") {
                places.push((entry["block"]["number"].as_u64(), entry["log_index"].as_u64()));
            }
            let Some(next) = page.body["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
            if order == "desc" {
                let number = feed.head.block.number + 1;
                feed.apply(&writer, Batch { events: vec![updated(number, 0)], ..Batch::default() }).await;
            }
        }
        let mut sorted = places.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if order == "desc" {
            sorted.reverse();
            assert_eq!(places.len(), 7, "those that came are newer than the first page");
        } else {
            assert_eq!(places.len(), 9, "and here they are the last");
        }
        assert_eq!(places, sorted, "{order}: each once, in order");
    }
}

#[tokio::test]
async fn uptimes_are_of_days_that_are_over() {
    let (feed, writer) = with_events(vec![updated(2, 0)]).await;
    let path = format!("/v1/instances/{}/uptime", row().id);
    let none = feed.world.get(&path).await;
    assert_eq!((none.status, &none.body["days"]), (StatusCode::OK, &Value::Array(vec![])), "{}", none.body);
    assert_eq!(none.body["until"], "1970-01-01");

    let up = |day, seconds_up| UptimeRow { day, instance: row().id, seconds_up, heartbeats: 4 };
    let rows = vec![up(20_000, 86_400), up(20_002, 7)];
    let roll_up = RollUp { rows, leases: vec![], day: 20_003, block: 2 };
    writer.roll_up(feed.head.block, &roll_up).await.expect("rolled up");
    let days = async |query: &str| {
        let answer = feed.world.get(&format!("{path}{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let parsed: api::UptimeAnswer = serde_json::from_value(answer.body).expect("the client reads it");
        assert_eq!(parsed.until.number(), 20_003);
        parsed.days.iter().map(|day| (day.day.to_string(), day.seconds_up, day.heartbeats)).collect::<Vec<_>>()
    };
    let day = |text: &str, seconds_up, heartbeats| (text.to_owned(), seconds_up, heartbeats);
    let last = [day("2024-10-04", 86_400, 4), day("2024-10-05", 0, 0), day("2024-10-06", 7, 4)];
    assert_eq!(days("?from=2024-10-04").await, last);
    assert_eq!(days("?from=2024-10-04&to=2030-01-01").await.len(), 3, "none that are not over");
    assert_eq!(days("?to=2024-10-04").await.len(), 30);
    assert_eq!(days("").await[27..], last);
    assert!(days("?from=2024-10-07").await.is_empty());
    for (query, parameter) in [("?from=2024-10-4", "from"), ("?to=yesterday", "to"), ("?to=1969-12-31", "to")] {
        let answer = feed.world.get(&format!("{path}{query}")).await;
        answer.problem(400, "bad-parameter");
        assert_eq!(answer.body["parameter"], parameter, "{query}");
    }
    assert!(days("?from=2024-10-04&to=2024-10-03").await.is_empty());
    let most = days("?from=2020-01-01&to=2025-01-01").await;
    assert_eq!((most.len(), &most[365]), (366, &day("2020-12-31", 0, 0)));
}

#[tokio::test]
async fn what_is_not_allowed_is_told_before_the_database_is_asked() {
    let world = World::with([("payments", "a1", |_| {})]);
    for (query, parameter) in [
        ("?order=newest", "order"),
        ("?limit=0", "limit"),
        ("?limit=201", "limit"),
        ("?kind=Registered", "kind"),
        ("?kind=", "kind"),
        ("?cursor=", "cursor"),
        ("?cursor=MTA", "cursor"),
        // 10/-1, 010/1, 99999999999999999999/1
        ("?cursor=MTAvLTE", "cursor"),
        ("?cursor=MDEwLzE", "cursor"),
        ("?cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTkvMQ", "cursor"),
    ] {
        let answer = history(&world, query).await;
        answer.problem(400, "bad-parameter");
        assert_eq!(answer.body["parameter"], parameter, "{query}");
    }
    history(&world, "?order=asc&order=asc").await.problem(400, "bad-parameter");
    history(&world, "?orphaned=true").await.problem(400, "unknown-parameter");
    for of in ["history", "uptime"] {
        world.get(&format!("/v1/instances/0x12/{of}")).await.problem(400, "bad-parameter");
        world.get(&format!("/v1/instances/{}/{of}", B256::ZERO)).await.problem(404, "unknown-instance");
        world.get(&format!("/v1/instances/{}/{of}?x=1", row().id)).await.problem(400, "unknown-parameter");
        // Without a database to ask.
        let away = world.get(&format!("/v1/instances/{}/{of}", row().id)).await;
        away.problem(503, "database-away");
        assert_eq!((away.header("retry-after"), away.header("x-registry-block")), ("1", "100"));
    }
    let empty = World { state: AppState::new(world.clock.clone()), ..World::new() };
    history(&empty, "").await.problem(503, "not-ready");
}

#[tokio::test]
async fn a_database_that_is_away_or_busy_is_told_and_memory_answers_on() {
    let (mut feed, _writer) = with_events(vec![updated(2, 0)]).await;
    assert_eq!(kinds(&history(&feed.world, "").await), ["updated"]);
    // All turns are taken.
    let state = feed.world.state.clone();
    let turns = state.histories().expect("histories").turns();
    let all = turns.acquire_many(store::query::history::CONNECTIONS).await.expect("turns");
    let busy = history(&feed.world, "").await;
    busy.problem(503, "busy");
    assert_eq!(busy.header("retry-after"), "1");
    assert_eq!(feed.world.get("/v1/services").await.status, 200);
    drop(all);
    assert_eq!(history(&feed.world, "").await.status, 200);

    feed.postgres.stop_server().await.expect("it stops");
    let away = history(&feed.world, "").await;
    let detail = away.problem(503, "database-away");
    assert!(!detail.contains("127.0.0.1") && !detail.contains("postgres"), "{detail}");
    assert_eq!(away.header("retry-after"), "1");
    assert_eq!(feed.world.get("/v1/services").await.status, 200);
    feed.postgres.start_server().await.expect("it starts");
    let world = &feed.world;
    eventually(async || history(world, "").await.status == 200).await;
}
