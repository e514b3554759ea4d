//! Bad days: what waiting mends, and what it does not.

use alloy::primitives::Address;
use anyhow::{Context, Result, ensure};
use faulty_rpc::{Fault, FaultyRpc};
use indexer::{Config, IndexerError, Phase};
use tools::AnvilConfig;

use crate::world::{Chain, Running, World, anvil, eventually, postgres, record, register};

#[tokio::test]
async fn a_node_that_is_away_is_waited_for_and_the_database_says_so() -> Result<()> {
    let state = tempfile::tempdir()?;
    let path = state.path().join("state.json");
    let mut world = World::new().await?;
    let config = AnvilConfig { state: Some(path.clone()), ..AnvilConfig::default() };
    let node = anvil(config.clone()).await?;
    let port = node.port();
    world.anvil = None;
    world.chain = Chain::with_registry(&node.rpc_url()).await?;
    world.config = Config { rpc_urls: vec![node.rpc_url()], contract: world.chain.registry, ..world.config };

    let indexer = world.index();
    world.chain.send(&register(record(0, 0), 30)).await?;
    world.agrees().await?;
    node.stop().await?;
    let problem = eventually("a problem", async || world.checkpoint().await.ok()?.problem).await?;
    ensure!(problem.contains("127.0.0.1"), "{problem}");

    let _node = anvil(AnvilConfig { port: Some(port), ..config }).await?;
    world.chain.send(&register(record(1, 0), 30)).await?;
    ensure!(world.agrees().await?.instances.len() == 2);
    indexer.stop().await
}

