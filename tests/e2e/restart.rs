//! Each process goes and comes back; nothing is lost.

use anyhow::Result;
use e2e::{World, world::OWNER};

#[tokio::test]
async fn an_indexer_continues_where_it_was() -> Result<()> {
    let mut world = World::start().await?;
    world.register("payments", "a1").await?;
    world.take_indexer()?.stop().await?;
    let registration = anvil_fixtures::scenario::plain(world.namespace(), "payments", "a2", "1.0.0");
    world.chain.send(OWNER, &bindings::ServiceRegistry::registerCall { registration }).await?;
    world.start_indexer();
    world.synced().await?;
    let mut labels = world.live("payments").await?;
    labels.sort();
    assert_eq!(labels, ["a1", "a2"]);
    Ok(())
}

#[tokio::test]
async fn an_indexer_that_crashes_between_any_two_steps_loses_and_doubles_nothing() -> Result<()> {
    let mut world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    for round in 0..10 {
        world.chain.send(OWNER, &bindings::ServiceRegistry::heartbeatCall { id: id.0 }).await?;
        // No waiting: the crash hits whatever the indexer is doing.
        world.take_indexer()?.crash().await;
        world.start_indexer();
        if round % 3 == 0 {
            world.synced().await?;
        }
    }
    world.synced().await?;
    let heartbeats = e2e::database::count(&world.database_url, "heartbeat").await?;
    assert_eq!(heartbeats, 10);
    Ok(())
}

#[tokio::test]
async fn a_gateway_comes_back_with_the_same_answer() -> Result<()> {
    let mut world = World::start().await?;
    world.register("payments", "a1").await?;
    let path = format!("/v1/namespaces/{OWNER}/services/payments/instances");
    let (_, before) = world.get(&path).await?;
    world.take_gateway()?.stop().await?;
    world.start_gateway().await?;
    world.synced().await?;
    let (_, after) = world.get(&path).await?;
    assert_eq!(after["instances"], before["instances"]);
    Ok(())
}

#[tokio::test]
async fn postgres_goes_and_comes_back() -> Result<()> {
    let mut world = World::with_own_postgres().await?;
    world.register("payments", "a1").await?;
    world.postgres()?.stop_server().await?;

    // From memory, and it says so once it has missed the database long enough.
    assert_eq!(world.live("payments").await?, ["a1"]);
    world.clock.advance(std::time::Duration::from_secs(4));
    let (_, services) = world.get("/v1/services").await?;
    assert_eq!(services["mode"], "stale", "{services}");
    assert_eq!(world.get("/readyz").await?.0, 503);
    let registration = anvil_fixtures::scenario::plain(world.namespace(), "payments", "a2", "1.0.0");
    world.chain.send(OWNER, &bindings::ServiceRegistry::registerCall { registration }).await?;
    assert_eq!(world.live("payments").await?, ["a1"]);

    world.postgres()?.start_server().await?;
    world.synced().await?;
    let mut labels = world.live("payments").await?;
    labels.sort();
    assert_eq!(labels, ["a1", "a2"]);
    Ok(())
}

#[tokio::test]
async fn anvil_goes_and_comes_back_with_its_state() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = World::with_kept_chain(folder.path().join("state.json")).await?;
    world.register("payments", "a1").await?;
    world.restart_anvil().await?;
    world.register("payments", "a2").await?;
    let mut labels = world.live("payments").await?;
    labels.sort();
    assert_eq!(labels, ["a1", "a2"]);
    Ok(())
}
