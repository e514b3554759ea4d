//! `indexer reindex`: an index is built anew beside the one in use, and nobody notices but for what was wrong.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use anvil_fixtures::{Scenario, scenario::plain};
use anyhow::{Context, Result, ensure};
use bindings::{
    IRegistryTypes::Registration,
    ServiceRegistry::{heartbeatCall, registerCall},
};
use domain::{BlockRef, InstanceId, SystemClock};
use e2e::{World, eventually, world::OWNER};
use indexer::{
    IndexerError, Phase, Progress,
    check::check,
    reindex::{Options, reindex},
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::StoreError;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const PATH: &str = "/v1/namespaces/0x70997970C51812dc3A010C7d01b50e0d17dc79C8/services/payments/instances";

/// Answers no head only if it was told to stop, which nobody does here.
async fn rebuild(world: &World, options: Options) -> Result<Option<BlockRef>, IndexerError> {
    let stop = CancellationToken::new();
    reindex(world.indexer_config(), options, SystemClock::new(), stop, watch::Sender::default()).await
}

/// A registration that outlives the test.
fn lasting(world: &World, label: &str) -> Registration {
    Registration { ttl: World::ttl(86_400), ..plain(world.namespace(), "payments", label, "1.0.0") }
}

async fn sql(world: &World, statement: &str) -> Result<u64> {
    let mut db = PgConnection::connect(&world.database_url).await?;
    Ok(sqlx::query(AssertSqlSafe(statement.to_owned())).execute(&mut db).await?.rows_affected())
}

/// How many schemas of ours there are, beside the one in use.
async fn schemas(world: &World) -> Result<Vec<String>> {
    let mut db = PgConnection::connect(&world.database_url).await?;
    let names = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'rollcall%' ORDER BY 1";
    Ok(sqlx::query_scalar(names).fetch_all(&mut db).await?)
}

async fn agrees(world: &World) -> Result<()> {
    let report = check(&world.indexer_config(), |_| {}).await?;
    ensure!(report.agrees(), "{report:?}");
    Ok(())
}

/// Asks the gateway all the time, and looks at every answer: 200, no block before one that was answered before, and no
/// instance less.
struct Reads {
    stop: CancellationToken,
    count: Arc<AtomicU64>,
    task: JoinHandle<Result<()>>,
}

impl Reads {
    fn start(url: String) -> Self {
        let (stop, count) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (stop.clone(), count.clone());
        let task = tokio::spawn(async move {
            let http = reqwest::Client::new();
            let (mut block, mut instances) = (0, 0);
            while !stopped.is_cancelled() {
                let response = http.get(&url).send().await?;
                let status = response.status();
                let body: Value = response.json().await?;
                ensure!(status == 200, "{status}: {body}");
                let number = body["block"]["number"].as_u64().context("a block")?;
                let found = body["instances"].as_array().context("instances")?.len();
                ensure!(number >= block && found >= instances, "{found} at {number} after {instances} at {block}");
                ensure!(body["mode"] == "normal", "{body}");
                (block, instances) = (number, found);
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Self { stop, count, task }
    }

    async fn end(self) -> Result<u64> {
        self.stop.cancel();
        self.task.await??;
        Ok(self.count.load(Ordering::Relaxed))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_answer_all_the_time_and_a_damaged_row_is_right_afterwards() -> Result<()> {
    let world = World::start().await?;
    let mut ids = vec![world.register_as(lasting(&world, "a0")).await?];
    for _ in 0..300 {
        world.chain.mine_after(1).await?;
    }
    ids.push(world.register_as(lasting(&world, "a1")).await?);
    ensure!(sql(&world, "UPDATE instance SET version = '6.6.6', metadata = '\\x66'").await? == 2);
    ensure!(agrees(&world).await.is_err(), "the damage is found");
    let reads = Reads::start(world.url(PATH)?);

    // Blocks go on meanwhile, before and after the tables change places.
    let over = AtomicBool::new(false);
    let building = async {
        let head = rebuild(&world, Options::default()).await;
        over.store(true, Ordering::Relaxed);
        head?.context("not told to stop")
    };
    let living = async {
        let (mut n, mut after) = (2, 0);
        while after < 5 {
            after += usize::from(over.load(Ordering::Relaxed));
            let registration = lasting(&world, &format!("a{n}"));
            world.chain.send(OWNER, &registerCall { registration }).await?;
            for InstanceId(id) in &ids {
                world.chain.send(OWNER, &heartbeatCall { id: *id }).await?;
            }
            n += 1;
        }
        anyhow::Ok(n)
    };
    let (head, registered) = tokio::try_join!(building, living)?;
    world.synced().await?;
    let labels = world.live("payments").await?;
    ensure!(labels.len() == registered, "{registered}: {labels:?}");
    let (_, answer) = world.get(PATH).await?;
    ensure!(!answer.to_string().contains("6.6.6"), "{answer}");
    ensure!(world.chain.head().await?.number > head.number, "the indexer has gone on in the new tables");
    ensure!(world.get("/readyz").await?.0 == 200);
    let reads = reads.end().await?;
    ensure!(reads > 20, "{reads} answers");
    ensure!(schemas(&world).await?.is_empty(), "{:?}", schemas(&world).await?);
    agrees(&world).await
}

#[tokio::test]
async fn an_index_that_nobody_writes_to_is_rebuilt_whole_and_kept_if_wanted() -> Result<()> {
    let mut world = World::play(Scenario::Governance).await?;
    world.take_indexer()?.stop().await?;
    sql(&world, "DELETE FROM endorsement").await?;
    sql(&world, "UPDATE event SET data = '\\x00' WHERE kind = 'Registered'").await?;
    ensure!(agrees(&world).await.is_err());
    let head = rebuild(&world, Options { keep_old: true, ..Options::default() }).await?;
    ensure!(head == Some(world.chain.head().await?));
    agrees(&world).await?;
    ensure!(schemas(&world).await? == ["rollcall_old"]);
    ensure!(sql(&world, "SELECT FROM rollcall_old.event WHERE data = '\\x00'").await? > 0, "what was wrong is there");
    world.synced().await?;
    world.start_indexer();
    world.register_as(lasting(&world, "after")).await?;
    rebuild(&world, Options::default()).await?;
    ensure!(schemas(&world).await?.is_empty(), "the next one replaces what was kept");
    agrees(&world).await
}

#[tokio::test]
async fn a_wedged_index_is_replaced_and_its_indexer_works_again() -> Result<()> {
    let world = World::start().await?;
    world.register_as(lasting(&world, "a1")).await?;
    // The next event of the service does not fit any more: the indexer is stuck, and says so.
    sql(&world, "UPDATE service SET sequence = 77").await?;
    let registration = lasting(&world, "a2");
    world.chain.send(OWNER, &registerCall { registration }).await?;
    eventually("a problem", async || (world.get("/readyz").await.ok()?.0 == 503).then_some(())).await?;
    rebuild(&world, Options::default()).await?;
    world.synced().await?;
    ensure!(world.live("payments").await?.len() == 2);
    world.register_as(lasting(&world, "a3")).await?;
    eventually("no problem", async || (world.get("/readyz").await.ok()?.0 == 200).then_some(())).await?;
    agrees(&world).await
}

/// Ends a reindex as a crash does, once it has come to a block.
async fn crashed_at(world: &World, number: u64) -> Result<()> {
    let progress = watch::Sender::new(Progress::default());
    let mut seen = progress.subscribe();
    // Not at the tip before the test has ended it.
    let config = indexer::Config { max_range: 16, window: 1, ..world.indexer_config() };
    let stop = CancellationToken::new();
    let work = reindex(config, Options::default(), SystemClock::new(), stop, progress);
    tokio::select! {
        done = work => anyhow::bail!("done before block {number}: {done:?}"),
        at = seen.wait_for(|progress| progress.phase == Phase::Backfill && progress.head >= number) => drop(at?),
    }
    Ok(())
}

/// Rebuilds once the server has heard that whoever did before is gone.
async fn once_free(world: &World, options: Options) -> Result<()> {
    let done = eventually("nobody else rebuilds", async || match rebuild(world, options).await {
        Err(IndexerError::Store(StoreError::Reindexing)) => None,
        done => Some(done),
    });
    done.await??.context("not told to stop").map(drop)
}

#[tokio::test]
async fn what_was_built_before_a_crash_is_used_unless_it_is_unwanted() -> Result<()> {
    let mut world = World::start().await?;
    world.register_as(lasting(&world, "a1")).await?;
    for _ in 0..200 {
        world.chain.mine_after(1).await?;
    }
    world.register_as(lasting(&world, "a2")).await?;
    crashed_at(&world, 50).await?;
    ensure!(schemas(&world).await? == ["rollcall_next"]);
    agrees(&world).await?;
    // Told to stop, it is not done, and that is no error.
    let stopped = eventually("nobody else rebuilds", async || {
        let stop = CancellationToken::new();
        stop.cancel();
        let progress = watch::Sender::default();
        match reindex(world.indexer_config(), Options::default(), SystemClock::new(), stop, progress).await {
            Err(IndexerError::Store(StoreError::Reindexing)) => None,
            done => Some(done),
        }
    });
    ensure!(stopped.await??.is_none() && schemas(&world).await? == ["rollcall_next"]);
    // What is there is believed: a mark in it shows whether it was used. An orphan belongs to no block of the chain.
    let mark = "INSERT INTO rollcall_next.event_orphan (block_number, log_index, block_hash, tx_hash, kind, topics,
                data, contract, orphaned_by) VALUES (1, 1, '\\x01', '', 'Registered', '', '', '', '')";
    let marks = "SELECT FROM event_orphan WHERE block_hash = '\\x01'";
    sql(&world, mark).await?;
    once_free(&world, Options::default()).await?;
    ensure!(sql(&world, marks).await? == 1, "it went on where it was");
    agrees(&world).await?;

    world.take_indexer()?.stop().await?;
    crashed_at(&world, 50).await?;
    sql(&world, &mark.replace("x01", "x02")).await?;
    once_free(&world, Options { fresh: true, ..Options::default() }).await?;
    ensure!(sql(&world, &marks.replace("x01", "x02")).await? == 0, "thrown away");
    ensure!(sql(&world, marks).await? == 1, "orphans are kept");
    world.start_indexer();
    world.register_as(lasting(&world, "a3")).await?;
    agrees(&world).await
}

#[tokio::test]
async fn two_at_once_and_none_to_replace_are_refused() -> Result<()> {
    let world = World::start().await?;
    world.register_as(lasting(&world, "a1")).await?;
    let pool = store::schema::connect(&world.database_url).await?;
    let first = store::reindex::Reindex::begin(&pool).await?;
    let second = rebuild(&world, Options::default()).await;
    ensure!(matches!(second, Err(IndexerError::Store(StoreError::Reindexing))), "{second:?}");
    drop(first);
    once_free(&world, Options::default()).await?;
    let config = indexer::Config { database_url: e2e::database::create().await?, ..world.indexer_config() };
    let stop = CancellationToken::new();
    let none = reindex(config, Options::default(), SystemClock::new(), stop, watch::Sender::default()).await;
    ensure!(matches!(none, Err(IndexerError::Store(StoreError::NoIndex))), "{none:?}");
    Ok(())
}
