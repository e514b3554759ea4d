//! A chain and a gateway whose clocks go together.

use std::time::Duration;

use alloy::primitives::Bytes;
use anyhow::{Result, ensure};
use domain::Clock;

use crate::{World, eventually, world::OWNER};

/// Moves time on for a world. Nothing else may meanwhile.
pub struct Pace<'a> {
    world: &'a World,
    /// Chain time when the gateway's clock stood at zero.
    zero: u64,
}

impl<'a> Pace<'a> {
    /// From now on chain and clock go together.
    pub async fn of(world: &'a World) -> Result<Self> {
        let zero = world.chain.time().await?.saturating_sub(world.clock.monotonic().as_secs());
        Ok(Self { world, zero })
    }

    /// The time that a block would have, in seconds, if it were made now.
    pub fn time(&self) -> u64 {
        self.zero + self.world.clock.monotonic().as_secs()
    }

    /// Lets time pass without a block. The database answers the gateway, and the indexer is at the tip of the chain.
    pub async fn pass(&self, time: Duration) -> Result<()> {
        self.world.clock.advance(time);
        self.confirmed().await
    }

    /// A block that was made now, with these calls of [`OWNER`].
    pub async fn block(&self, calls: impl IntoIterator<Item = Bytes>) -> Result<()> {
        self.late_block(calls, 0).await
    }

    /// A block that was made some seconds ago and comes now.
    pub async fn late_block(&self, calls: impl IntoIterator<Item = Bytes>, late: u64) -> Result<()> {
        let last = self.world.chain.time().await?;
        let time = (self.time() - late).max(last + 1);
        ensure!(time <= self.time(), "the last block was made this second");
        self.world.chain.send_all_at(OWNER, calls, time).await?;
        self.world.synced().await?;
        self.confirmed().await
    }

    /// Waits until the gateway has heard from the database and the indexer, by the time that it is now.
    pub async fn confirmed(&self) -> Result<()> {
        eventually("a gateway that is up to date", async || {
            let response = self.world.response("/v1/services").await.ok()?;
            let headers = response.headers();
            let (age, mode) = (headers.get("x-registry-head-age")?, headers.get("x-registry-mode")?);
            (age == "0" && mode != "stale").then_some(())
        })
        .await
    }
}
