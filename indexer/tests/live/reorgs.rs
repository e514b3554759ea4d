//! The chain changes its mind: a little, a lot, twice, while nobody looks. The index is then what an index made anew is,
//! and nobody who reads meanwhile sees a state that no chain had.

use std::time::Duration;

use alloy::primitives::Uint;
use anyhow::{Context, Result, ensure};
use bindings::ServiceRegistry as calls;
use domain::{BlockRef, Clock, Permissions, SystemClock};
use indexer::{Config, IndexerError, Verify};
use store::{
    ingest,
    schema::{self, PgPool},
};
use tools::AnvilConfig;

use crate::{
    look::Look,
    reader::Watcher,
    stories::acts,
    world::{OWNER, Running, World, eventually, record},
};

/// A chain on which a story goes on, its index, and one who reads it all the time.
struct Tale {
    world: World,
    indexer: Option<Running>,
    watcher: Watcher,
    pool: PgPool,
    told: u8,
}

impl Tale {
    async fn begin(mut world: World, config: Config, blocks: u64) -> Result<Self> {
        world.config = config;
        let pool = schema::connect(&world.database_url).await?;
        let indexer = Some(world.index());
        // There must be an index to be read.
        world.agrees().await?;
        let watcher = Watcher::start(&world.database_url);
        let mut tale = Self { world, indexer, watcher, pool, told: 0 };
        tale.go_on(blocks).await?;
        tale.settles("the story").await?;
        Ok(tale)
    }

    /// So many blocks, most of them empty.
    async fn go_on(&mut self, blocks: u64) -> Result<()> {
        for _ in 0..blocks / 4 {
            self.tell(1).await?;
            self.world.chain.mine(3).await?;
        }
        Ok(())
    }

    /// So many blocks of all kinds.
    async fn tell(&mut self, blocks: u64) -> Result<()> {
        let (chain, expiry) = (&self.world.chain, Uint::from(4_000_000_000u64));
        let operator = chain.registry;
        for _ in 0..blocks {
            let (n, permissions) = (self.told, Permissions::ALL.bits() & (self.told % 8));
            self.told = self.told.wrapping_add(1);
            let (id, namespace) = (record(n, 0).id().0, OWNER.into_word());
            match n % 20 {
                4 => chain.send(&calls::setOperatorCall { operator, permissions, expiry }).await?,
                9 => chain.send(&calls::setInstanceOperatorCall { id, operator, permissions, expiry }).await?,
                14 => chain.send(&calls::proposeOwnerCall { id, account: operator }).await?,
                19 => {
                    let call = calls::setRegistrarCall { namespaceId: namespace, registrar: operator, expiry };
                    chain.send(&call).await?
                }
                _ => acts(&self.world, n..=n).await.map(|()| true)?,
            };
        }
        Ok(())
    }

    /// The index gets to the chain's head. Says how long it took; that is no part of the test, for machines are busy.
    async fn arrives(&self, what: &str) -> Result<()> {
        let (clock, head) = (SystemClock::new(), self.world.chain.head().await?);
        let changed = clock.monotonic();
        let at_head = async || Some(ingest::checkpoint(&self.pool).await.ok()??.head).filter(|at| *at == head);
        eventually(what, at_head).await?;
        println!("{what}: at {} after {:?}", head.number, clock.monotonic().saturating_sub(changed));
        Ok(())
    }

    /// The same, and it is what the contract says, and what an index made anew is.
    async fn settles(&self, what: &str) -> Result<()> {
        self.arrives(what).await?;
        self.world.agrees().await.with_context(|| what.to_owned())?;
        let mut fresh = self.world.beside().await?;
        // By the fastest way, which is another one: raw logs of ranges.
        let (verify, poll_interval) = (Some(Verify::None), Duration::from_millis(20));
        fresh.config = Config { verify, poll_interval, max_range: 2_000, ..fresh.config };
        let indexer = fresh.index();
        fresh.agrees().await?;
        indexer.stop().await?;
        let theirs = Look::at(&schema::connect(&fresh.database_url).await?).await?;
        Look::at(&self.pool).await?.is(&theirs).with_context(|| what.to_owned())
    }

    async fn reorg(&mut self, what: &str, depth: u64) -> Result<()> {
        self.world.chain.reorg(depth).await?;
        self.settles(&format!("{what}: {depth} blocks")).await?;
        self.tell(4).await
    }

    /// The lowest block that the index remembers.
    async fn lowest(&self) -> Result<BlockRef> {
        Ok(Look::at(&self.pool).await?.blocks.first().context("a block")?.block)
    }

    async fn stop(&mut self) -> Result<()> {
        self.indexer.take().context("it runs")?.stop().await
    }

    /// The last one. All that anybody read was whole, and something was taken back before their eyes.
    async fn end(mut self) -> Result<()> {
        self.stop().await?;
        let seen = self.watcher.stop().await?;
        println!("read {} times, {} heads, {} times one that was not higher", seen.looks, seen.heads, seen.back);
        ensure!(seen.looks > 20 && seen.heads > 10 && seen.back > 3, "{seen:?}");
        Ok(())
    }
}

