//! The database is killed, or what a gateway listens on: readers notice nothing but the mode.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use domain::{Clock, SystemClock};
use e2e::{World, eventually, world::OWNER};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use tokio::task::JoinSet;

/// Clients that read all the while, as fast as they are answered.
struct Load {
    good: Arc<AtomicU64>,
    bad: Arc<AtomicU64>,
    _clients: JoinSet<()>,
}

impl Load {
    fn on(urls: &[String]) -> Self {
        let (good, bad) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let mut clients = JoinSet::new();
        for url in urls {
            let (url, good, bad, http) = (url.clone(), Arc::clone(&good), Arc::clone(&bad), reqwest::Client::new());
            clients.spawn(async move {
                loop {
                    let is_good = http.get(&url).send().await.is_ok_and(|response| response.status() == 200);
                    if is_good { &good } else { &bad }.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { good, bad, _clients: clients }
    }

    /// Waits for so many more answers; how many there were in all. All must have been 200.
    async fn goes_on(&self, more: u64) -> Result<u64> {
        let until = self.good.load(Ordering::Relaxed) + more;
        let all = eventually("answers", async || {
            Some(self.good.load(Ordering::Relaxed)).filter(|good| *good >= until || self.bad() > 0)
        })
        .await?;
        ensure!(self.bad() == 0, "{} of {all} answers are not 200", self.bad());
        Ok(all)
    }

    fn bad(&self) -> u64 {
        self.bad.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn a_postgres_that_is_killed_under_load_costs_no_answer() -> Result<()> {
    let mut world = World::with_own_postgres().await?;
    let id = world.register("payments", "a1").await?;
    world.register("payments", "a2").await?;
    let path = format!("/v1/namespaces/{OWNER}/services/payments/instances");
    let mut urls = Vec::new();
    for path in [&path, &format!("{path}?health=all&limit=5"), "/v1/services", &format!("/v1/instances/{id}")] {
        urls.push(world.url(path)?);
    }
    let load = Load::on(&urls);
    load.goes_on(500).await?;

    world.postgres()?.kill_server().await?;
    eventually("mode stale", async || {
        world.clock.advance(Duration::from_millis(100));
        (world.get(&path).await.ok()?.1["mode"] == "stale").then_some(())
    })
    .await?;
    let mut before = 0;
    for _ in 0..10 {
        world.clock.advance(Duration::from_secs(60));
        let response = world.response(&path).await?;
        let age: u64 = response.headers()["x-registry-head-age"].to_str()?.parse()?;
        ensure!(response.headers()["x-registry-mode"] == "stale" && age >= before + 60, "{age} after {before}");
        before = age;
        ensure!(response.json::<Value>().await?["matched"] == 2);
    }
    load.goes_on(500).await?;

    world.postgres()?.start_server().await?;
    // By the gateway's clock there was no block for ten minutes.
    eventually("another mode", async || (world.get(&path).await.ok()?.1["mode"] == "preserved").then_some(())).await?;
    world.register("payments", "a3").await?;
    let (_, body) = world.get(&path).await?;
    ensure!(body["mode"] == "normal" && body["matched"] == 3, "{body}");
    println!("{} answers, all of them 200", load.goes_on(500).await?);
    Ok(())
}

#[tokio::test]
async fn a_bell_that_is_killed_under_writes_delays_nothing_for_long() -> Result<()> {
    let mut world = World::start().await?;
    world.take_gateway()?.stop().await?;
    // As often as it is by default.
    let poll_interval = gateway::Config::default().poll_interval;
    world.start_gateway_with(gateway::Config { poll_interval, ..world.gateway_config()? }).await?;
    let id = world.register("payments", "a1").await?;
    let mut db = PgConnection::connect(&world.database_url).await?;
    let clock = SystemClock::new();
    let mut slowest = Duration::ZERO;
    for round in 0..8 {
        for _ in 0..3 {
            world.chain.send(OWNER, &bindings::ServiceRegistry::heartbeatCall { id: id.0 }).await?;
        }
        let killed = eventually("a bell to kill", async || {
            let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                        WHERE datname = current_database() AND application_name = 'rollcall-gateway' AND query LIKE 'LISTEN%'";
            let killed: i64 = sqlx::query_scalar(kill).fetch_one(&mut db).await.ok()?;
            (killed > 0).then_some(killed)
        })
        .await?;
        ensure!(killed == 1, "{killed} were killed");
        let began = clock.monotonic();
        // Returns when it is visible.
        world.register("payments", &format!("b{round}")).await?;
        slowest = slowest.max(clock.monotonic() - began);
        ensure!(world.live("payments").await?.contains(&format!("b{round}")));
    }
    println!("visible after {slowest:?} at the latest");
    // A poll is enough; the rest is for a machine that does other things as well.
    ensure!(slowest < 8 * poll_interval, "{slowest:?}");
    Ok(())
}
