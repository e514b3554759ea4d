//! Bad queries → 400 with the reason.

use anyhow::Result;
use e2e::{World, world::OWNER};

#[tokio::test]
async fn every_bad_query_is_told_what_is_wrong() -> Result<()> {
    let world = World::start().await?;
    world.register("payments", "a1").await?;
    let instances = format!("/v1/namespaces/{OWNER}/services/payments/instances");
    for (path, status, reason) in [
        (format!("{instances}?limit=0"), 400, "limit"),
        (format!("{instances}?limit=many"), 400, "limit"),
        (format!("{instances}?health=sick"), 400, "health"),
        (format!("{instances}?version=not-a-range"), 400, "version"),
        (format!("{instances}?healht=all"), 400, "healht"),
        ("/v1/services?cursor=%00".into(), 400, "cursor"),
        ("/v1/services?limit=100000".into(), 400, "limit"),
        ("/v1/namespaces/ACME/services/payments/instances".into(), 400, "namespace"),
        ("/v1/namespaces/0x12/services/payments/instances".into(), 400, "0x12"),
        ("/v1/namespaces/acme/services/pay%20ments/instances".into(), 400, "service"),
        ("/v1/instances/0x12".into(), 400, "0x"),
        (format!("/v1/instances/0x{}", "0".repeat(64)), 404, "instance"),
        ("/v1/namespaces/acme/services/nobody/instances".into(), 404, "nobody"),
        ("/v1/nonsense".into(), 404, "nonsense"),
    ] {
        let response = world.response(&path).await?;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        let problem: serde_json::Value = response.json().await?;
        assert_eq!(problem["status"], status, "{path}");
        assert!(problem["type"].is_string() && problem["title"].is_string(), "{problem}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(reason), "{path}: {detail:?} does not name {reason:?}");
    }
    Ok(())
}

#[tokio::test]
async fn ready_live_and_metrics_answer() -> Result<()> {
    let mut world = World::start().await?;
    assert_eq!(world.response("/livez").await?.status(), 200);
    assert_eq!(world.response("/readyz").await?.status(), 200);
    let metrics = world.admin("/metrics").await?.text().await?;
    assert!(metrics.contains("rollcall_"), "{metrics}");
    let (_, openapi) = world.get("/openapi.json").await?;
    assert!(openapi["paths"]["/v1/namespaces/{ns}/services/{name}/instances"].is_object());

    // A gateway without a database is alive, and says that it is not ready and why.
    world.take_gateway()?.stop().await?;
    world.database_url = world.database_url.replace("/e2e_", "/absent_");
    world.start_gateway().await?;
    assert_eq!(world.response("/livez").await?.status(), 200);
    let (status, problem) = world.get("/readyz").await?;
    assert_eq!(status, 503, "{problem}");
    assert_eq!(world.get("/v1/services").await?.0, 503);
    Ok(())
}
