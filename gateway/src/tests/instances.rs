//! `GET /v1/namespaces/{ns}/services/{name}/instances` and `GET /v1/instances/{id}`

use super::*;

const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

fn plain(_: &mut InstanceRow) {}

#[tokio::test]
async fn an_answer_says_what_the_chain_says() {
    let world = World::with([("payments", "a1", plain)]);
    let answer = world.get(PATH).await;
    assert_eq!(answer.status, 200);
    let id = world.rows.instances[0].id.to_string();
    let expected = serde_json::json!({
        "namespace": "acme",
        "service": "payments",
        "block": { "number": 100, "hash": B256::repeat_byte(6).to_string(), "time": "2023-11-14T22:13:20Z" },
        "mode": "normal",
        "health": "healthy",
        "matched": 1,
        "instances": [{
            "id": id,
            "namespace": "acme",
            "service": "payments",
            "label": "a1",
            "registrant": OWNER.to_string(),
            "owner": OWNER.to_string(),
            "version": "1.0.0",
            "status": "active",
            "reason": null,
            "live": true,
            "observed": { "suspect": false, "phi": null },
            "ttl_s": 30,
            "last_heartbeat": "2023-11-14T22:13:20Z",
            "expires_at": "2023-11-14T22:13:50Z",
            "epoch": 0,
            "registered_block": 90,
            "updated_block": 95,
            "record_hash": B256::repeat_byte(1).to_string(),
            "endpoints": [{ "uri": "https://a1.example:8443" }],
            "metadata": { "zone": "z1", "region": "eu", "tags": ["blue", "fast"], "weight": 10, "canary": true },
        }],
    });
    assert_eq!(answer.body, expected);
    let parsed: api::InstancesAnswer = serde_json::from_value(answer.body.clone()).expect("the client reads it");
    assert_eq!(serde_json::to_value(parsed).expect("JSON"), expected);
    assert_eq!(answer.header("x-registry-block"), "100");
    assert_eq!(answer.header("x-registry-head-age"), "0");
    assert_eq!(answer.header("x-registry-mode"), "normal");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cache-control"), "public, max-age=5");

    let one = world.get(&format!("/v1/instances/{id}")).await;
    assert_eq!(one.status, 200);
    assert_eq!(one.body["instance"], expected["instances"][0]);
    assert_eq!(one.body["block"], expected["block"]);
    serde_json::from_value::<api::InstanceAnswer>(one.body).expect("the client reads it");
}

#[tokio::test]
async fn an_instance_is_live_at_expires_at_and_gone_one_second_later() {
    let mut world = World::with([("payments", "a1", plain)]);
    world.pass(30);
    assert_eq!(world.labels("").await, ["a1"]);
    assert_eq!(world.get(PATH).await.header("cache-control"), "public, max-age=0");
    world.pass(1);
    assert!(world.labels("").await.is_empty());

    // Expired, and still known.
    let all = world.get(&format!("{PATH}?health=all")).await;
    assert_eq!(all.body["instances"][0]["live"], false);
    assert_eq!(all.body["instances"][0]["status"], "active");
    let one = world.get(&format!("/v1/instances/{}", world.rows.instances[0].id)).await;
    assert_eq!(one.body["instance"]["live"], false);
}

#[tokio::test]
async fn between_two_blocks_time_runs_on() {
    let world = World::with([("payments", "a1", |row| row.lease.last_heartbeat = NOW - 28)]);
    world.clock.advance(Duration::from_millis(2_999));
    assert_eq!(world.labels("").await, ["a1"]);
    assert_eq!(world.get("/v1/services").await.body["now"], "2023-11-14T22:13:22Z");
    assert_eq!(world.get(PATH).await.header("cache-control"), "public, max-age=0");
    world.clock.advance(Duration::from_millis(1));
    assert!(world.labels("").await.is_empty());
}

