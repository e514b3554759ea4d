//! Strings from the chain are hostile: indexed, served, harmless.

use anvil_fixtures::Scenario;
use anyhow::Result;
use e2e::World;
use serde_json::Value;

const PATH: &str = "/v1/namespaces/mallory/services/hostile/instances?health=all&limit=1000";

fn by_label<'a>(body: &'a Value, label: &str) -> &'a Value {
    body["instances"].as_array().and_then(|l| l.iter().find(|i| i["label"] == label)).expect(label)
}

#[tokio::test]
async fn every_hostile_instance_is_served_as_valid_json() -> Result<()> {
    let world = World::load(Scenario::Hostile).await?;
    let (status, body) = world.get(PATH).await?;
    assert_eq!(status, 200);
    let expected = Scenario::Hostile.expected()?.instances.len();
    assert_eq!(body["instances"].as_array().map(Vec::len), Some(expected));

    // Bytes that are no text come back byte for byte.
    let invalid = by_label(&body, "invalid-utf8");
    assert_eq!(invalid["endpoints"][0]["base64"], "//6AaHR0cHM6Ly8=");
    assert_eq!(invalid["metadata_base64"], "//97ImEiOjF9");
    assert!(invalid.get("metadata").is_none_or(Value::is_null));
    assert!(by_label(&body, "nul")["endpoints"][0].get("uri").is_none());
    assert!(by_label(&body, "terminal")["endpoints"][0].get("uri").is_none());
    assert!(by_label(&body, "header-injection")["endpoints"][0].get("uri").is_none());
    assert!(by_label(&body, "deep")["metadata_base64"].is_string());
    assert_eq!(by_label(&body, "long")["endpoints"].as_array().map(Vec::len), Some(16));
    Ok(())
}

#[tokio::test]
async fn hostile_bytes_reach_no_header_and_no_control_character_leaves_unescaped() -> Result<()> {
    let world = World::load(Scenario::Hostile).await?;
    for path in [PATH, "/v1/services", "/metrics", "/v1/discovery/health"] {
        let response = if path == "/metrics" { world.admin(path).await? } else { world.response(path).await? };
        assert_eq!(response.status(), 200, "{path}");
        assert!(!response.headers().contains_key("x-evil"));
        assert!(!response.headers().contains_key("set-cookie"));
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
        let body = response.bytes().await?;
        let raw = body.iter().find(|&&b| b < 0x20 && b != b'\n');
        assert_eq!(raw, None, "{path}");
    }
    Ok(())
}
