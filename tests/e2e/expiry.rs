//! Heartbeat stops → gone at its ttl, and not before.

use anyhow::Result;
use e2e::{World, world::OWNER};

#[tokio::test]
async fn an_instance_is_gone_at_its_ttl_and_not_before() -> Result<()> {
    let world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    let registered = world.chain.time().await?;

    // The last second of the ttl, to the second.
    world.chain.mine_at(registered + 30).await?;
    world.synced().await?;
    assert_eq!(world.live("payments").await?, ["a1"]);
    assert!(world.is_live_on_chain(id).await?);

    world.chain.mine_at(registered + 31).await?;
    world.synced().await?;
    assert!(world.live("payments").await?.is_empty());
    assert!(!world.is_live_on_chain(id).await?);

    // Expired is not deregistered: the instance is still known, and one heartbeat brings it back.
    let (_, one) = world.get(&format!("/v1/instances/{id}")).await?;
    assert_eq!(one["instance"]["status"], "active");
    assert_eq!(one["instance"]["live"], false);
    world.heartbeat(id).await?;
    assert_eq!(world.live("payments").await?, ["a1"]);
    Ok(())
}

#[tokio::test]
async fn a_heartbeat_moves_the_end_of_the_lease() -> Result<()> {
    let world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    let registered = world.chain.time().await?;
    world.chain.mine_at(registered + 19).await?;
    world.heartbeat(id).await?;
    let renewed = world.chain.time().await?;
    assert_eq!(renewed, registered + 20);

    world.chain.mine_at(registered + 50).await?;
    world.synced().await?;
    assert_eq!(world.live("payments").await?, ["a1"]);
    world.chain.mine_at(registered + 51).await?;
    world.synced().await?;
    assert!(world.live("payments").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn between_blocks_the_gateway_counts_on_but_stands_still_without_an_indexer() -> Result<()> {
    let mut world = World::start().await?;
    world.register("payments", "a1").await?;
    let registered = world.chain.time().await?;
    world.chain.mine_at(registered + 25).await?;
    world.synced().await?;
    world.take_indexer()?.stop().await?;

    // Nobody confirms the head any more: chain time may run on for 3 s at the most, then it stands.
    world.clock.advance(std::time::Duration::from_secs(2));
    assert_eq!(world.live("payments").await?, ["a1"]);
    world.clock.advance(std::time::Duration::from_secs(600));
    let (_, body) = world.get(&format!("/v1/namespaces/{OWNER}/services/payments/instances?health=all")).await?;
    assert_eq!(body["instances"][0]["live"], true, "{body}");
    assert_ne!(body["mode"], "normal", "{body}");
    Ok(())
}
