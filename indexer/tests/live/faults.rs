//! A node that misbehaves before one that does not: whatever it says, no row is wrong, and the other one is asked.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bindings::ServiceRegistry::heartbeatCall;
use domain::{Clock, SystemClock};
use faulty_rpc::{Fault, FaultyRpc, Part};
use indexer::{Config, IndexerError, Phase, Verify, check::check};

use crate::world::{World, eventually, record, register};

/// Far more than the change to the other node takes, since machines are busy; far less than an indexer that is stuck.
const LIMIT: Duration = Duration::from_secs(20);

/// Indexes through a faulty node with a good one behind it; then through the good one alone, to compare.
async fn survives(fault: Fault, over_websocket: bool) -> Result<()> {
    let clock = SystemClock::new();
    let mut world = World::new().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let (good, good_ws) = (node.rpc_url(), node.ws_url());
    let faulty = FaultyRpc::start(&good, &good_ws).await?;
    let first = if over_websocket { faulty.ws_url() } else { faulty.url() };
    world.config.rpc_urls = vec![first, good.clone()];
    let indexer = world.index();
    for n in 0..3 {
        ensure!(world.chain.send(&register(record(n, 0), 30)).await?);
    }
    world.agrees().await?;
    ensure!(faulty.asked("eth_getBlockByNumber") > 0, "the first node is asked first");

    faulty.set(fault);
    let before = clock.monotonic();
    for n in 3..6 {
        ensure!(world.chain.send(&register(record(n, 1), 30)).await?);
        ensure!(world.chain.send(&heartbeatCall { id: record(n, 1).id().0 }).await?);
        world.chain.mine(1).await?;
    }
    world.agrees().await.with_context(|| format!("{fault:?}"))?;
    let took = clock.monotonic().saturating_sub(before);
    ensure!(took < LIMIT, "{fault:?}: {took:?}");
    // And on, when it is well again.
    faulty.set(Fault::None);
    ensure!(world.chain.send(&heartbeatCall { id: record(0, 0).id().0 }).await?);
    world.agrees().await.with_context(|| format!("after {fault:?}"))?;
    indexer.stop().await?;
    let report = check(&Config { rpc_urls: vec![good], ..world.config.clone() }, |_| {}).await?;
    ensure!(report.agrees(), "{fault:?}: {report:?}");
    Ok(())
}

const FAULTS: [Fault; 18] = [
    Fault::Refuse,
    Fault::Hang,
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(503),
    Fault::RangeTooLarge(0),
    Fault::Lag(3),
    Fault::DropLog,
    Fault::ForgeLog(Part::Data),
    Fault::ForgeLog(Part::Topic),
    Fault::ReorderLogs,
    Fault::DuplicateLog,
    Fault::OmitLogs,
    Fault::HeadGoesBack(2),
    Fault::HighHead(1_000),
    Fault::HighHead(u64::MAX),
    Fault::Replace,
    Fault::Garbage,
];

#[tokio::test]
async fn every_fault_over_http() -> Result<()> {
    for fault in FAULTS {
        survives(fault, false).await?;
    }
    Ok(())
}

#[tokio::test]
async fn every_fault_over_websocket() -> Result<()> {
    for fault in FAULTS {
        survives(fault, true).await?;
    }
    Ok(())
}

/// It gives receipts one by one alone, and is believed no more than others: the only node of its index.
#[tokio::test]
async fn a_node_without_the_receipts_of_whole_blocks_serves_as_well() -> Result<()> {
    let mut world = World::new().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let faulty = FaultyRpc::start(&node.rpc_url(), &node.ws_url()).await?;
    faulty.set(Fault::Without("eth_getBlockReceipts"));
    world.config.rpc_urls = vec![faulty.url()];
    let indexer = world.index();
    for n in 0..3 {
        ensure!(world.chain.send(&register(record(n, 0), 30)).await?);
    }
    ensure!(world.agrees().await?.instances.len() == 3);
    ensure!(faulty.asked("eth_getTransactionReceipt") >= 3 && faulty.asked("eth_getLogs") == 0);
    indexer.stop().await
}

