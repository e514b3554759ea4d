//! Every error is a problem that says what to do.

use super::*;
use crate::error::Kind;

const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

fn world() -> World {
    World::with([("payments", "a1", |_| {})])
}

#[tokio::test]
async fn a_bad_parameter_is_named_with_what_was_sent_and_what_is_allowed() {
    let world = world();
    let meta = format!("{PATH}?{}", "meta.a=b&".repeat(33));
    let long = format!("{PATH}?zone=z&{}=1", "y".repeat(5_000));
    for (path, parameter, sent) in [
        (format!("{PATH}?limit=0"), "limit", "0"),
        (format!("{PATH}?limit=1001"), "limit", "1001"),
        (format!("{PATH}?limit=-1"), "limit", "-1"),
        (format!("{PATH}?limit="), "limit", ""),
        (format!("{PATH}?limit=99999999999999999999"), "limit", "99999999999999999999"),
        (format!("{PATH}?health=sick"), "health", "sick"),
        (format!("{PATH}?health="), "health", ""),
        (format!("{PATH}?consistency=sure"), "consistency", "sure"),
        (format!("{PATH}?version=latest"), "version", "latest"),
        (format!("{PATH}?version="), "version", ""),
        (format!("{PATH}?zone=a&zone=b"), "zone", "b"),
        (meta, "meta.a", "b"),
        ("/v1/services?namespace=Acme".into(), "namespace", "Acme"),
        ("/v1/services?namespace=0x12".into(), "namespace", "0x12"),
        ("/v1/services?prefix=Pay".into(), "prefix", "Pay"),
        ("/v1/services?cursor=%00".into(), "cursor", "\0"),
        ("/v1/services?cursor=YWNtZQ".into(), "cursor", "YWNtZQ"),
        ("/v1/services?limit=many".into(), "limit", "many"),
        ("/v1/namespaces/ACME/services/payments/instances".into(), "ns", "ACME"),
        ("/v1/namespaces/%F0%9F%92%A9/services/payments/instances".into(), "ns", "💩"),
        ("/v1/namespaces/acme/services/pay%20ments/instances".into(), "name", "pay ments"),
        ("/v1/instances/0x12".into(), "id", "0x12"),
    ] {
        let answer = world.get(&path).await;
        let detail = answer.problem(400, "bad-parameter");
        assert!(detail.contains(parameter), "{path}: {detail}");
        assert_eq!(answer.body["parameter"], parameter, "{path}");
        assert_eq!(answer.body["sent"], sent, "{path}");
        assert!(!answer.body["allowed"].as_str().expect("what is allowed").is_empty(), "{path}");
    }
    for (path, parameter) in [
        (format!("{PATH}?healht=all"), "healht"),
        (format!("{PATH}?consistent=true"), "consistent"),
        (format!("{PATH}?meta.=x"), "meta."),
        (format!("{PATH}?meta=x"), "meta"),
        (format!("{PATH}?Limit=1"), "Limit"),
        (format!("{PATH}?=1"), ""),
        ("/v1/services?tag=x".into(), "tag"),
        (format!("/v1/instances/{}?limit=1", B256::ZERO), "limit"),
        ("/v1/discovery/health?x".into(), "x"),
    ] {
        let answer = world.get(&path).await;
        assert!(answer.problem(400, "unknown-parameter").contains(parameter), "{path}");
        assert_eq!(answer.body["parameter"], parameter, "{path}");
    }
    let clipped = world.get(&long).await;
    assert!(clipped.problem(400, "unknown-parameter").len() < 400);
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems_too() {
    let world = world();
    for path in ["/", "/v1", "/v1/nonsense", "/v1/services/", "/docs/nonsense.js", "/v1/instances/", "//"] {
        world.get(path).await.problem(404, "unknown-route");
    }
    assert!(world.get("/v1/nonsense").await.problem(404, "unknown-route").contains("/v1/nonsense"));
    for (method, path, allow) in [
        ("POST", "/v1/services", "GET,HEAD"),
        ("DELETE", PATH, "GET,HEAD"),
        ("GET", "/v1/discovery/services", "POST"),
        ("PUT", "/openapi.json", "GET,HEAD"),
        ("EVIL", "/livez", "GET,HEAD"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        let answer = world.send(request).await;
        assert!(answer.problem(405, "method-not-allowed").contains(method));
        assert_eq!(answer.header("allow"), allow);
    }
    // A path that is no UTF-8.
    world.get("/v1/instances/%FF").await.problem(400, "bad-request");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = world();
    let request = Request::head(PATH).body(Body::empty()).expect("a request");
    let answer = world.send(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-registry-mode"), "normal");
    assert_eq!(answer.body, "");
}

#[tokio::test]
async fn any_page_may_ask_as_any_stranger_may() {
    let world = world();
    let get = world.get(PATH).await;
    assert_eq!(get.header("access-control-allow-origin"), "*");
    assert!(get.header("access-control-expose-headers").contains("x-registry-mode"));
    assert_eq!(get.header("content-security-policy"), "default-src 'none'; frame-ancestors 'none'");
    let ask = Request::options(PATH).header("origin", "https://evil.example");
    let ask = ask.header("access-control-request-method", "POST").body(Body::empty()).expect("a request");
    let allowed = world.send(ask).await;
    assert_eq!(allowed.header("access-control-allow-methods"), "GET,HEAD,POST");
    assert_eq!(allowed.headers.get("access-control-allow-credentials"), None, "no page asks in another's name");
    assert_eq!(allowed.header("access-control-max-age"), "86400");
    // An error can be read by a page as well.
    assert_eq!(world.get("/v1/nonsense").await.header("access-control-allow-origin"), "*");
}

#[test]
fn every_kind_is_explained_in_the_docs() {
    let docs = include_str!("../../../docs/errors.md");
    for kind in Kind::ALL {
        let (word, title, status) = kind.parts();
        let row = format!("| `{word}` | {} | {title}", status.as_u16());
        assert!(docs.contains(&row), "docs/errors.md does not have: {row}");
    }
    assert_eq!(docs.matches("\n| `").count(), Kind::ALL.len(), "docs/errors.md explains what does not exist");
}
