//! The whole API contract is one snapshot, gateway/openapi.json, and it tells the truth.

use std::collections::BTreeSet;

use super::*;

#[test]
fn the_committed_document_is_the_contract() {
    let committed = include_str!("../../openapi.json");
    let mut text = serde_json::to_string_pretty(&crate::openapi()).expect("JSON");
    text.push('\n');
    assert!(committed == text, "gateway/openapi.json is not up to date: run `cargo xtask openapi`");
}

#[test]
fn no_two_operations_have_one_name() {
    let document = serde_json::to_value(crate::openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    let operations: Vec<&Value> = paths.values().flat_map(|path| path.as_object().expect("methods").values()).collect();
    let names: BTreeSet<&str> = operations.iter().filter_map(|operation| operation["operationId"].as_str()).collect();
    assert_eq!(names.len(), operations.len());
}

#[tokio::test]
async fn documented_parameters_are_those_that_are_accepted() {
    let world = World::with([("payments", "a1", |_| {})]);
    let document = serde_json::to_value(crate::openapi()).expect("JSON");
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("methods") {
            // A probe must not fail because of how it is asked.
            if operation["tags"][0] == "operations" {
                continue;
            }
            let uri = path.replace("{id}", &world.rows.instances[0].id.to_string());
            let uri = uri.replace("{ns}", "acme").replace("{name}", "payments");
            let request = Request::builder().method(method.to_uppercase().as_str()).uri(format!("{uri}?nonsense=1"));
            let answer = world.send(request.body(Body::empty()).expect("a request")).await;
            answer.problem(400, "unknown-parameter");
            let allowed = answer.body["allowed"].as_str().expect("what is allowed").replace("meta.<key>", "meta");
            let allowed: BTreeSet<&str> = allowed.split(", ").filter(|name| *name != "none").collect();
            let parameters = operation["parameters"].as_array().expect("parameters");
            let documented = parameters.iter().filter(|parameter| parameter["in"] == "query");
            let documented = documented.map(|parameter| parameter["name"].as_str().expect("a name")).collect();
            assert_eq!(allowed, documented, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served_from_here() {
    let world = World::new();
    let document = world.get("/openapi.json").await;
    assert_eq!(document.status, 200);
    assert_eq!(document.body, serde_json::to_value(crate::openapi()).expect("JSON"));
    let moved = world.get("/docs").await;
    assert_eq!((moved.status, moved.header("location")), (StatusCode::SEE_OTHER, "/docs/"));
    let page = world.get("/docs/").await;
    assert_eq!(page.status, 200);
    let html = page.body.as_str().expect("a page");
    assert!(!html.contains("http://") && !html.contains("https://"), "the page works offline: {html}");
    assert!(!html.contains("<script>") && !html.contains("<style"), "nothing inline: {html}");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert_eq!(world.get("/docs/swagger-ui-bundle.js").await.status, 200);
    let start = world.get("/docs/swagger-initializer.js").await.body;
    assert!(start.as_str().expect("a script").contains("/openapi.json"), "{start}");
}
