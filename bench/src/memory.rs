//! What a large index takes of a gateway: memory, time to start, and heartbeats that come while others read.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use domain::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tools::{Tools, free_port};

use crate::{
    filled::{Filled, ready},
    world::{Build, Database, Process},
};

/// The arguments.
#[derive(clap::Args)]
pub struct Args {
    /// How many services, each with ten instances
    #[arg(long, default_value_t = 10_000)]
    services: u32,
    /// How many blocks, each with a heartbeat of every tenth instance
    #[arg(long, default_value_t = 20)]
    blocks: u32,
    /// Which build
    #[command(flatten)]
    build: Build,
}

const PER_SERVICE: u32 = 10;
const READERS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(120);

/// Figures: `bytes_per_instance`, of the most memory that the gateway has had before heartbeats came, over that of one with an
/// empty index; `ready_s` from its start until it is ready; `heartbeats_per_s` until the gateway answers with the last,
/// while four clients read, `reads_per_s` in all.
pub async fn run(args: Args) -> Result<Value> {
    ensure!(args.services >= 10 && args.blocks > 0, "--services must be at least 10, --blocks at least 1");
    let binary = args.build.find()?;
    let tools = Tools::ensure()?;
    let mut database = Database::start(&tools).await?;
    let clock = SystemClock::new();

    let empty = database.create().await?;
    Filled::new(&empty, 1, 1).await?;
    let (mut gateway, url) = start(&binary, &empty)?;
    ready(&mut gateway, &url, PATIENCE).await?;
    let bare = gateway.peak_mb()?;
    gateway.stop().await?;

    let full = database.create().await?;
    let mut filled = Filled::new(&full, args.services, PER_SERVICE).await?;
    let instances = u64::from(args.services) * u64::from(PER_SERVICE);
    let began = clock.monotonic();
    let (mut gateway, url) = start(&binary, &full)?;
    ready(&mut gateway, &url, PATIENCE).await?;
    let ready_s = (clock.monotonic() - began).as_secs_f64();
    let taken = gateway.peak_mb()? - bare;

    let (stop, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..READERS)
        .map(|n| tokio::spawn(read(url.clone(), n, args.services, Arc::clone(&stop), Arc::clone(&reads))))
        .collect();
    let began = clock.monotonic();
    for n in 0..args.blocks {
        filled.beat((0..args.services).skip(usize::try_from(n % 10)?).step_by(10)).await?;
    }
    reached(&url, filled.head()).await?;
    let took = (clock.monotonic() - began).as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await??;
    }
    let beats = f64::from(args.blocks) * f64::from(args.services / 10) * f64::from(PER_SERVICE);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let (instances, reads) = (instances as f64, reads.load(Ordering::Relaxed) as f64);
    let after = gateway.peak_mb()?;
    gateway.stop().await?;
    database.stop().await?;
    println!(
        "{instances} instances: {taken} MB over {bare} MB, ready in {ready_s:.2} s; {after} MB after the heartbeats"
    );
    Ok(json!({
        "bench": "memory",
        "figures": {
            "bytes_per_instance": (taken * 1024.0 * 1024.0 / instances).round(),
            "ready_s": (ready_s * 1000.0).round() / 1000.0,
            "heartbeats_per_s": (beats / took).round(),
            "reads_per_s": (reads / took).round(),
        },
    }))
}

fn start(binary: &std::path::Path, database_url: &str) -> Result<(Process, String)> {
    let listen = format!("127.0.0.1:{}", free_port()?);
    let args = ["gateway", "--database-url", database_url, "--listen", &listen, "--admin-listen", "none"];
    Ok((Process::spawn(binary, &args)?, format!("http://{listen}")))
}

/// Asks for one service after the other.
async fn read(url: String, first: u32, services: u32, stop: Arc<AtomicBool>, reads: Arc<AtomicU64>) -> Result<()> {
    let client = reqwest::Client::new();
    let mut n = first;
    while !stop.load(Ordering::Relaxed) {
        n = (n + 7_919) % services;
        let answer = client.get(format!("{url}/v1/namespaces/bench/services/s{n}/instances")).send().await?;
        let body: Value = answer.error_for_status()?.json().await?;
        ensure!(body["matched"] == PER_SERVICE, "{body}");
        reads.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Waits until answers are as of a block.
async fn reached(url: &str, head: u64) -> Result<()> {
    let client = reqwest::Client::new();
    let wait = async {
        loop {
            let answer = client.get(format!("{url}/v1/namespaces/bench/services/s0/instances")).send().await?;
            let block: Option<u64> =
                answer.headers().get("x-registry-block").and_then(|block| block.to_str().ok()?.parse().ok());
            if block.context("an answer without a block")? >= head {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, wait).await.context("the gateway does not get there in time")?
}
