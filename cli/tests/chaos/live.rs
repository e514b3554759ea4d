//! Killed while the chain goes on and changes its mind.

use anyhow::{Context, Result, ensure};

use crate::{crashes::Crashes, process::LOG, story::Story, world::World};

/// How many times at least.
const INDEXER: u64 = 45;
const POSTGRES: u64 = 12;

/// Strikes between two comparisons.
const ROUNDS: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_index_comes_out_right_however_often_it_is_killed_amid_reorgs() -> Result<()> {
    let mut crashes = Crashes::new("live")?;
    let mut world = World::new(true).await?;
    let mut story = Story::begin(&world.chain, crashes.chance.another()).await?;
    story.blocks(30).await?;

    let database = world.database().await?;
    let mut process = None;
    while crashes.indexer < INDEXER || crashes.postgres < POSTGRES {
        for _ in 0..ROUNDS {
            let strike = crashes.strike(&mut world, &database, process);
            let (struck, turned) = tokio::join!(strike, story.turn());
            turned.context("the chain")?;
            process = struck?;
        }
        let ours = database.finish(&world.chain, world.folder.path(), process).await?;
        process = None;
        ours.is(&world.undisturbed().await?)?;
    }
    let log = std::fs::read_to_string(world.folder.path().join(LOG))?;
    let reorgs = log.lines().filter(|line| line.contains("took the index back")).count();
    println!("live: {reorgs} reorgs of the index");
    ensure!(reorgs >= 10, "{reorgs} reorgs of the index");
    let head = world.chain.head().await?.number;
    // In longer ones Anvil loses the contract by a reorg.
    ensure!(head < 1_000, "the chain is {head} blocks long");
    crashes.enough(INDEXER, POSTGRES)
}
