//! Who is killed, and when.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::{
    chance::Chance,
    process::Process,
    world::{Database, World},
};

/// Kills, and counts.
pub struct Crashes {
    pub chance: Chance,
    /// Kills of the indexer.
    pub indexer: u64,
    /// Kills of Postgres.
    pub postgres: u64,
    /// Those of them that took commits along, as far as one saw.
    pub lost: u64,
    test: &'static str,
}

/// When to kill.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So long after the last kill: while it starts, if it was the indexer's.
    Soon(Duration),
    /// So long after so many commits.
    After(u64, Duration),
}

impl Crashes {
    pub fn new(test: &'static str) -> Result<Self> {
        Ok(Self { chance: Chance::new(test)?, indexer: 0, postgres: 0, lost: 0, test })
    }

    /// Lets an indexer run, a new one with other settings if there is none, up to a random moment, and kills it, or
    /// Postgres, or both. Returns the indexer if it lives on.
    pub async fn strike(
        &mut self,
        world: &mut World,
        database: &Database,
        process: Option<Process>,
    ) -> Result<Option<Process>> {
        let mut process = match process {
            Some(process) => process,
            None => Process::start(&database.target, world.folder.path(), &self.settings())?,
        };
        let moment = match self.chance.once_in(3) {
            true => Moment::Soon(self.chance.up_to_millis(300)),
            false => Moment::After(self.chance.number(1..=5), self.chance.up_to_millis(30)),
        };
        let survivor = async {
            match moment {
                Moment::Soon(pause) => tokio::time::sleep(pause).await,
                Moment::After(commits, pause) => {
                    database.commits(commits).await.with_context(|| process.tail())?;
                    tokio::time::sleep(pause).await;
                }
            }
            if !self.chance.once_in(5) {
                self.indexer += 1;
                process.kill().await?;
                return Ok(None);
            }
            process.is_well()?;
            self.postgres += 1;
            let before = database.checkpoint().await;
            world.postgres.kill_server().await?;
            tokio::time::sleep(self.chance.up_to_millis(100)).await;
            let survivor = match self.chance.once_in(3) {
                true => {
                    self.indexer += 1;
                    process.kill().await?;
                    None
                }
                false => Some(process),
            };
            world.postgres.start_server().await?;
            if let (Some(before), Some(after)) = (before, database.checkpoint().await) {
                let lost = (after.writer_epoch, after.change_seq) < (before.writer_epoch, before.change_seq);
                ensure!(!(lost && world.durable), "a commit that was acknowledged is lost: {before:?}, now {after:?}");
                self.lost += u64::from(lost);
            }
            anyhow::Ok(survivor)
        };
        survivor.await.with_context(|| format!("{}: {moment:?}", self.test))
    }

    /// Settings of an indexer: small ranges and windows make many transactions.
    fn settings(&mut self) -> Vec<String> {
        let mut settings = vec![format!("--max-range={}", self.chance.number(2..=12))];
        settings.push(format!("--window={}", self.chance.one(&[4, 32, 256])));
        if self.chance.once_in(4) {
            settings.push(format!("--verify={}", self.chance.one(&["receipts", "headers", "none"])));
        }
        settings
    }

    /// Says how many there were, and that there were enough.
    pub fn enough(&self, indexer: u64, postgres: u64) -> Result<()> {
        let Self { test, indexer: killed, postgres: fell, lost, .. } = self;
        println!("{test}: killed the indexer {killed} times, Postgres {fell} times, {lost} of them with lost commits");
        ensure!(self.indexer >= indexer && self.postgres >= postgres);
        Ok(())
    }
}