/// Told to verify everything, it believes nobody about old blocks either.
#[tokio::test]
async fn old_blocks_are_verified_if_that_is_asked_for() -> Result<()> {
    let world = World::new().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let faulty = FaultyRpc::start(&node.rpc_url(), &node.ws_url()).await?;
    let good = node.rpc_url();
    ensure!(world.chain.send(&register(record(0, 0), 30)).await?);
    ensure!(world.chain.send(&register(record(1, 0), 30)).await?);
    world.chain.mine(600).await?;
    faulty.set(Fault::OmitLogs);
    for (verify, instances) in [(Some(Verify::Receipts), 2), (None, 0)] {
        let mut world = world.beside().await?;
        world.config.rpc_urls = vec![faulty.url(), good.clone()];
        world.config.verify = verify;
        let mut indexer = world.index();
        indexer.reaches(Phase::Backfill).await?;
        let snapshot = world.agrees().await?;
        ensure!(snapshot.instances.len() == instances, "{verify:?}: {}", snapshot.instances.len());
        indexer.stop().await?;
        // What was believed and is not so, a check finds.
        let report = check(&Config { rpc_urls: vec![good.clone()], ..world.config.clone() }, |_| {}).await?;
        ensure!(report.agrees() == (instances == 2), "{report:?}");
    }
    Ok(())
}

/// From the start: it has another chain, or lies about every log.
#[tokio::test]
async fn a_node_that_is_wrong_from_the_start_is_left() -> Result<()> {
    let high = [1_000, u64::MAX / 2, u64::MAX].map(Fault::HighHead);
    for fault in
        [Fault::WrongChainId(7), Fault::Refuse, Fault::Hang, Fault::OmitLogs, Fault::Garbage].into_iter().chain(high)
    {
        let mut world = World::new().await?;
        let node = world.anvil.as_ref().context("a node")?;
        let faulty = FaultyRpc::start(&node.rpc_url(), &node.ws_url()).await?;
        world.config.rpc_urls = vec![faulty.url(), node.rpc_url()];
        faulty.set(fault);
        world.chain.send(&register(record(0, 0), 30)).await?;
        let indexer = world.index();
        let snapshot = world.agrees().await.with_context(|| format!("{fault:?}"))?;
        ensure!(snapshot.instances.len() == 1, "{fault:?}");
        indexer.stop().await?;
    }
    Ok(())
}

/// Where headers prove nothing, the nodes vote.
#[tokio::test]
async fn on_a_chain_with_other_headers_a_lie_is_outvoted() -> Result<()> {
    let mut world = World::new().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let mut honest = Vec::new();
    for _ in 0..2 {
        let proxy = FaultyRpc::start(&node.rpc_url(), &node.ws_url()).await?;
        proxy.set(Fault::OtherHeaders);
        honest.push(proxy);
    }
    let liar = FaultyRpc::start(&honest[0].url(), &honest[0].ws_url()).await?;
    world.config.rpc_urls = vec![liar.url(), honest[0].url(), honest[1].url()];
    let indexer = world.index();
    ensure!(world.chain.send(&register(record(0, 0), 30)).await?);
    world.agrees().await?;
    ensure!(liar.asked("eth_getLogs") > 0 && liar.asked("eth_getBlockReceipts") == 0, "the first is asked, for logs");
    ensure!(!world.checkpoint().await?.headers_hash);
    for fault in [Fault::OmitLogs, Fault::ForgeLog(Part::Data)] {
        liar.set(fault);
        ensure!(world.chain.send(&heartbeatCall { id: record(0, 0).id().0 }).await?);
        world.agrees().await.with_context(|| format!("{fault:?}"))?;
    }
    indexer.stop().await
}

/// Of two that say different things nobody knows which is right: nothing is indexed until they agree.
#[tokio::test]
async fn on_a_chain_with_other_headers_two_nodes_must_agree() -> Result<()> {
    let mut world = World::new().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let honest = FaultyRpc::start(&node.rpc_url(), &node.ws_url()).await?;
    honest.set(Fault::OtherHeaders);
    let liar = FaultyRpc::start(&honest.url(), &honest.ws_url()).await?;
    world.config.rpc_urls = vec![liar.url(), honest.url()];
    let indexer = world.index();
    ensure!(world.chain.send(&register(record(0, 0), 30)).await?);
    let before = world.agrees().await?.checkpoint.head;
    liar.set(Fault::OmitLogs);
    ensure!(world.chain.send(&heartbeatCall { id: record(0, 0).id().0 }).await?);
    let problem = eventually("a problem", async || world.checkpoint().await.ok()?.problem).await?;
    ensure!(problem.contains("do not say the same"), "{problem}");
    ensure!(world.checkpoint().await?.head == before);
    liar.set(Fault::None);
    world.agrees().await?;
    indexer.stop().await
}

#[tokio::test]
async fn a_node_that_cannot_be_asked_whose_endorsements_they_are_is_waited_for() -> Result<()> {
    let mut world = World::new().await?;
    world.deploy_endorsements().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let faulty = FaultyRpc::start(&node.rpc_url(), &node.ws_url()).await?;
    world.config.rpc_urls = vec![faulty.url()];
    let indexer = world.index();
    ensure!(world.chain.send(&register(record(0, 0), 30)).await?);
    world.agrees().await?;
    indexer.stop().await?;
    // So it answers as well when the block that was asked about is taken back meanwhile.
    faulty.set(Fault::Without("eth_call"));
    let indexer = world.index();
    let asked = faulty.asked("eth_call");
    eventually("a second attempt", async || (faulty.asked("eth_call") > asked + 1).then_some(())).await?;
    faulty.set(Fault::None);
    ensure!(world.chain.send(&register(record(1, 0), 30)).await?);
    world.agrees().await?;
    indexer.stop().await
}

