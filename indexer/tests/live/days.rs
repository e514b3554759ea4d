//! Days go by: heartbeats go, uptimes stay, and every index has the same ones.

use alloy::sol_types::SolCall;
use anyhow::{Result, ensure};
use bindings::ServiceRegistry as calls;
use domain::{InstanceId, Status};
use indexer::{
    Config,
    check::{Report, check},
};
use serde_json::json;
use store::{
    audit::Audit,
    rows::{DAY, LeaseRow, Upkeep, UptimeRow},
    schema,
};

use crate::{
    governance::{key, status_set},
    world::{OWNER, World, eventually, record, register},
};

/// Enough blocks for Anvil to call final what is below.
const FINAL: u64 = 70;

/// One call in a block of its own, at a time.
async fn at(world: &World, time: u64, call: &impl SolCall) -> Result<()> {
    world.chain.raw("evm_setNextBlockTimestamp", json!([time])).await?;
    ensure!(world.chain.send(call).await?, "{}: refused", std::any::type_name_of_val(call));
    Ok(())
}

/// A second per block, the first at a time.
async fn settle(world: &World, time: u64) -> Result<()> {
    world.chain.raw("evm_setNextBlockTimestamp", json!([time])).await?;
    world.chain.raw("anvil_mine", json!([FINAL, 1])).await.map(drop)
}

async fn upkeep(world: &World) -> Result<Upkeep> {
    Ok(Audit::begin(&schema::connect(&world.database_url).await?).await?.upkeep())
}

/// What the days before one were like, and the leases at their end, once they are rolled up.
async fn uptimes(world: &World, day: u64) -> Result<(Vec<UptimeRow>, Vec<LeaseRow>)> {
    eventually(&format!("the days before {day}"), async || (upkeep(world).await.ok()?.uptime_day == day).then_some(()))
        .await?;
    let mut audit = Audit::begin(&schema::connect(&world.database_url).await?).await?;
    Ok((audit.uptimes(0, day).await?, audit.rolled_leases().await?))
}

/// The first second of a day, some days after the chain's newest block.
async fn midnight(world: &World, days: u64) -> Result<u64> {
    Ok((world.chain.time().await? / DAY + days) * DAY)
}

async fn is_right(world: &World) -> Result<Report> {
    world.agrees().await?;
    let report = check(&world.config, |_| {}).await?;
    ensure!(report.agrees(), "{report:?}");
    Ok(report)
}

fn beat(n: u8) -> calls::heartbeatCall {
    calls::heartbeatCall { id: record(n, 0).id().0 }
}