#[tokio::test]
async fn every_filter_filters() {
    let world = World::with([
        ("payments", "a1", plain),
        ("payments", "b1", |row| {
            row.version = "2.1.0".into();
            row.metadata = metadata(r#"{"zone":"z2","region":"us","tags":["blue"],"weight":"10","a.b":"c"}"#);
        }),
        ("payments", "c1", |row| {
            row.version = "1.2.0-rc.1".into();
            row.metadata = metadata("not JSON");
        }),
        ("payments", "d1", |row| {
            row.version = "nightly".into();
            row.metadata = Bytes::new();
        }),
    ]);
    let cases: [(&str, &[&str]); 24] = [
        ("", &["a1", "b1", "c1", "d1"]),
        ("?version=^1.0", &["a1"]),
        ("?version=%3E%3D1.0,%3C3", &["a1", "b1"]),
        ("?version=*", &["a1", "b1"]),
        ("?version=%3E%3D1.2.0-rc.0", &["b1", "c1"]),
        ("?zone=z1", &["a1"]),
        ("?zone=", &[]),
        ("?region=us", &["b1"]),
        ("?tag=blue", &["a1", "b1"]),
        ("?tag=blue&tag=fast", &["a1"]),
        ("?tag=Blue", &[]),
        ("?meta.weight=10", &["a1", "b1"]),
        ("?meta.canary=true", &["a1"]),
        ("?meta.a.b=c", &["b1"]),
        ("?meta.tags=blue", &[]),
        ("?meta.zone=z2&meta.region=us", &["b1"]),
        ("?meta.zone=z2&meta.zone=z1", &[]),
        ("?meta.absent=", &[]),
        ("?zone=z1&version=2", &[]),
        ("?health=all&region=eu", &["a1"]),
        ("?%7Aone=z1", &["a1"]),
        ("?&&", &["a1", "b1", "c1", "d1"]),
        ("?limit=1000", &["a1", "b1", "c1", "d1"]),
        ("?zone=z%31", &["a1"]),
    ];
    for (query, expected) in cases {
        assert_eq!(world.labels(query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn limit_cuts_and_says_how_many_there_are() {
    let world = World::with([("payments", "a1", plain), ("payments", "a2", plain), ("payments", "a3", plain)]);
    let all = world.get(PATH).await;
    let two = world.get(&format!("{PATH}?limit=2")).await;
    assert_eq!(two.body["matched"], 3);
    let (all, two) = (all.body["instances"].as_array().expect("a list"), two.body["instances"].as_array());
    assert_eq!(two.expect("a list").as_slice(), &all[..2]);
}

#[tokio::test]
async fn health_chooses() {
    let mut world = World::with([
        ("payments", "live", plain),
        ("payments", "expired", |row| row.lease.last_heartbeat = NOW - 31),
        ("payments", "suspended", |row| row.lease.status = Status::Suspended),
        ("payments", "deregistered", |row| row.lease.status = Status::Deregistered),
        ("payments", "revoked", |row| row.lease.status = Status::Revoked),
        ("payments", "reaped", |row| row.lease.status = Status::Reaped),
    ]);
    assert_eq!(world.labels("?health=healthy").await, ["live"]);
    assert_eq!(world.labels("?health=all").await, ["expired", "live", "suspended"]);
    assert_eq!(world.labels("?health=healthy_or_else_all").await, ["live"]);
    let answer = world.get(&format!("{PATH}?health=healthy_or_else_all")).await;
    assert_eq!(answer.body["health"], "healthy");

    world.pass(31);
    assert_eq!(world.labels("?health=healthy_or_else_all").await, ["expired", "live", "suspended"]);
    assert!(world.labels("?health=healthy_or_else_all&zone=z9").await.is_empty());
    let answer = world.get(&format!("{PATH}?health=healthy_or_else_all")).await;
    assert_eq!(answer.body["health"], "all");

    for row in &world.rows.instances {
        let one = world.get(&format!("/v1/instances/{}", row.id)).await;
        assert_eq!(one.body["instance"]["status"], row.lease.status.as_str());
        assert_eq!(one.body["instance"]["live"], false);
    }
}

#[tokio::test]
async fn a_known_service_without_live_instances_is_not_an_unknown_one() {
    let world = World::with([("payments", "a1", |row| row.lease.status = Status::Deregistered)]);
    assert!(world.labels("").await.is_empty());
    let unknown = world.get("/v1/namespaces/acme/services/nobody/instances").await;
    assert!(unknown.problem(404, "unknown-service").contains("acme/nobody"));
    assert_eq!(unknown.header("x-registry-block"), "100");
    let unknown = world.get(&format!("/v1/instances/{}", B256::repeat_byte(9))).await;
    unknown.problem(404, "unknown-instance");
}

#[tokio::test]
async fn an_account_is_a_namespace() {
    let mut world = World::new();
    world.add(Namespace::Account(OWNER), "payments", "a1", plain);
    world.load();
    for ns in [OWNER.to_string(), OWNER.to_string().to_lowercase()] {
        let answer = world.get(&format!("/v1/namespaces/{ns}/services/payments/instances")).await;
        assert_eq!(answer.body["namespace"], OWNER.to_string(), "{}", answer.body);
    }
}