/// What a node that hangs is asked for while ranges are fetched is not asked for again in smaller ranges.
#[tokio::test]
async fn a_node_that_hangs_while_an_index_is_filled_is_left_at_once() -> Result<()> {
    let clock = SystemClock::new();
    let mut world = World::new().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let good = node.rpc_url();
    let faulty = FaultyRpc::start(&good, &node.ws_url()).await?;
    ensure!(world.chain.send(&register(record(0, 0), 30)).await?);
    world.chain.mine(3_000).await?;
    ensure!(world.chain.send(&register(record(1, 0), 30)).await?);
    world.config.rpc_urls = vec![faulty.url(), good];
    let indexer = world.index();
    eventually("a range", async || (faulty.asked("eth_getLogs") > 0).then_some(())).await?;
    faulty.set(Fault::Hang);
    let before = clock.monotonic();
    ensure!(world.agrees().await?.instances.len() == 2);
    let took = clock.monotonic().saturating_sub(before);
    // A question is given up after 1.2 s; nine in a row, each for half as much, take eleven.
    ensure!(took < Duration::from_secs(8), "{took:?}");
    indexer.stop().await
}

/// It says that its chain is one whose headers prove nothing, to be believed.
#[tokio::test]
async fn a_node_cannot_get_out_of_proving_what_others_proved() -> Result<()> {
    let mut world = World::new().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let honest = FaultyRpc::start(&node.rpc_url(), &node.ws_url()).await?;
    let other = FaultyRpc::start(&node.rpc_url(), &node.ws_url()).await?;
    other.set(Fault::OtherHeaders);
    let liar = FaultyRpc::start(&other.url(), &other.ws_url()).await?;
    liar.set(Fault::OmitLogs);
    world.config.rpc_urls = vec![honest.url(), liar.url()];
    let indexer = world.index();
    ensure!(world.chain.send(&register(record(0, 0), 30)).await?);
    let before = world.agrees().await?.checkpoint.head;
    honest.set(Fault::Refuse);
    ensure!(world.chain.send(&register(record(1, 0), 30)).await?);
    let lie = async || world.checkpoint().await.ok()?.problem.filter(|problem| problem.contains("does not hash"));
    eventually("a lie", lie).await?;
    ensure!(world.checkpoint().await?.head == before, "nothing of what it says is applied");
    honest.set(Fault::None);
    ensure!(world.agrees().await?.instances.len() == 2);
    indexer.stop().await
}

/// What was proved once is in the database: a restart does not forget it.
#[tokio::test]
async fn a_node_cannot_get_out_of_proofs_after_a_restart_either() -> Result<()> {
    let mut world = World::new().await?;
    let node = world.anvil.as_ref().context("a node")?;
    let good = node.rpc_url();
    let other = FaultyRpc::start(&good, &node.ws_url()).await?;
    other.set(Fault::OtherHeaders);
    let liar = FaultyRpc::start(&other.url(), &other.ws_url()).await?;
    liar.set(Fault::OmitLogs);
    let indexer = world.index();
    ensure!(world.chain.send(&register(record(0, 0), 30)).await?);
    let before = world.agrees().await?.checkpoint.head;
    indexer.stop().await?;

    world.config.rpc_urls = vec![liar.url()];
    let indexer = world.index();
    ensure!(world.chain.send(&register(record(1, 0), 30)).await?);
    // Nothing is written by one that has not found a node: it asks it again and again.
    let asked = liar.asked_in_all();
    eventually("a few attempts", async || (liar.asked_in_all() > asked + 20).then_some(())).await?;
    ensure!(world.checkpoint().await?.head == before, "nothing of what it says is applied");
    indexer.stop().await?;

    world.config.rpc_urls = vec![liar.url(), good.clone()];
    let indexer = world.index();
    ensure!(world.agrees().await?.instances.len() == 2);
    indexer.stop().await?;

    // Nor is it believed about the index.
    let error = check(&Config { rpc_urls: vec![liar.url()], ..world.config.clone() }, |_| {}).await;
    let error = error.err().context("a check by a liar")?;
    ensure!(matches!(error, IndexerError::Lied { .. }), "{error}");
    ensure!(check(&Config { rpc_urls: vec![good], ..world.config.clone() }, |_| {}).await?.agrees());
    Ok(())
}