/// All of them, one after the other.
async fn every_reorg(mut tale: Tale) -> Result<()> {
    for depth in [1, 5, 20, 45] {
        tale.reorg("a reorg", depth).await?;
    }
    tale.arrives("between").await?;
    tale.world.chain.reorg(20).await?;
    tale.world.chain.reorg(7).await?;
    tale.settles("two reorgs in a row").await?;
    tale.world.chain.reorg(3).await?;
    tale.tell(2).await?;
    tale.world.chain.reorg(12).await?;
    tale.settles("a reorg in a reorg").await?;

    // A head that goes back alone is that of a node that lags; what comes after it says whether it is a reorg.
    for (back, forth) in [(10, 3), (6, 6), (4, 9)] {
        tale.tell(back).await?;
        tale.arrives("before the head goes back").await?;
        tale.world.chain.rollback(back).await?;
        tale.tell(forth).await?;
        tale.settles(&format!("{back} blocks back and {forth} on")).await?;
    }

    tale.stop().await?;
    tale.world.chain.reorg(15).await?;
    tale.tell(3).await?;
    tale.world.chain.rollback(8).await?;
    tale.tell(2).await?;
    tale.indexer = Some(tale.world.index());
    tale.settles("while stopped").await?;

    let lowest = tale.lowest().await?;
    tale.reorg("the whole window", tale.world.chain.head().await?.number - lowest.number).await?;
    ensure!(tale.world.chain.block(lowest.number).await? == lowest);
    tale.arrives("between").await?;
    let lowest = tale.lowest().await?;
    tale.reorg("deeper than the window", tale.world.chain.head().await?.number - lowest.number + 10).await?;
    ensure!(tale.world.chain.block(lowest.number).await? != lowest);
    tale.arrives("between").await?;
    let deploy = tale.world.checkpoint().await?.origin.deploy_block.number;
    let all = tale.world.chain.head().await?.number - deploy;
    tale.reorg("all but the contract", all).await?;
    tale.settles("at last").await?;
    tale.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_reorg_leaves_what_a_fresh_index_is_and_nobody_reads_a_half() -> Result<()> {
    let world = World::new().await?;
    // As it is when nobody sets it: the pace of its looks at the chain, and the window. Without ranges all of it is
    // remembered.
    let of = world.config.clone();
    let verify = Some(Verify::Receipts);
    let config = Config { verify, ..Config::new(of.rpc_urls[0].clone(), of.database_url, of.contract) };
    every_reorg(Tale::begin(world, config, 290).await?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_with_a_window_that_most_reorgs_are_deeper_than() -> Result<()> {
    let world = World::with(AnvilConfig { slots_in_an_epoch: 1, ..AnvilConfig::default() }).await?;
    let config = Config { window: 16, max_range: 8, ..world.config.clone() };
    every_reorg(Tale::begin(world, config, 120).await?).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reorg_in_the_middle_of_a_backfill_is_found() -> Result<()> {
    // Above what was applied, in the midst of it, and deep below.
    for beyond in [-30, 2, 60] {
        let world = World::with(AnvilConfig { slots_in_an_epoch: 1, ..AnvilConfig::default() }).await?;
        let config = Config { window: 4, max_range: 2, ..world.config.clone() };
        let mut tale = Tale::begin(world, config, 20).await?;
        tale.stop().await?;
        tale.go_on(180).await?;
        tale.indexer = Some(tale.world.index());
        let tip = tale.world.chain.head().await?.number;
        let at = eventually("half of it", async || {
            Some(tale.world.checkpoint().await.ok()?.head.number).filter(|at| *at > 80)
        })
        .await?;
        ensure!(at < tip, "it was faster than we look");
        tale.world.chain.reorg((tip - at).saturating_add_signed(beyond).clamp(1, tip - 10)).await?;
        tale.settles(&format!("in a backfill at {at} of {tip}, {beyond} beyond")).await?;
        tale.stop().await?;
        ensure!(tale.watcher.stop().await?.heads > 3);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_is_shorter_than_ours_is_no_node_that_lags() -> Result<()> {
    // No block is final yet, and the index comes to the head in one go.
    let world = World::new().await?;
    let config = Config { window: 2, ..world.config.clone() };
    let mut tale = Tale::begin(world, config, 4).await?;
    tale.stop().await?;
    tale.world.chain.mine(40).await?;
    tale.indexer = Some(tale.world.index());
    tale.arrives("forty empty blocks").await?;
    tale.stop().await?;
    tale.world.chain.rollback(20).await?;
    tale.tell(3).await?;
    tale.indexer = Some(tale.world.index());
    tale.settles("twenty of them are gone, three others came").await?;
    tale.stop().await?;
    ensure!(tale.watcher.stop().await?.back > 0);
    Ok(())
}

#[tokio::test]
async fn a_reorg_of_the_deploy_block_ends_it_with_what_to_do_and_deletes_nothing() -> Result<()> {
    let world = World::new().await?;
    world.chain.mine(5).await?;
    let indexer = world.index();
    acts(&world, 0..=6).await?;
    let before = world.agrees().await?;
    let (head, deploy) = (before.checkpoint.head.number, before.checkpoint.origin.deploy_block.number);
    world.chain.reorg(head - deploy + 1).await?;
    let error = indexer.end().await.expect_err("another contract, if any");
    ensure!(matches!(error, IndexerError::WrongOrigin { what: "deploy block's hash", .. }), "{error}");
    ensure!(error.to_string().contains("Use a fresh database"), "{error}");
    let after = world.snapshot().await?;
    ensure!(before.instances == after.instances && before.checkpoint.head == after.checkpoint.head);
    let problem = after.checkpoint.problem.context("the database says it too")?;
    ensure!(problem.contains("deploy block's hash"), "{problem}");
    Ok(())
}
