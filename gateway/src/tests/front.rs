//! Answers that are given away without the routes. That they are the same is looked at in all tests, by `World::send`.

use std::num::NonZeroU32;

use super::*;
use crate::{ClientRate, rate::Limiter};

const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

fn request(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = headers.iter().fold(Request::get(path), |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn what_is_ready_takes_no_route_and_anything_else_does() {
    let mut world = World::with([("payments", "a1", |_| {})]);
    let at_once =
        |world: &World, path: &str, headers: &[_]| world.front().at_once(&request(path, headers), &LOCAL).is_some();
    assert!(!at_once(&world, PATH, &[]), "nobody has made it yet");
    world.get(PATH).await;
    assert!(at_once(&world, PATH, &[]));
    assert!(at_once(&world, PATH, &[("accept-encoding", "gzip"), ("if-none-match", "*")]));
    for other in [
        "/v1/namespaces/acme/services/payments/instances?limit=1",
        "/v1/namespaces/acme/services/payments/instances/",
        "/v1/namespaces/acme/services/payment%73/instances",
        "/v1/namespaces/acme/services/none/instances",
        "/v1/namespaces/acme/payments/instances",
        "/v1/services",
    ] {
        assert!(!at_once(&world, other, &[]), "{other}");
    }
    assert!(!at_once(&world, PATH, &[("x-server-timing", "1")]), "the routes tell how long they took");
    let post = Request::post(PATH).body(Body::empty()).expect("a request");
    assert!(world.front().at_once(&post, &LOCAL).is_none());
    // Its lease ends: what was ready is no more.
    world.clock.advance(Duration::from_secs(31));
    world.pass(31);
    assert!(!at_once(&world, PATH, &[]));
}

#[tokio::test]
async fn it_is_counted_as_all_others_are() {
    let world = World::with([("payments", "a1", |_| {})]);
    let tag = world.get(PATH).await.header("etag").to_owned();
    let series = |status| {
        let start = format!(
            r#"rollcall_gateway_requests_total{{route="/v1/namespaces/{{ns}}/services/{{name}}/instances",method="GET",status="{status}"}} "#
        );
        let metrics = world.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(&start));
        line.map_or(0, |number| number.parse::<u64>().expect("a number"))
    };
    let (whole, known) = (series(200), series(304));
    assert_eq!((whole, known), (1, 0), "{}", world.metrics());
    let front = world.front();
    for _ in 0..3 {
        front.at_once(&request(PATH, &[]), &LOCAL).expect("an answer");
    }
    front.at_once(&request(PATH, &[("if-none-match", &tag)]), &LOCAL).expect("an answer");
    assert_eq!((series(200), series(304)), (4, 1));
}

#[tokio::test]
async fn who_asks_too_often_is_told_so_by_the_routes() {
    let world = World::with([("payments", "a1", |_| {})]);
    world.get(PATH).await;
    let rate = ClientRate { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN };
    let limiter = Arc::new(Limiter::new(rate, world.clock.clone()));
    let front = Front::new(world.state.clone(), world.access.clone(), Some(limiter));
    assert!(front.at_once(&request(PATH, &[]), &LOCAL).is_some());
    assert!(front.at_once(&request(PATH, &[]), &LOCAL).is_none());
    let mut again = request(PATH, &[]);
    again.extensions_mut().insert(LOCAL);
    let answer = front.routes().oneshot(again).await.expect("an answer");
    assert_eq!(answer.status(), 429);
}