#[tokio::test]
async fn uptimes_are_exact_and_the_same_in_every_index_through_reorgs_and_restarts() -> Result<()> {
    let mut world = World::new().await?;
    world.config = Config { keep_heartbeats: 1, ..world.config };
    let first = midnight(&world, 1).await?;
    let indexer = world.index();
    at(&world, first + 10, &register(record(0, 0), 100_000)).await?;
    at(&world, first + 20, &register(record(1, 0), 60)).await?;
    at(&world, first + 50, &beat(1)).await?;
    at(&world, first + 60, &beat(1)).await?;
    world.agrees().await?;
    world.chain.reorg(1).await?;
    world.agrees().await?;
    indexer.kill().await;
    at(&world, first + DAY - 5, &register(record(3, 0), 30)).await?;
    at(&world, first + DAY + 200, &calls::deregisterCall { key: key(&record(0, 0)) }).await?;
    let indexer = world.index();
    at(&world, first + DAY + 300, &beat(3)).await?;
    at(&world, first + DAY + 310, &status_set(&record(3, 0), Status::Suspended)).await?;
    // Signed long before it comes: it makes nobody live, then or now.
    let items = vec![world.chain.signed_heartbeat(OWNER, record(1, 0).id(), first + 5_000).await?];
    at(&world, first + 2 * DAY + 5, &calls::heartbeatSignedCall { items }).await?;
    world.agrees().await?;
    indexer.stop().await?;
    settle(&world, first + 4 * DAY).await?;
    let indexer = world.index();

    let days = (first + 4 * DAY) / DAY;
    let (rows, leases) = uptimes(&world, days).await?;
    let row = |n, after: u64, seconds_up, heartbeats| {
        let instance: InstanceId = record(n, 0).id();
        UptimeRow { day: first / DAY + after, instance, seconds_up, heartbeats }
    };
    let mut expected = vec![
        row(0, 0, 86_390, 0),
        row(0, 1, 200, 0),
        // The heartbeat at 60 was taken back.
        row(1, 0, 91, 1),
        row(1, 2, 0, 1),
        row(3, 0, 5, 0),
        row(3, 1, 26 + 10, 1),
    ];
    expected.sort();
    ensure!(rows == expected, "{rows:#?}");
    ensure!(leases.len() == 3, "{leases:?}");
    // Anvil keeps a word of zero of the personal namespace, which a status was set in.
    ensure!(is_right(&world).await?.registry.zero_words > 0);
    eventually("old heartbeats gone", async || (upkeep(&world).await.ok()?.heartbeats_from == days - 1).then_some(()))
        .await?;
    is_right(&world).await?;

    let mut fresh = world.beside().await?;
    fresh.config.keep_heartbeats = 0;
    let other = fresh.index();
    ensure!(uptimes(&fresh, days).await? == (rows, leases), "a fresh index has others");
    is_right(&fresh).await?;
    ensure!(upkeep(&fresh).await?.heartbeats_from == 0);
    other.stop().await?;
    indexer.stop().await
}

#[tokio::test]
async fn a_reorg_finds_the_last_heartbeat_of_an_instance_whose_heartbeats_are_gone() -> Result<()> {
    let mut world = World::new().await?;
    world.config = Config { keep_heartbeats: 1, ..world.config };
    let first = midnight(&world, 1).await?;
    let indexer = world.index();
    at(&world, first + 10, &register(record(0, 0), 30)).await?;
    at(&world, first + 20, &register(record(1, 0), 30)).await?;
    let ids = vec![record(0, 0).id().0, record(1, 0).id().0];
    at(&world, first + 30, &calls::heartbeatBatchCall { ids }).await?;
    let shared = world.chain.head().await?;
    at(&world, first + 40, &beat(0)).await?;
    settle(&world, first + 5 * DAY).await?;
    let day = first / DAY + 5;
    uptimes(&world, day).await?;
    eventually("old heartbeats gone", async || (upkeep(&world).await.ok()?.heartbeats_from == day - 1).then_some(()))
        .await?;
    is_right(&world).await?;

    // Both had been silent; then the chain takes back that they are back, late ones too.
    for (day, depth) in [(6, 1), (7, 2)] {
        let time = first + day * DAY;
        at(&world, time, &beat(0)).await?;
        let items = vec![world.chain.signed_heartbeat(OWNER, record(1, 0).id(), first + 2 * DAY).await?];
        at(&world, time + 1, &calls::heartbeatSignedCall { items }).await?;
        is_right(&world).await?;
        world.chain.rollback(depth).await?;
        world.chain.mine(3).await?;
        is_right(&world).await?;
    }

    // Below what was final: of these heartbeats only the events are left.
    let depth = world.chain.head().await?.number - shared.number;
    ensure!(depth > FINAL);
    world.chain.rollback(depth).await?;
    world.chain.mine(3).await?;
    is_right(&world).await?;
    ensure!(upkeep(&world).await?.uptime_day < day, "what was rolled up of the old chain is gone");

    at(&world, first + 9 * DAY, &beat(1)).await?;
    settle(&world, first + 11 * DAY).await?;
    let again = uptimes(&world, first / DAY + 11).await?;
    is_right(&world).await?;
    let fresh = world.beside().await?;
    let other = fresh.index();
    ensure!(uptimes(&fresh, first / DAY + 11).await? == again, "a fresh index has others");
    is_right(&fresh).await?;
    other.stop().await?;
    indexer.stop().await
}
