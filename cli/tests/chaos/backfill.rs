//! Killed in a backfill.

use anyhow::{Result, ensure};

use crate::{crashes::Crashes, story::Story, world::World};

/// How many times at least.
const INDEXER: u64 = 55;
const POSTGRES: u64 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_comes_out_right_however_often_it_is_killed() -> Result<()> {
    let mut crashes = Crashes::new("backfill")?;
    let mut world = World::new(false).await?;
    let chance = crashes.chance.another();
    Story::begin(&world.chain, chance).await?.blocks(480).await?;
    let head = world.chain.head().await?;
    let undisturbed = world.undisturbed().await?;
    ensure!(undisturbed.events() > 250, "{} events", undisturbed.events());

    let mut finished = 0;
    while crashes.indexer < INDEXER || crashes.postgres < POSTGRES {
        let (database, mut process) = (world.database().await?, None);
        while !database.is_at(head).await {
            process = crashes.strike(&mut world, &database, process).await?;
        }
        database.finish(&world.chain, world.folder.path(), process).await?.is(&undisturbed)?;
        finished += 1;
    }
    println!("{finished} backfills of {} events", undisturbed.events());
    crashes.enough(INDEXER, POSTGRES)
}
