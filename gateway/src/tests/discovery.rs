//! The open discovery API.

use serde_json::json;

use super::*;
use crate::routes::discovery::host_and_port;

const PATH: &str = "/v1/discovery/services";

fn world() -> World {
    World::with([
        ("payments", "a1", |row| {
            row.metadata = metadata(
                r#"{"zone":"z1","region":"eu","geo":{"lat":48.86,"lon":2.35},"latency_ms":12.5,"resources":{"cpu":4,"memory_mb":8192,"storage_gb":10}}"#,
            );
        }),
        ("payments", "b1", |row| {
            row.metadata = metadata(
                r#"{"zone":"z2","region":"eu","geo":{"lat":52.52,"lon":13.4},"latency_ms":"12","resources":{"cpu":2}}"#,
            );
            row.endpoints = vec![Bytes::from_static(&[0xff]), Bytes::from_static(b"grpc://[::1]:50051")];
        }),
        ("payments", "c1", |row| row.metadata = metadata("opaque")),
        ("payments", "d1", |row| row.lease.last_heartbeat = NOW - 31),
    ])
}

async fn found(world: &World, constraints: Value) -> Vec<String> {
    let query = json!({ "service_name": "acme/payments", "constraints": constraints });
    let answer = world.post(PATH, query.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let parsed: api::DiscoveryAnswer = serde_json::from_value(answer.body).expect("the client reads it");
    let label = |id: InstanceId| world.rows.instances.iter().find(|row| row.id == id).expect("ours").label.clone();
    let mut labels: Vec<String> = parsed.instances.iter().map(|instance| label(instance.id)).collect();
    labels.sort();
    labels
}

#[tokio::test]
async fn constraints_hold_and_what_is_unknown_does_not_match() {
    let world = world();
    for (constraints, expected) in [
        (json!(null), vec!["a1", "b1", "c1"]),
        (json!({}), vec!["a1", "b1", "c1"]),
        (json!({"location":{},"latency":{},"resources":{}}), vec!["a1", "b1", "c1"]),
        (json!({"location":{"region":"eu"}}), vec!["a1", "b1"]),
        (json!({"location":{"region":"eu","zone":"z2"}}), vec!["b1"]),
        (json!({"latency":{"max_ms":12.5}}), vec!["a1"]),
        (json!({"latency":{"max_ms":12}}), vec![]),
        (json!({"resources":{"cpu":2}}), vec!["a1", "b1"]),
        (json!({"resources":{"cpu":2,"memory_mb":1}}), vec!["a1"]),
        (json!({"resources":{"storage_gb":11}}), vec![]),
        (json!({"location":{"near":{"lat":52.5,"lon":13.4}}}), vec!["a1", "b1", "c1"]),
        (json!({"location":{"near":{"lat":52.5,"lon":13.4},"max_distance_km":10}}), vec!["b1"]),
        (json!({"location":{"near":{"lat":52.5,"lon":13.4},"max_distance_km":1000}}), vec!["a1", "b1"]),
    ] {
        assert_eq!(found(&world, constraints.clone()).await, expected, "{constraints}");
    }
}

#[tokio::test]
async fn the_nearest_come_first() {
    let world = world();
    for (near, expected) in
        [(json!({"lat":52,"lon":13}), ["b1", "a1", "c1"]), (json!({"lat":48,"lon":2}), ["a1", "b1", "c1"])]
    {
        let query = json!({ "service_name": "acme/payments", "constraints": { "location": { "near": near } } });
        let answer = world.post(PATH, query.to_string()).await;
        let ids = expected.map(|label| Value::from(acme_id(&world, label)));
        let answered: Vec<&Value> =
            answer.body["instances"].as_array().expect("a list").iter().map(|instance| &instance["id"]).collect();
        assert_eq!(answered, ids.iter().collect::<Vec<_>>(), "{near}");
    }
}

fn acme_id(world: &World, label: &str) -> String {
    world.rows.instances.iter().find(|row| row.label == label).expect("ours").id.to_string()
}

#[tokio::test]
async fn an_instance_has_the_shape_of_the_open_api() {
    let world = world();
    let answer = world.post(PATH, r#"{"service_name":"acme/payments","constraints":{"location":{"zone":"z1"}}}"#).await;
    let instance = &answer.body["instances"][0];
    assert_eq!(instance["address"], "a1.example");
    assert_eq!(instance["port"], 8443);
    assert_eq!(instance["health_status"], "healthy");
    assert_eq!(instance["metadata"]["region"], "eu");
    assert_eq!(
        instance["performance_metrics"],
        json!({"heartbeat_age_s": 0, "expires_at": "2023-11-14T22:13:50Z", "latency_ms": 12.5})
    );
    let answer = world.post(PATH, r#"{"service_name":"acme/payments","constraints":{"location":{"zone":"z2"}}}"#).await;
    assert_eq!(answer.body["instances"][0]["address"], "::1");
    assert_eq!(answer.body["instances"][0]["port"], 50051);
    assert_eq!(answer.header("cache-control"), "public, max-age=5");
}

#[tokio::test]
async fn a_bad_question_is_told_why() {
    let world = world();
    let long = "x".repeat(100_000);
    for (body, status, word, reason) in [
        ("", 400, "bad-body", "EOF"),
        ("{", 400, "bad-body", "EOF"),
        ("[]", 400, "bad-body", "DiscoveryQuery"),
        (r#"["acme/payments",null]"#, 400, "bad-body", "list"),
        (r#"{"service_name":"acme/payments","constraints":{"location":[]}}"#, 400, "bad-body", "list"),
        (r#"{"service_name":"acme/payments","constraints":{"location":["eu","z1"]}}"#, 400, "bad-body", "list"),
        (r#"{"constraints":{}}"#, 400, "bad-body", "service_name"),
        (r#"{"service_name":1}"#, 400, "bad-body", "string"),
        (r#"{"service_name":"acme/payments","constraint":{}}"#, 400, "bad-body", "constraint"),
        (r#"{"service_name":"acme/payments","constraints":{"resources":{"gpu":1}}}"#, 400, "bad-body", "gpu"),
        (r#"{"service_name":"acme/payments","constraints":{"latency":{"max_ms":-1}}}"#, 400, "bad-parameter", "max_ms"),
        (r#"{"service_name":"acme/payments","constraints":{"latency":{"max_ms":1e999}}}"#, 400, "bad-body", "range"),
        (r#"{"service_name":"acme/payments","constraints":{"resources":{"cpu":-1}}}"#, 400, "bad-parameter", "cpu"),
        (
            r#"{"service_name":"acme/payments","constraints":{"location":{"near":{"lat":91,"lon":0}}}}"#,
            400,
            "bad-parameter",
            "place",
        ),
        (r#"{"service_name":"acme/payments","constraints":{"location":{"near":{"lat":1}}}}"#, 400, "bad-body", "lon"),
        (
            r#"{"service_name":"acme/payments","constraints":{"location":{"max_distance_km":1}}}"#,
            400,
            "bad-parameter",
            "no near",
        ),
        (r#"{"service_name":"payments"}"#, 400, "bad-parameter", "namespace"),
        (r#"{"service_name":"Acme/payments"}"#, 400, "bad-parameter", "namespace"),
        (r#"{"service_name":"acme/pay/ments"}"#, 400, "bad-parameter", "service"),
        (r#"{"service_name":"acme/nobody"}"#, 404, "unknown-service", "acme/nobody"),
        (long.as_str(), 413, "body-too-large", "65536"),
    ] {
        let answer = world.post(PATH, body.to_owned()).await;
        let detail = answer.problem(status, word);
        assert!(detail.contains(reason), "{detail:?} does not name {reason:?}");
    }
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        let request = Request::post(PATH).header(header::CONTENT_TYPE, media_type).body("{}".into());
        world.send(request.expect("a request")).await.problem(415, "unsupported-media-type");
    }
    let request = Request::post(PATH).header(header::CONTENT_TYPE, "Application/JSON; charset=utf-8");
    let body = r#"{"service_name":"acme/payments"}"#;
    assert_eq!(world.send(request.body(body.into()).expect("a request")).await.status, 200);
}

#[test]
fn host_and_port_are_read_from_what_people_write() {
    for (endpoint, host, port) in [
        ("https://a.example:8443/path", Some("a.example"), Some(8443)),
        ("https://a.example", Some("a.example"), Some(443)),
        ("http://10.0.0.1/", Some("10.0.0.1"), Some(80)),
        ("grpc://a.example:50051", Some("a.example"), Some(50051)),
        ("grpc://a.example", Some("a.example"), None),
        ("a.example:9000", Some("a.example"), Some(9000)),
        ("[2001:db8::1]:53", Some("2001:db8::1"), Some(53)),
        ("a.example", Some("a.example"), None),
        ("unix:///run/a.sock", None, None),
        ("https://", None, None),
        ("a b", None, None),
        ("https://a:99999", None, None),
        ("mailto:x@y", None, None),
        ("https://user:secret@a.example", Some("a.example"), Some(443)),
    ] {
        assert_eq!(host_and_port(endpoint), (host.map(str::to_owned), port), "{endpoint}");
    }
}

#[tokio::test]
async fn health_tells_in_numbers() {
    let world = world();
    let answer = world.get("/v1/discovery/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.body["status"], "healthy");
    assert_eq!(
        answer.body["metrics"],
        json!({
            "chain_id": 31337, "contract": Address::repeat_byte(3).to_string(), "chain_head": 100, "safe": 68,
            "finalized": 36, "indexed_block": 100, "lag_blocks": 0, "head_age_s": 0, "mode": "normal", "services": 1,
            "instances": 4, "live_instances": 3, "problem": null,
        })
    );
    serde_json::from_value::<api::DiscoveryHealth>(answer.body).expect("the client reads it");
}
