//! `Server-Timing` on demand.

use super::*;

const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

async fn ask(world: &World, value: &str) -> Answer {
    world.send(Request::get(PATH).header("X-Server-Timing", value).body(Body::empty()).expect("a request")).await
}

#[tokio::test]
async fn who_asks_is_told_and_nobody_else() {
    let world = World::with([("payments", "a1", |_| {})]);
    let plain = world.get(PATH).await;
    assert!(!plain.headers.contains_key("server-timing"));
    let told = ask(&world, "1").await;
    assert_eq!((told.status, told.header("server-timing")), (StatusCode::OK, "total;dur=0.000"));
    assert_eq!(told.body, plain.body);
    let but = |answer: &Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("server-timing");
        headers.remove("vary");
        headers
    };
    assert_eq!(but(&told), but(&plain));
    // A cache does not give it to those who did not ask.
    let vary: Vec<_> = told.headers.get_all("vary").iter().collect();
    assert!(vary.iter().any(|value| *value == "x-server-timing"), "{vary:?}");
    assert!(!ask(&world, "0").await.headers.contains_key("server-timing"));

    // Problems take time, too.
    let request = Request::get("/v1/nonsense").header("X-Server-Timing", "1").body(Body::empty()).expect("a request");
    assert!(world.send(request).await.header("server-timing").starts_with("total;dur="));
}

#[tokio::test]
async fn anything_else_is_a_problem() {
    let world = World::with([("payments", "a1", |_| {})]);
    for wrong in ["", "2", "yes", "1, 1"] {
        let answer = ask(&world, wrong).await;
        answer.problem(400, "bad-parameter");
        assert_eq!(answer.body["parameter"], "x-server-timing");
        assert_eq!(answer.body["sent"], wrong);
    }
}