#[tokio::test]
async fn postgres_and_node_may_come_after_the_indexer() -> Result<()> {
    let mut server = postgres().await?;
    let node = anvil(AnvilConfig::default()).await?;
    let mut world = World::on(&server.url("late"), node).await?;
    server.stop_server().await?;
    let indexer = world.index();
    server.start_server().await?;
    world.agrees().await?;

    for n in 0..3 {
        server.stop_server().await?;
        world.chain.send(&register(record(n, n), 30)).await?;
        server.start_server().await?;
        world.agrees().await?;
    }
    indexer.stop().await?;
    world.anvil = None;
    let port = world.config.rpc_urls[0].rsplit_once(':').context("a port")?.1.parse()?;
    let indexer = world.index();
    let _node = anvil(AnvilConfig { port: Some(port), ..AnvilConfig::default() }).await?;
    // It waited for the node; the node has another chain.
    let error = indexer.end().await.expect_err("another chain");
    ensure!(matches!(error, IndexerError::WrongOrigin { what: "genesis hash", .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn another_chain_under_a_running_indexer_ends_it_and_deletes_nothing() -> Result<()> {
    for config in [
        AnvilConfig { timestamp: Some(1_000_000_000), ..AnvilConfig::default() },
        AnvilConfig { chain_id: 4242, ..AnvilConfig::default() },
    ] {
        let mut world = World::new().await?;
        let indexer = world.index();
        world.chain.send(&register(record(0, 0), 30)).await?;
        let before = world.agrees().await?;
        let node = world.anvil.take().context("a node")?;
        let port = node.port();
        node.kill().await?;
        let node = anvil(AnvilConfig { port: Some(port), ..config }).await?;
        let error = indexer.end().await.expect_err("another chain");
        ensure!(matches!(error, IndexerError::WrongOrigin { of: "chain", .. }), "{error}");
        let text = error.to_string();
        ensure!(text.contains("fresh database") && text.contains("127.0.0.1"), "{text}");
        let after = world.snapshot().await?;
        ensure!(before.instances == after.instances && before.checkpoint.head == after.checkpoint.head);
        ensure!(after.checkpoint.problem.as_deref().is_some_and(|problem| problem.contains("another chain")));

        // At the start too.
        world.chain = Chain::with_registry(&node.rpc_url()).await?;
        let error = world.index().end().await.expect_err("another chain");
        ensure!(matches!(error, IndexerError::WrongOrigin { .. }), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_is_said_at_the_start() -> Result<()> {
    let world = World::new().await?;
    let refused = async |config: Config| Running::start(config).end().await.expect_err("refused");
    let config = || world.config.clone();

    let error = refused(Config { contract: Address::repeat_byte(7), ..config() }).await;
    ensure!(matches!(error, IndexerError::NoContract { .. }), "{error}");
    let error = refused(Config { deploy_block: Some(0), ..config() }).await;
    ensure!(matches!(error, IndexerError::WrongDeployBlock { .. }), "{error}");
    world.chain.mine(3).await?;
    let error = refused(Config { deploy_block: Some(3), ..config() }).await;
    ensure!(matches!(error, IndexerError::WrongDeployBlock { .. }), "{error}");
    let error = refused(Config { rpc_urls: vec!["nonsense".into()], ..config() }).await;
    ensure!(matches!(error, IndexerError::Config { setting: "rpc_url", .. }), "{error}");
    let error = refused(Config { database_url: format!("{}_that_is_not_there", world.database_url), ..config() }).await;
    ensure!(matches!(error, IndexerError::Store(_)), "{error}");

    let indexer = Running::start(Config { deploy_block: Some(1), ..config() });
    world.agrees().await?;
    indexer.stop().await?;
    let error = refused(Config { contract: Address::repeat_byte(7), ..config() }).await;
    ensure!(matches!(error, IndexerError::WrongOrigin { of: "contract", .. }), "{error}");
    let error = refused(Config { deploy_block: Some(2), ..config() }).await;
    ensure!(matches!(error, IndexerError::WrongOrigin { what: "deploy block", .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn of_two_indexers_one_stands_by_and_takes_over() -> Result<()> {
    let world = World::new().await?;
    let first = world.index();
    world.agrees().await?;
    let mut second = world.index();
    second.reaches(Phase::Standby).await?;
    let before = world.checkpoint().await?.writer_epoch;
    world.chain.send(&register(record(0, 0), 30)).await?;
    world.agrees().await?;
    ensure!(world.checkpoint().await?.writer_epoch == before, "the first one still writes");

    first.kill().await;
    world.chain.send(&register(record(1, 0), 30)).await?;
    second.reaches(Phase::Follow).await?;
    world.agrees().await?;
    ensure!(world.checkpoint().await?.writer_epoch > before);

    // In turns, with a third one.
    let third = world.index();
    second.stop().await?;
    world.chain.send(&register(record(2, 0), 30)).await?;
    world.agrees().await?;
    third.stop().await
}

/// Its own node is away, and the other one's is not.
#[tokio::test]
async fn an_indexer_without_a_node_lets_the_one_that_stands_by_work() -> Result<()> {
    let world = World::new().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let faulty = FaultyRpc::start(&node.rpc_url(), &node.ws_url()).await?;
    let mut first = Running::start(Config { rpc_urls: vec![faulty.url()], ..world.config.clone() });
    world.agrees().await?;
    let mut second = world.index();
    second.reaches(Phase::Standby).await?;
    faulty.set(Fault::Refuse);
    world.chain.send(&register(record(0, 0), 30)).await?;
    second.reaches(Phase::Follow).await?;
    world.agrees().await?;
    first.reaches(Phase::Standby).await?;
    faulty.set(Fault::None);
    world.chain.send(&register(record(1, 0), 30)).await?;
    world.agrees().await?;
    first.stop().await?;
    second.stop().await
}

#[tokio::test]
async fn a_websocket_url_serves_as_well() -> Result<()> {
    let mut world = World::new().await?;
    world.config.rpc_urls = vec![world.anvil.as_ref().context("a node")?.ws_url()];
    let indexer = world.index();
    world.chain.send(&register(record(0, 0), 30)).await?;
    world.agrees().await?;
    indexer.stop().await
}
