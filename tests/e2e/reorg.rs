//! The chain changes its mind.

use anvil_fixtures::{Expected, Scenario};
use anyhow::Result;
use domain::InstanceId;
use e2e::{World, eventually};

#[tokio::test]
async fn a_reorg_of_five_takes_back_what_the_five_blocks_said() -> Result<()> {
    let world = World::play(Scenario::Reorg).await?;
    let before = Scenario::Reorg.expected()?;
    assert_eq!(world.chain.head().await?.hash, before.head_hash, "played again, the same chain");
    let path = "/v1/namespaces/acme/services/payments/instances?health=all";
    let mut labels = world.labels(path).await?;
    labels.sort();
    assert!(labels.contains(&"a3".to_owned()), "{labels:?}");
    let ids: Vec<InstanceId> = before.instances.keys().copied().collect();

    world.chain.reorg(5).await?;
    world.synced().await?;

    // a3 was never registered, a1 never deregistered; the index says what the contract says.
    let after = Expected::ask(&world.chain, &ids).await?;
    for (id, expected) in &after.instances {
        let (status, one) = world.get(&format!("/v1/instances/{id}")).await?;
        if expected.status == 0 {
            assert_eq!(status, 404, "{one}");
            continue;
        }
        assert_eq!(status, 200, "{one}");
        let instance = &one["instance"];
        assert_eq!(instance["status"], "active", "{one}");
        assert_eq!(instance["record_hash"], expected.record_hash.to_string());
        assert_eq!(instance["owner"], expected.owner.to_string());
    }
    assert_eq!(after.instances.values().filter(|i| i.status == 0).count(), 1);
    assert_ne!(after.head_hash, before.head_hash);
    Ok(())
}

#[tokio::test]
async fn heartbeats_of_orphaned_blocks_do_not_count() -> Result<()> {
    let world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    let (_, before) = world.get(&format!("/v1/instances/{id}")).await?;
    for _ in 0..3 {
        world.heartbeat(id).await?;
    }
    world.chain.reorg(3).await?;
    world.synced().await?;
    let (_, after) = world.get(&format!("/v1/instances/{id}")).await?;
    assert_eq!(after["instance"]["expires_at"], before["instance"]["expires_at"]);
    Ok(())
}

#[tokio::test]
async fn a_head_that_drops_without_a_word_and_grows_another_way_is_found() -> Result<()> {
    let world = World::start().await?;
    world.register("payments", "a1").await?;
    world.register("payments", "a2").await?;
    world.chain.rollback(1).await?;
    world.register("payments", "a3").await?;
    let labels = eventually("a2 gone, a3 there", async || {
        let mut labels = world.live("payments").await.ok()?;
        labels.sort();
        (labels == ["a1", "a3"]).then_some(labels)
    })
    .await?;
    assert_eq!(labels, ["a1", "a3"]);
    Ok(())
}

#[tokio::test]
async fn a_reorg_while_the_indexer_is_down_is_found_at_its_start() -> Result<()> {
    let mut world = World::start().await?;
    world.register("payments", "a1").await?;
    world.register("payments", "a2").await?;
    world.take_indexer()?.stop().await?;
    world.chain.reorg(1).await?;
    world.start_indexer();
    world.synced().await?;
    assert_eq!(world.live("payments").await?, ["a1"]);
    Ok(())
}
