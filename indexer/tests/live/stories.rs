//! What happens on a chain.

use alloy::primitives::{B256, Uint, keccak256};
use anyhow::{Result, ensure};
use bindings::{IRegistryTypes, ServiceRegistry};
use domain::{Namespace, Status};
use indexer::Config;

use crate::world::{World, record, register};

/// One transaction of the story number `n`: all kinds, some of which the contract refuses.
async fn act(world: &World, n: u8) -> Result<()> {
    let chain = &world.chain;
    let record = record(n, n);
    let id = record.id().0;
    let key = IRegistryTypes::InstanceKey {
        service: record.service().0,
        registrant: record.registrant,
        labelHash: keccak256(record.label.as_bytes()),
    };
    match n % 7 {
        0 | 1 => chain.send(&register(record, 5 + u32::from(n))).await?,
        2 => chain.send(&ServiceRegistry::heartbeatCall { id }).await?,
        3 => {
            let prev = chain.contract().recordHashOf(id).call().await?;
            let change = IRegistryTypes::RecordUpdate {
                key,
                prevRecordHash: prev,
                version: format!("2.{n}"),
                endpoints: record.endpoints,
                metadata: record.metadata,
                ttl: Uint::from(60),
            };
            chain.send(&ServiceRegistry::updateCall { change }).await?
        }
        4 => {
            let ids: Vec<B256> = (0..6).map(|n| crate::world::record(n, 0).id().0).chain([id]).collect();
            chain.send(&ServiceRegistry::heartbeatBatchCall { ids }).await?
        }
        5 if n.is_multiple_of(2) => chain.send(&ServiceRegistry::deregisterCall { key }).await?,
        _ => chain.send(&ServiceRegistry::claimNamespaceCall { label: format!("label-{n}") }).await?,
    };
    Ok(())
}

/// Several of them, a block each.
pub async fn acts(world: &World, numbers: impl IntoIterator<Item = u8>) -> Result<()> {
    for n in numbers {
        act(world, n).await?;
    }
    Ok(())
}

#[tokio::test]
async fn every_event_reaches_the_index_before_and_after_a_restart() -> Result<()> {
    let world = World::new().await?;
    acts(&world, 0..30).await?;
    let indexer = world.index();
    let backfilled = world.agrees().await?;
    ensure!(backfilled.instances.len() == 6 && backfilled.services.len() == 2, "{backfilled:?}");
    ensure!(
        backfilled
            .namespaces
            .iter()
            .any(|row| row.label.clone().is_some_and(|label| row.id == Namespace::Label(label).id()))
    );
    ensure!(backfilled.instances.iter().any(|row| row.endpoints[0].starts_with(b"\0\xff")));

    acts(&world, 30..60).await?;
    world.agrees().await?;
    indexer.stop().await?;
    acts(&world, 60..90).await?;
    let indexer = world.index();
    let all = world.agrees().await?;
    ensure!(all.instances.iter().any(|row| row.lease.status == Status::Deregistered));
    indexer.stop().await
}

#[tokio::test]
async fn a_tip_that_stands_still_is_confirmed_again_and_again() -> Result<()> {
    let world = World::new().await?;
    let indexer = world.index();
    let first = world.agrees().await?.checkpoint;
    crate::world::eventually("confirmations", async || {
        let now = world.checkpoint().await.ok()?;
        (now.confirmations > first.confirmations + 3 && now.head == first.head).then_some(())
    })
    .await?;
    indexer.stop().await
}

#[tokio::test]
async fn reorgs_and_rollbacks_leave_what_the_chain_says() -> Result<()> {
    let world = World::new().await?;
    let indexer = world.index();
    let mut n = 0;
    for (more, depth) in [(12, 1), (9, 5), (14, 5), (7, 3), (20, 8), (4, 2)] {
        acts(&world, n..n + more).await?;
        n += more;
        world.agrees().await?;
        world.chain.reorg(depth).await?;
        world.agrees().await?;
    }
    for depth in [1, 4, 6] {
        acts(&world, n..n + 8).await?;
        n += 8;
        world.agrees().await?;
        world.chain.rollback(depth).await?;
        acts(&world, n..n + 3).await?;
        n += 3;
        world.agrees().await?;
    }
    ensure!(world.checkpoint().await?.problem.is_none());
    indexer.stop().await
}

#[tokio::test]
async fn a_reorg_while_nobody_looked_is_found_at_the_start() -> Result<()> {
    let world = World::new().await?;
    acts(&world, 0..20).await?;
    let indexer = world.index();
    world.agrees().await?;
    indexer.stop().await?;
    world.chain.reorg(6).await?;
    acts(&world, 20..26).await?;
    let indexer = world.index();
    world.agrees().await?;
    indexer.stop().await
}

#[tokio::test]
async fn a_reorg_deeper_than_the_window_goes_back_to_the_last_event_that_is_still_there() -> Result<()> {
    let mut world = World::new().await?;
    world.config = Config { window: 2, ..world.config };
    acts(&world, 0..12).await?;
    // No block above is final to this chain: only the window is remembered.
    world.chain.mine(80).await?;
    acts(&world, 12..30).await?;
    let indexer = world.index();
    world.agrees().await?;
    for n in 30..40 {
        act(&world, n).await?;
    }
    world.agrees().await?;
    indexer.stop().await?;
    // Below the finalized block of the index, so below all that it remembers.
    world.chain.mine(90).await?;
    let indexer = world.index();
    world.agrees().await?;
    world.chain.rollback(100).await?;
    acts(&world, 40..50).await?;
    world.chain.mine(200).await?;
    world.agrees().await?;
    indexer.stop().await
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_backfill_in_small_ranges_loses_and_doubles_nothing() -> Result<()> {
    let mut world = World::new().await?;
    world.config = Config { max_range: 7, window: 3, ..world.config };
    for n in 0..4 {
        acts(&world, n * 30..n * 30 + 30).await?;
        world.chain.mine(40).await?;
    }
    for _ in 0..6 {
        world.index().crash().await;
    }
    let indexer = world.index();
    world.agrees().await?;
    indexer.stop().await
}
