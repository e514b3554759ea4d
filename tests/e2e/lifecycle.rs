//! register → visible; update; deregister; two instances of one service.

use alloy::primitives::{Bytes, keccak256};
use anyhow::Result;
use bindings::{
    ServiceRegistry::{deregisterCall, updateCall},
    abi::IRegistryTypes::{InstanceKey, RecordUpdate},
};
use domain::ServiceKey;
use e2e::{World, world::OWNER};

fn key(world: &World, service: &str, label: &str) -> InstanceKey {
    InstanceKey {
        service: ServiceKey::new(world.namespace(), service).0,
        registrant: OWNER,
        labelHash: keccak256(label),
    }
}

#[tokio::test]
async fn a_registration_is_visible_with_all_that_it_says() -> Result<()> {
    let world = World::start().await?;
    let path = format!("/v1/namespaces/{OWNER}/services/payments/instances");
    let (status, problem) = world.get(&path).await?;
    assert_eq!(status, 404, "{problem}");

    let id = world.register("payments", "a1").await?;

    let (status, body) = world.get(&path).await?;
    assert_eq!(status, 200);
    let head = world.chain.head().await?;
    assert_eq!(body["block"]["number"], head.number);
    assert_eq!(body["mode"], "normal");
    let instances = body["instances"].as_array().expect("a list");
    assert_eq!(instances.len(), 1, "{body}");
    let instance = &instances[0];
    assert_eq!(instance["id"], id.to_string());
    assert_eq!(instance["label"], "a1");
    assert_eq!(instance["version"], "1.0.0");
    assert_eq!(instance["status"], "active");
    assert_eq!(instance["live"], true);
    assert_eq!(instance["endpoints"][0]["uri"], "https://a1.payments.example:8443");
    assert_eq!(instance["metadata"]["zone"], "eu-west-1a");

    let (status, one) = world.get(&format!("/v1/instances/{id}")).await?;
    assert_eq!(status, 200);
    assert_eq!(one["instance"]["id"], id.to_string());
    let (_, services) = world.get("/v1/services").await?;
    assert_eq!(services["services"][0]["name"], "payments");
    assert!(world.is_live_on_chain(id).await?);
    Ok(())
}

#[tokio::test]
async fn two_instances_of_one_service_live_and_leave_apart() -> Result<()> {
    let world = World::start().await?;
    let a1 = world.register("payments", "a1").await?;
    world.register("payments", "a2").await?;
    world.register("search", "b1").await?;
    let mut labels = world.live("payments").await?;
    labels.sort();
    assert_eq!(labels, ["a1", "a2"]);

    world.chain.send(OWNER, &deregisterCall { key: key(&world, "payments", "a1") }).await?;
    world.synced().await?;

    assert_eq!(world.live("payments").await?, ["a2"]);
    assert_eq!(world.live("search").await?, ["b1"]);
    let all = format!("/v1/namespaces/{OWNER}/services/payments/instances?health=all");
    let (_, body) = world.get(&all).await?;
    let gone = body["instances"].as_array().expect("a list").iter().find(|i| i["label"] == "a1");
    assert_eq!(gone, None, "no longer listed");
    let (_, one) = world.get(&format!("/v1/instances/{a1}")).await?;
    assert_eq!(one["instance"]["status"], "deregistered", "{one}");
    Ok(())
}

#[tokio::test]
async fn an_update_replaces_the_record_and_keeps_the_lease() -> Result<()> {
    let world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    let (_, before) = world.get(&format!("/v1/instances/{id}")).await?;

    let change = RecordUpdate {
        key: key(&world, "payments", "a1"),
        prevRecordHash: world.chain.contract().recordHashOf(id.0).call().await?,
        version: "1.1.0".into(),
        endpoints: vec![Bytes::from_static(b"grpc://a1.payments.example:9000")],
        metadata: Bytes::from_static(br#"{"zone":"eu-west-1b"}"#),
        ttl: World::ttl(30),
    };
    world.chain.send(OWNER, &updateCall { change }).await?;
    world.synced().await?;

    let (_, after) = world.get(&format!("/v1/instances/{id}")).await?;
    let (before, after) = (&before["instance"], &after["instance"]);
    assert_eq!(after["version"], "1.1.0");
    assert_eq!(after["endpoints"][0]["uri"], "grpc://a1.payments.example:9000");
    assert_eq!(after["metadata"]["zone"], "eu-west-1b");
    assert_eq!(after["expires_at"], before["expires_at"]);
    assert_ne!(after["record_hash"], before["record_hash"]);
    let on_chain = world.chain.contract().recordHashOf(id.0).call().await?;
    assert_eq!(after["record_hash"], on_chain.to_string());
    Ok(())
}

#[tokio::test]
async fn a_deregistered_instance_can_come_back() -> Result<()> {
    let world = World::start().await?;
    let first = world.register("payments", "a1").await?;
    world.chain.send(OWNER, &deregisterCall { key: key(&world, "payments", "a1") }).await?;
    world.synced().await?;
    assert!(world.live("payments").await?.is_empty());

    let again = world.register("payments", "a1").await?;

    assert_eq!(first, again, "an id survives");
    assert_eq!(world.live("payments").await?, ["a1"]);
    Ok(())
}
