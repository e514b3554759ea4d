//! An index never changes its chain.

use anyhow::Result;
use e2e::{World, world::start_indexer};

#[tokio::test]
async fn an_index_refuses_another_chain_with_the_same_id() -> Result<()> {
    let mut world = World::start().await?;
    world.register("payments", "a1").await?;
    world.take_indexer()?.stop().await?;

    // Another Anvil: the same chain id, the same contract at the same address, another genesis.
    let other = World::start_at(anvil_fixtures::GENESIS_TIME + 1).await?;
    let mut config = world.indexer_config();
    config.rpc_urls = vec![other.rpc_url().to_owned()];
    let error = start_indexer(config).ended().await.expect_err("another genesis");

    let message = format!("{error:#}");
    assert!(message.contains("genesis"), "{message}");
    assert_eq!(world.live("payments").await?, ["a1"], "what was indexed is still served");
    Ok(())
}

#[tokio::test]
async fn a_running_indexer_stops_when_its_chain_is_replaced() -> Result<()> {
    let mut world = World::start().await?;
    world.register("payments", "a1").await?;
    let mut running = world.take_indexer()?;
    world.replace_anvil(anvil_fixtures::GENESIS_TIME + 1).await?;
    let error = running.ended().await.expect_err("another genesis");
    assert!(format!("{error:#}").contains("genesis"), "{error:#}");
    assert_eq!(world.live("payments").await?, ["a1"]);
    Ok(())
}

#[tokio::test]
async fn an_address_without_a_contract_is_refused() -> Result<()> {
    let world = World::start().await?;
    let mut config = world.indexer_config();
    config.contract = anvil_fixtures::chain::ACCOUNTS[3];
    config.database_url = e2e::database::create().await?;
    let error = start_indexer(config).ended().await.expect_err("no contract");
    assert!(format!("{error:#}").contains("no contract"), "{error:#}");
    Ok(())
}
