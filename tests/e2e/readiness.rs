//! An indexer that is not well says so within five seconds of its clock, and is back by itself.

use std::time::Duration;

use anvil_fixtures::Scenario;
use anyhow::{Context, Result, ensure};
use e2e::{World, database, eventually, watched::Watched};
use faulty_rpc::{Fault, FaultyRpc};
use indexer::check::{Report, check};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A world with a registered instance, whose own indexer has stopped.
async fn indexed(mut world: World) -> Result<World> {
    world.register("payments", "a1").await?;
    world.take_indexer()?.stop().await?;
    Ok(world)
}

/// Its chain, seen through a node that can be made to misbehave.
async fn behind_a_faulty_node(world: &World) -> Result<(FaultyRpc, Watched)> {
    let faulty = FaultyRpc::start(world.rpc_url(), &world.rpc_url().replacen("http", "ws", 1)).await?;
    // The same node twice: while there are several, one has a second for an answer, and not ten.
    let rpc_urls = vec![faulty.url(), faulty.url()];
    let watched = Watched::start(indexer::Config { rpc_urls, ..world.indexer_config() }).await?;
    watched.is_ready().await?;
    Ok((faulty, watched))
}

#[tokio::test]
async fn a_node_that_hangs_refuses_or_goes_back_makes_it_not_ready_until_it_is_well_again() -> Result<()> {
    let world = indexed(World::start().await?).await?;
    let (faulty, watched) = behind_a_faulty_node(&world).await?;
    for fault in [Fault::Hang, Fault::Refuse, Fault::Status(500), Fault::Garbage, Fault::Lag(1)] {
        faulty.set(fault);
        let reason = watched.is_not_ready("node").await.with_context(|| format!("{fault:?}"))?;
        ensure!(reason.contains("no node has been of use for"), "{fault:?}: {reason}");
        ensure!(watched.get("/livez").await?.0 == 200, "{fault:?}: the loop turns");
        ensure!(watched.metric("rollcall_indexer_ready").await? == 0.0, "{fault:?}");
        faulty.set(Fault::None);
        watched.is_ready().await.with_context(|| format!("after {fault:?}"))?;
        ensure!(watched.metric("rollcall_indexer_ready").await? == 1.0, "{fault:?}");
    }
    let text = watched.metrics().await?;
    for kind in ["rpc_late", "rpc_unreachable", "rpc_refused"] {
        let line = format!("rollcall_indexer_rpc_errors_total{{kind=\"{kind}\",node=\"{}\"}}", faulty.url());
        ensure!(text.contains(&line), "{line} in {text}");
    }
    watched.stop().await
}

#[tokio::test]
async fn a_node_that_hangs_for_minutes_leaves_the_loop_alive() -> Result<()> {
    let world = indexed(World::start().await?).await?;
    let (faulty, watched) = behind_a_faulty_node(&world).await?;
    faulty.set(Fault::Hang);
    watched.is_not_ready("node").await?;
    // Long after the last block, each attempt is a sign of life.
    for _ in 0..3 {
        let before = faulty.asked_in_all();
        watched.clock.advance(Duration::from_secs(200));
        eventually("another question", async || (faulty.asked_in_all() > before + 1).then_some(())).await?;
    }
    ensure!(watched.get("/livez").await?.0 == 200);
    ensure!(watched.get("/readyz").await?.0 == 503);
    watched.stop().await
}

#[tokio::test]
async fn a_chain_that_stands_still_is_stale_only_if_the_settings_say_so() -> Result<()> {
    let world = indexed(World::start().await?).await?;
    let patient = Watched::start(world.indexer_config()).await?;
    patient.is_ready().await?;
    patient.clock.advance(Duration::from_secs(100_000));
    // Ready again as soon as it has looked again.
    patient.is_ready().await?;
    ensure!(patient.metric("rollcall_indexer_head_age_seconds").await? >= 100_000.0);
    patient.stop().await?;

    let config = indexer::Config { max_head_age: Some(Duration::from_secs(4)), ..world.indexer_config() };
    let strict = Watched::start(config).await?;
    strict.is_ready().await?;
    let reason = strict.is_not_ready("tip").await?;
    ensure!(reason.contains("more than 4 s are too long"), "{reason}");
    world.chain.mine_after(1).await?;
    strict.is_ready().await?;
    strict.stop().await
}

