//! A node that claims a head that its chain does not have: it is named, and nobody else is left for it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use domain::InstanceId;
use e2e::{World, eventually, watched::Watched};
use faulty_rpc::{Fault, FaultyRpc};
use indexer::check::check;

const CLAIMS: [u64; 4] = [1, 1_000, u64::MAX / 2, u64::MAX];

/// An honest node and one that can be made to lie, before the same chain, and an indexer that asks both.
struct Two {
    world: World,
    id: InstanceId,
    liar: FaultyRpc,
    honest: FaultyRpc,
    watched: Watched,
}

impl Two {
    async fn start(liar_first: bool) -> Result<Self> {
        let mut world = World::start().await?;
        let id = world.register("payments", "a1").await?;
        world.take_indexer()?.stop().await?;
        let ws_url = world.rpc_url().replacen("http", "ws", 1);
        let liar = FaultyRpc::start(world.rpc_url(), &ws_url).await?;
        let honest = FaultyRpc::start(world.rpc_url(), &ws_url).await?;
        let mut rpc_urls = vec![honest.url(), liar.url()];
        if liar_first {
            rpc_urls.reverse();
        }
        let watched = Watched::start(indexer::Config { rpc_urls, ..world.indexer_config() }).await?;
        watched.is_ready().await?;
        Ok(Self { world, id, liar, honest, watched })
    }

    /// Lets nodes be looked at a few times, and so much time pass that one of them may be said to lag.
    async fn time_goes_by(&self) -> Result<()> {
        for _ in 0..2 {
            let before = self.honest.asked_in_all();
            let looks = async || (self.honest.asked_in_all() > before + 8).then_some(());
            eventually("looks at the honest node", looks).await?;
            self.watched.clock.advance(Duration::from_secs(3));
        }
        Ok(())
    }

    /// Each of the next heartbeats is in the index soon.
    async fn goes_on(&self) -> Result<()> {
        for _ in 0..2 {
            self.time_goes_by().await?;
            self.world.heartbeat(self.id).await?;
        }
        self.watched.is_ready().await.map(drop)
    }

    /// How often a node was found to have done something wrong.
    async fn wrongs(&self, kinds: &[&str], node: &FaultyRpc) -> Result<f64> {
        let mut wrongs = 0.0;
        for kind in kinds {
            let name = format!("rollcall_indexer_rpc_errors_total{{kind=\"{kind}\",node=\"{}\"}}", node.url());
            wrongs += self.watched.metric(&name).await.unwrap_or_default();
        }
        Ok(wrongs)
    }

    async fn ends(self) -> Result<()> {
        let lags = self.wrongs(&["rpc_lags", "rpc_lied", "rpc_incoherent"], &self.honest).await?;
        ensure!(lags == 0.0, "the honest node did nothing wrong: {lags}");
        self.watched.stop().await?;
        let report = check(&self.world.indexer_config(), |_| {}).await?;
        ensure!(report.agrees(), "{report:?}");
        Ok(())
    }
}

#[tokio::test]
async fn a_node_that_is_not_asked_lies_about_its_head_and_is_named() -> Result<()> {
    let two = Two::start(false).await?;
    for more in CLAIMS {
        let before = two.wrongs(&["rpc_lied"], &two.liar).await?;
        two.liar.set(Fault::HighHead(more));
        let named = async || two.wrongs(&["rpc_lied"], &two.liar).await.ok().filter(|wrongs| *wrongs > before);
        eventually("the liar is named", named).await.with_context(|| more.to_string())?;
        two.goes_on().await.with_context(|| more.to_string())?;
        // Once, and not at each look.
        ensure!(two.wrongs(&["rpc_lied"], &two.liar).await? - before < 3.0, "{more}");
        two.liar.set(Fault::None);
        two.goes_on().await?;
    }
    two.ends().await
}

#[tokio::test]
async fn the_node_that_is_asked_lies_about_its_head_and_is_left() -> Result<()> {
    for more in CLAIMS {
        let two = Two::start(true).await?;
        two.liar.set(Fault::HighHead(more));
        two.world.chain.mine_after(1).await?;
        let kinds = ["rpc_lied", "rpc_incoherent"];
        let named = async || two.wrongs(&kinds, &two.liar).await.ok().filter(|wrongs| *wrongs > 0.0);
        eventually("the liar is named", named).await.with_context(|| more.to_string())?;
        two.goes_on().await.with_context(|| more.to_string())?;
        two.ends().await.with_context(|| more.to_string())?;
    }
    Ok(())
}
