//! The database vanishes without a word: power is lost, or the network is cut. Nobody waits for TCP to give up.

use std::time::Duration;

use anyhow::{Result, ensure};
use bindings::ServiceRegistry::registerCall;
use e2e::{
    World, eventually,
    relay::Relay,
    watched::{SAYS_WITHIN, Watched},
    world::OWNER,
};
use sqlx::{Connection, PgConnection};

/// The name that the connection with the lock has.
const LEADER: &str = "rollcall-indexer-leader";

/// An indexer of the world's chain whose database is behind a wire.
async fn behind_a_wire(world: &World) -> Result<(Relay, Watched)> {
    let relay = Relay::start(&world.database_url).await?;
    let config = indexer::Config {
        database_url: relay.url(&world.database_url),
        database_patience: Duration::from_secs(1),
        ..world.indexer_config()
    };
    let watched = Watched::start(config).await?;
    watched.is_ready().await?;
    Ok((relay, watched))
}

/// Waits until the indexer is not ready, as long as five seconds of its clock allow.
async fn is_not_ready(watched: &Watched) -> Result<()> {
    let step = Duration::from_millis(100);
    let mut left = SAYS_WITHIN.as_millis() / step.as_millis();
    eventually("503", async || {
        if watched.get("/readyz").await.ok()?.0 == 503 {
            return Some(());
        }
        if left > 0 {
            left -= 1;
            watched.clock.advance(step);
        }
        None
    })
    .await
}

/// Registers an instance while nobody may be able to index it.
async fn register(world: &World, label: &str) -> Result<()> {
    let registration = anvil_fixtures::scenario::plain(world.namespace(), "payments", label, "1.0.0");
    world.chain.send(OWNER, &registerCall { registration }).await?;
    Ok(())
}

#[tokio::test]
async fn an_indexer_whose_database_vanishes_says_so_and_goes_on_once_it_can_connect_anew() -> Result<()> {
    let mut world = World::start().await?;
    world.take_indexer()?.stop().await?;
    let (relay, watched) = behind_a_wire(&world).await?;
    for label in ["a1", "a2"] {
        relay.cut();
        is_not_ready(&watched).await?;
        register(&world, label).await?;
        eventually("the database is named", async || {
            let (code, body) = watched.get("/readyz").await.ok()?;
            (code == 503 && body["conditions"]["database"]["reason"].is_string()).then_some(())
        })
        .await?;
        relay.mend();
        world.synced().await?;
        watched.is_ready().await?;
        ensure!(watched.get("/livez").await?.0 == 200);
    }
    ensure!(world.live("payments").await?.len() == 2);
    watched.stop().await
}

/// The database answers all the while, on the connection with the lock.
#[tokio::test]
async fn an_indexer_that_waits_on_a_connection_that_was_lost_alone_begins_anew() -> Result<()> {
    let mut world = World::start().await?;
    world.take_indexer()?.stop().await?;
    let (relay, watched) = behind_a_wire(&world).await?;
    // So that a write is under way for certain.
    let mut db = PgConnection::connect(&world.database_url).await?;
    let mut tx = db.begin().await?;
    sqlx::query("SELECT FROM checkpoint FOR UPDATE").execute(&mut *tx).await?;
    register(&world, "a1").await?;
    let mut other = PgConnection::connect(&world.database_url).await?;
    eventually("a write that waits", async || {
        let waits = "SELECT FROM pg_stat_activity WHERE application_name = 'rollcall-indexer'
                     AND wait_event_type = 'Lock' AND datname = current_database()";
        sqlx::query(waits).fetch_optional(&mut other).await.ok()?.map(drop)
    })
    .await?;
    relay.cut_but(LEADER);
    is_not_ready(&watched).await?;
    tx.rollback().await?;
    relay.mend();
    for _ in 0..3 {
        // Not long enough for anybody to lose patience.
        watched.clock.advance(Duration::from_secs(60));
        ensure!(watched.get("/readyz").await?.0 == 503);
    }
    watched.clock.advance(Duration::from_secs(600));
    world.synced().await?;
    watched.is_ready().await?;
    watched.stop().await
}

#[tokio::test]
async fn one_that_stands_by_is_not_well_without_a_database_and_takes_over_when_it_is_back() -> Result<()> {
    let mut world = World::start().await?;
    let relay = Relay::start(&world.database_url).await?;
    let config = indexer::Config {
        database_url: relay.url(&world.database_url),
        database_patience: Duration::from_secs(1),
        ..world.indexer_config()
    };
    let watched = Watched::start(config).await?;
    ensure!(watched.is_ready().await?["status"] == "standby");
    relay.cut();
    is_not_ready(&watched).await?;
    relay.mend();
    ensure!(watched.is_ready().await?["status"] == "standby");
    world.take_indexer()?.stop().await?;
    register(&world, "a1").await?;
    world.synced().await?;
    watched.stop().await
}

#[tokio::test]
async fn a_gateway_whose_database_vanishes_is_stale_and_reads_on_once_it_can_connect_anew() -> Result<()> {
    let mut world = World::start().await?;
    let relay = Relay::start(&world.database_url).await?;
    world.take_gateway()?.stop().await?;
    world.database_url = relay.url(&world.database_url);
    world.start_gateway().await?;
    world.synced().await?;
    relay.cut();
    register(&world, "a1").await?;
    eventually("a stale gateway", async || {
        world.clock.advance(Duration::from_millis(100));
        (world.get("/readyz").await.ok()?.0 == 503).then_some(())
    })
    .await?;
    let (_, services) = world.get("/v1/services").await?;
    ensure!(services["mode"] == "stale", "{services}");
    relay.mend();
    world.synced().await?;
    ensure!(world.live("payments").await? == ["a1"]);
    Ok(())
}
