//! Answers that a client or a cache has already, and how they are packed.

use axum::http::Method;

use super::*;

const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

async fn ask(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    world.send(request.body(Body::empty()).expect("a request")).await
}

async fn raw(world: &World, method: Method, encoding: &str) -> (HeaderMap, axum::body::Bytes) {
    let request = Request::builder().method(method).uri(PATH).header("accept-encoding", encoding);
    let request = request.body(Body::empty()).expect("a request");
    let response = world.routes().oneshot(request).await.expect("an answer");
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    (headers, to_bytes(response.into_body(), usize::MAX).await.expect("a body"))
}

fn many() -> World {
    World::with([("payments", "a1", |_| {}), ("payments", "a2", |_| {}), ("payments", "a3", |_| {})])
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let mut world = many();
    let first = world.get(PATH).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 30, "{tag}");
    // Blocks that have nothing for the service change nothing of its answer.
    world.pass(1);
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let again = ask(&world, PATH, &[("if-none-match", &known)]).await;
        assert_eq!(again.status, 304, "{known}");
        assert_eq!(again.body, Value::String(String::new()));
        assert_eq!(again.header("etag"), tag);
        assert_eq!(again.header("x-registry-block"), "101");
        assert_eq!(again.header("cache-control"), "public, max-age=5");
        assert_eq!(again.headers.get("content-type"), None);
        assert_eq!(again.headers.get("content-length"), None, "it is not that of the answer");
    }
    let other = ask(&world, PATH, &[("if-none-match", "\"0123\"")]).await;
    assert_eq!(other.status, 200);

    world.rows.instances[0].lease.last_heartbeat += 1;
    world.rows.checkpoint.change_seq += 1;
    world.pass(1);
    let changed = ask(&world, PATH, &[("if-none-match", &tag)]).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
}

#[tokio::test]
async fn two_gateways_give_the_same_tag_to_the_same_bytes() {
    let (one, other) = (many(), many());
    assert_eq!(one.get(PATH).await.header("etag"), other.get(PATH).await.header("etag"));
    let filtered = format!("{PATH}?tag=blue&limit=2");
    assert_eq!(one.get(&filtered).await.header("etag"), other.get(&filtered).await.header("etag"));
    assert_ne!(one.get(&filtered).await.header("etag"), one.get(PATH).await.header("etag"));
}

#[tokio::test]
async fn a_body_comes_as_the_client_accepts_it_with_a_tag_of_its_own() {
    let world = many();
    let (plain_headers, plain) = raw(&world, Method::GET, "identity").await;
    assert_eq!(plain_headers.get("content-encoding"), None);
    assert_eq!(plain_headers["vary"], "accept-encoding");
    let mut tags = vec![plain_headers["etag"].clone()];
    for encoding in ["gzip", "zstd"] {
        let (headers, packed) = raw(&world, Method::GET, encoding).await;
        assert_eq!(headers["content-encoding"], encoding);
        assert!(packed.len() < plain.len() / 2, "{encoding}: {} of {}", packed.len(), plain.len());
        let unpacked = match encoding {
            "zstd" => zstd::decode_all(&*packed).expect("zstd"),
            _ => {
                let mut bytes = Vec::new();
                std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*packed), &mut bytes).expect("gzip");
                bytes
            }
        };
        assert_eq!(unpacked, plain);
        assert!(!tags.contains(&headers["etag"]));
        let known = headers["etag"].to_str().expect("text").to_owned();
        let again = ask(&world, PATH, &[("accept-encoding", encoding), ("if-none-match", &known)]).await;
        assert_eq!(again.status, 304);
        let other = ask(&world, PATH, &[("accept-encoding", "identity"), ("if-none-match", &known)]).await;
        assert_eq!(other.status, 200, "those are other bytes");
        tags.push(headers["etag"].clone());
    }
    // The head alone says what the whole would.
    let (mut headers, body) = raw(&world, Method::HEAD, "gzip").await;
    assert!(body.is_empty());
    let (mut whole, packed) = raw(&world, Method::GET, "gzip").await;
    assert_eq!(headers.remove("content-length").expect("a length"), packed.len().to_string());
    whole.remove("content-length");
    assert_eq!(headers, whole);
}

#[tokio::test]
async fn an_answer_that_is_ready_ends_with_the_first_lease_in_it() {
    let world = World::with([
        ("payments", "a1", |_| {}),
        ("payments", "a2", |row| row.lease.last_heartbeat = NOW - 29),
        ("payments", "a3", |_| {}),
        ("payments", "a4", |_| {}),
    ]);
    let before = world.get(PATH).await;
    assert_eq!(before.body["matched"], 4);
    assert_eq!(before.header("cache-control"), "public, max-age=1");
    world.clock.advance(Duration::from_secs(2));
    let after = world.get(PATH).await;
    assert_eq!(after.body["matched"], 3);
    assert_ne!(after.header("etag"), before.header("etag"));
    let index = |answer: &Answer| answer.header("x-registry-index").parse::<u64>().expect("a number");
    assert!(index(&after) > index(&before), "{} after {}", index(&after), index(&before));
    assert!(index(&before) >= 1);
}

#[tokio::test]
async fn a_cache_keeps_no_lease_that_the_next_block_may_end() {
    let mut world = World::with([("payments", "a1", |row| row.lease.ttl = 40)]);
    let age = async |world: &World| world.get(PATH).await.header("cache-control").to_owned();
    for second in 0..38 {
        // A block takes long: chain time stands at the head, whose leases all run.
        let left = (40 - second).min(5);
        assert_eq!(age(&world).await, format!("public, max-age={left}"), "after {second} s");
        world.clock.advance(Duration::from_secs(1));
        world.poll(true);
    }
    assert_eq!(world.get("/v1/services").await.body["now"], "2023-11-14T22:13:21Z");

    // It has the time at which it was made, and comes late: the one after it need not.
    world.rows.checkpoint.head_time += 36;
    world.rows.checkpoint.head.number += 1;
    world.poll(true);
    assert_eq!(age(&world).await, "public, max-age=2", "not 4");
    world.clock.advance(Duration::from_millis(100));
    assert_eq!(age(&world).await, "public, max-age=1");
    world.clock.advance(Duration::from_secs(3));
    world.poll(true);
    assert_eq!(age(&world).await, "public, max-age=0");
    assert_eq!(world.labels("").await, ["a1"]);
}

#[tokio::test]
async fn only_what_is_got_can_be_known_already() {
    let world = many();
    let request = Request::post("/v1/discovery/services").header(header::CONTENT_TYPE, "application/json");
    let request = request.header(header::IF_NONE_MATCH, "*").body(r#"{"service_name":"acme/payments"}"#.into());
    let answer = world.send(request.expect("a request")).await;
    assert_eq!((answer.status.as_u16(), answer.body["instances"].as_array().map(Vec::len)), (200, Some(3)));
    let head = Request::head(PATH).header(header::IF_NONE_MATCH, "*").body(Body::empty());
    assert_eq!(world.send(head.expect("a request")).await.status, 304);
}