#[tokio::test]
async fn a_root_that_is_not_the_chains_makes_it_not_ready_and_names_the_instance() -> Result<()> {
    let world = indexed(World::start().await?).await?;
    let every = Some(Duration::from_millis(50));
    let config = indexer::Config { check_every: every, rebuild: false, ..world.indexer_config() };
    let watched = Watched::start(config).await?;
    watched.is_ready().await?;
    eventually("a check", async || {
        watched.metric("rollcall_indexer_root_checks_total{result=\"agrees\"}").await.ok().filter(|n| *n >= 2.0)
    })
    .await?;
    let mut db = PgConnection::connect(&world.database_url).await?;
    let id: Vec<u8> = sqlx::query_scalar("SELECT instance_id FROM live").fetch_one(&mut db).await?;
    let name = format!("0x{}", id.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    for (damage, mend) in [
        ("UPDATE live SET ttl = ttl + 1", "UPDATE live SET ttl = ttl - 1"),
        (
            "WITH gone AS (DELETE FROM live RETURNING *) INSERT INTO lost SELECT * FROM gone",
            "INSERT INTO live SELECT * FROM lost",
        ),
    ] {
        sqlx::query("CREATE TABLE IF NOT EXISTS lost (LIKE live)").execute(&mut db).await?;
        sqlx::query(AssertSqlSafe(damage)).execute(&mut db).await?;
        let reason = watched.is_not_ready("roots").await.context(damage)?;
        ensure!(reason.contains(&name), "{damage}: {reason}");
        let metric = format!("rollcall_indexer_root_differs{{instance=\"{name}\"}}");
        ensure!(watched.metric(&metric).await? == 1.0, "{damage}");
        sqlx::query(AssertSqlSafe(mend)).execute(&mut db).await?;
        watched.is_ready().await.context(mend)?;
        ensure!(watched.metric(&metric).await? == 0.0, "{mend}");
    }
    watched.stop().await
}

#[tokio::test]
async fn an_index_that_is_not_what_the_chain_says_is_mended_by_itself() -> Result<()> {
    let mut world = World::play(Scenario::Governance).await?;
    world.take_indexer()?.stop().await?;
    let config = indexer::Config { check_every: Some(Duration::from_millis(50)), ..world.indexer_config() };
    let watched = Watched::start(config).await?;
    watched.is_ready().await?;
    let mut db = PgConnection::connect(&world.database_url).await?;
    // State alone: wrong, lost, made up. Then state and the events that it follows from.
    for (what, damage) in [
        ("state", "UPDATE live SET ttl = ttl + 1"),
        ("state", "DELETE FROM instance"),
        ("state", "UPDATE namespace SET owner = '\\x0101010101010101010101010101010101010101'"),
        (
            "state",
            "INSERT INTO operator (slot, owner, operator, permissions, expires_at, block_number, log_index)
             SELECT set_byte(slot, 0, 255 - get_byte(slot, 0)), operator, owner, permissions, expires_at, block_number, log_index
             FROM operator LIMIT 1",
        ),
        ("events", "WITH gone AS (DELETE FROM event WHERE kind = 'Registered') DELETE FROM live"),
        ("events", "WITH bad AS (UPDATE event SET data = '\\x01') UPDATE live SET epoch = epoch + 1"),
    ] {
        let counter = format!("rollcall_indexer_rebuilds_total{{what=\"{what}\"}}");
        let before = watched.metric(&counter).await.unwrap_or_default();
        sqlx::query(AssertSqlSafe(damage)).execute(&mut db).await.context(damage)?;
        let mended = eventually("it is mended", async || watched.metric(&counter).await.ok().filter(|n| *n > before));
        if let Err(error) = mended.await {
            return Err(error.context(format!("{damage}: {:?}", watched.get("/readyz").await)));
        }
        watched.is_ready().await.context(damage)?;
        eventually("all of it agrees", async || {
            check(&world.indexer_config(), |_| {}).await.ok().filter(Report::agrees)
        })
        .await
        .context(damage)?;
    }
    // Gateways saw it come back.
    world.synced().await?;
    watched.stop().await
}

#[tokio::test]
async fn wrong_events_are_mended_by_a_node_that_gives_few_blocks_at_once() -> Result<()> {
    let mut world = World::play(Scenario::Governance).await?;
    world.take_indexer()?.stop().await?;
    let faulty = FaultyRpc::start(world.rpc_url(), &world.rpc_url().replacen("http", "ws", 1)).await?;
    faulty.set(Fault::RangeTooLarge(3));
    let config = indexer::Config {
        check_every: Some(Duration::from_millis(50)),
        rpc_urls: vec![faulty.url()],
        ..world.indexer_config()
    };
    let watched = Watched::start(config).await?;
    watched.is_ready().await?;
    let mut db = PgConnection::connect(&world.database_url).await?;
    // The last events, so that all ranges before are asked for.
    let damage =
        "WITH gone AS (DELETE FROM event WHERE block_number = (SELECT max(block_number) FROM event)) DELETE FROM live";
    sqlx::query(damage).execute(&mut db).await?;
    let counter = "rollcall_indexer_rebuilds_total{what=\"events\"}";
    let mended = async || watched.metric(counter).await.ok().filter(|n| *n >= 1.0);
    eventually("it is mended", mended)
        .await
        .with_context(|| format!("asked for logs: {}", faulty.asked("eth_getLogs")))?;
    watched.is_ready().await?;
    eventually("all of it agrees", async || check(&world.indexer_config(), |_| {}).await.ok().filter(Report::agrees))
        .await?;
    ensure!(faulty.asked("eth_getLogs") > world.chain.head().await?.number / 3);
    watched.stop().await
}

#[tokio::test]
async fn a_check_that_cannot_be_done_says_nothing_about_the_index() -> Result<()> {
    let world = indexed(World::start().await?).await?;
    let faulty = FaultyRpc::start(world.rpc_url(), &world.rpc_url().replacen("http", "ws", 1)).await?;
    faulty.set(Fault::Without("eth_getProof"));
    let config = indexer::Config {
        check_every: Some(Duration::from_millis(50)),
        rpc_urls: vec![faulty.url()],
        ..world.indexer_config()
    };
    let watched = Watched::start(config).await?;
    eventually("attempts", async || {
        watched.metric("rollcall_indexer_root_checks_total{result=\"impossible\"}").await.ok().filter(|n| *n >= 3.0)
    })
    .await?;
    watched.is_ready().await?;
    watched.stop().await
}

#[tokio::test]
async fn a_database_that_stops_makes_it_not_ready_until_it_is_back() -> Result<()> {
    let mut world = indexed(World::with_own_postgres().await?).await?;
    let watched = Watched::start(world.indexer_config()).await?;
    for _ in 0..2 {
        watched.is_ready().await?;
        world.postgres()?.stop_server().await?;
        let reason = watched.is_not_ready("database").await?;
        ensure!(!reason.is_empty());
        ensure!(watched.get("/livez").await?.0 == 200);
        world.postgres()?.start_server().await?;
    }
    watched.is_ready().await?;
    watched.stop().await
}

#[tokio::test]
async fn one_that_stands_by_says_so_and_is_ready_for_real_when_it_takes_over() -> Result<()> {
    let world = indexed(World::start().await?).await?;
    let leader = Watched::start(world.indexer_config()).await?;
    ensure!(leader.is_ready().await?["status"] == "ready");
    let other = Watched::start(world.indexer_config()).await?;
    let body = other.is_ready().await?;
    ensure!(body["status"] == "standby" && body["phase"] == "standby", "{body}");
    ensure!(other.metric("rollcall_indexer_leads").await? == 0.0);
    ensure!(leader.metric("rollcall_indexer_leads").await? == 1.0);
    leader.stop().await?;
    eventually("the other one", async || {
        other.get("/readyz").await.ok().filter(|(code, body)| *code == 200 && body["status"] == "ready")
    })
    .await?;
    ensure!(other.metric("rollcall_indexer_phase{phase=\"follow\"}").await? == 1.0);
    other.stop().await
}

#[tokio::test]
async fn the_figures_are_there_and_are_those_of_the_chain() -> Result<()> {
    let world = indexed(World::start().await?).await?;
    for _ in 0..70 {
        world.chain.mine_after(1).await?;
    }
    // From nothing, so that events are counted.
    let config = indexer::Config {
        database_url: database::create().await?,
        check_every: Some(Duration::from_millis(50)),
        ..world.indexer_config()
    };
    let watched = Watched::start(config).await?;
    watched.is_ready().await?;
    let head = world.chain.head().await?.number as f64;
    for (name, value) in [
        ("rollcall_indexer_head_block", head),
        ("rollcall_indexer_tip_block", head),
        ("rollcall_indexer_safe_block", head - 32.0),
        ("rollcall_indexer_finalized_block", head - 64.0),
        ("rollcall_indexer_lag_blocks", 0.0),
        ("rollcall_indexer_lag_seconds", 0.0),
        ("rollcall_indexer_events_total", 1.0),
        ("rollcall_indexer_condition{condition=\"roots\"}", 1.0),
    ] {
        let found = watched.metric(name).await?;
        ensure!((found - value).abs() < 0.5, "{name} is {found}, not {value}");
    }
    world.chain.reorg(3).await?;
    eventually("a reorg", async || {
        watched.metric("rollcall_indexer_reorg_depth_blocks_bucket{le=\"5\"}").await.ok().filter(|n| *n == 1.0)
    })
    .await?;
    ensure!(watched.metric("rollcall_indexer_reorg_depth_blocks_bucket{le=\"2\"}").await? == 0.0);
    for kind in ["batch", "confirm", "reorg"] {
        let name = format!("rollcall_indexer_write_seconds_count{{kind=\"{kind}\"}}");
        // It may not have looked twice at the same head yet.
        eventually(&name, async || watched.metric(&name).await.ok().filter(|n| *n >= 1.0)).await?;
    }
    eventually("a check", async || {
        watched.metric("rollcall_indexer_root_check_seconds_count").await.ok().filter(|n| *n >= 1.0)
    })
    .await?;
    watched.stop().await
}
