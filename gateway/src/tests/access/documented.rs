//! What the contract and the docs say of access, and that each route has been decided about.

use super::*;
use crate::access::Reason;

#[tokio::test]
async fn each_documented_operation_is_open_or_guarded() {
    let guarded = Guarded::new();
    let document = serde_json::to_value(crate::openapi()).expect("JSON");
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(document["components"]["securitySchemes"]["certificate"]["type"], "mutualTLS");
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            let request = Request::builder().method(method.to_uppercase().as_str()).uri(path.replace(['{', '}'], ""));
            let answer = guarded.world.send(request.body(Body::empty()).expect("a request")).await;
            let is_guarded = operation["responses"].get("401").is_some();
            assert_eq!(answer.status == StatusCode::UNAUTHORIZED, is_guarded, "{method} {path}: {}", answer.status);
            assert_eq!(operation.get("security").is_some(), is_guarded, "{method} {path}");
            assert_eq!(operation["responses"].get("429").is_some(), is_guarded, "{method} {path}");
        }
    }
}

/// A new route fails here until somebody has decided what a key for another namespace sees of it.
#[tokio::test]
async fn no_route_tells_a_key_of_a_namespace_that_it_may_not_read() {
    let guarded = Guarded::new();
    let key = guarded.key(NewKey { namespaces: labels(&["other"]), ..NewKey::default() });
    let id = guarded.world.rows.instances[0].id.to_string();
    let document = serde_json::to_value(crate::openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").iter();
    for (path, _) in paths.filter(|(_, methods)| methods.get("get").is_some_and(|get| get.get("security").is_some())) {
        let mut real = path.replace("{ns}", "acme").replace("{name}", "payments").replace("{id}", &id);
        if path == "/v1/watch" {
            real.push_str("?service=acme/payments");
        }
        assert!(!real.contains('{'), "{path}: say here what stands for its parameters");
        let answer = guarded.get_as(&key, &real).await;
        match path.as_str() {
            "/v1/discovery/health" => assert_eq!(answer.status, 200),
            "/v1/services" => assert_eq!(answer.body["services"], serde_json::json!([])),
            _ => drop(answer.problem(403, "forbidden")),
        }
        for word in ["payments", "a1.example"] {
            assert!(!answer.body.to_string().contains(word), "{path}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_gateway_that_wants_to_know_who_asks_says_so_in_its_document() {
    let guarded = Guarded::new();
    let nobody = serde_json::json!({});
    for (served, is_open) in
        [(guarded.world.get("/openapi.json").await, false), (World::new().get("/openapi.json").await, true)]
    {
        let ways = &served.body["paths"]["/v1/services"]["get"]["security"];
        assert_eq!(ways.as_array().expect("ways").contains(&nobody), is_open, "{ways}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_send_a_key() {
    let guarded = Guarded::new();
    let ask = Request::options(PAYMENTS).header("origin", "https://page.example");
    let ask =
        ask.header("access-control-request-method", "GET").header("access-control-request-headers", "authorization");
    let answer = guarded.world.send(ask.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("access-control-allow-headers").split(',').any(|name| name == "authorization"));
    let refused = guarded.world.get(PAYMENTS).await;
    refused.unauthorized();
    assert_eq!(refused.header("access-control-allow-origin"), "*");
    assert!(refused.header("access-control-expose-headers").contains("www-authenticate"));
}

#[test]
fn every_reason_is_explained_in_the_docs() {
    let docs = include_str!("../../../../docs/access.md");
    for reason in Reason::ALL {
        let row = format!("| `{}` |", reason.as_str());
        assert_eq!(docs.matches(&row).count(), 1, "docs/access.md does not have one row {row}");
    }
}
