//! How long an index stands still when what it rests on fails: the indexer that works, or the node that is asked.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use domain::{Clock, SystemClock};
use faulty_rpc::{Fault, FaultyRpc, Part};
use serde_json::{Map, Value, json};
use tokio::time::{interval, timeout};
use tools::Tools;

use crate::{
    chains::{Call, Chain},
    numbers::{median, percentile},
    world::{Build, Database, Process, Watch},
};

/// The arguments.
#[derive(clap::Args)]
pub struct Args {
    /// How many times each; the figures are medians and the longest
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Which build
    #[command(flatten)]
    build: Build,
}

/// Between two blocks while the index stands still.
const BLOCK: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(60);

const FAULTS: [(&str, Fault); 8] = [
    ("refuse", Fault::Refuse),
    ("hang", Fault::Hang),
    ("busy", Fault::Status(429)),
    ("error", Fault::Status(503)),
    ("lag", Fault::Lag(3)),
    ("head_goes_back", Fault::HeadGoesBack(2)),
    ("omit_logs", Fault::OmitLogs),
    ("forge_log", Fault::ForgeLog(Part::Data)),
];

/// Figures in seconds: `takeover` from the SIGKILL of the indexer that works until the one that stands by has committed a block
/// mined later; `failover` from the first block that is mined after a fault of the first of two nodes until it is committed,
/// the node over WebSocket.
pub async fn run(args: Args) -> Result<Value> {
    ensure!(args.rounds > 0, "--rounds must be at least 1");
    let binary = args.build.find()?;
    let tools = Tools::ensure()?;
    let mut database = Database::start(&tools).await?;
    let mut chain = Chain::start(&tools, None).await?;
    chain.mine(std::iter::once(Call::join(0, 50))).await?;
    let takeover = takeovers(args.rounds, &binary, &mut chain, &mut database).await?;
    println!("{:<16} {:>7.3} s, at most {:>7.3} s", "takeover", median(takeover.clone()), most(&takeover));
    let mut failover = Map::new();
    let mut all = Vec::new();
    for (name, fault) in FAULTS {
        let took = failovers(args.rounds, fault, &binary, &mut chain, &mut database).await?;
        println!("{name:<16} {:>7.3} s, at most {:>7.3} s", median(took.clone()), most(&took));
        failover.insert(name.to_owned(), json!(median(took.clone())));
        all.extend(took);
    }
    failover.insert("max_s".to_owned(), json!(most(&all)));
    chain.stop().await?;
    database.stop().await?;
    let takeover = json!({ "p50_s": median(takeover.clone()), "max_s": most(&takeover) });
    Ok(json!({ "bench": "failover", "figures": { "takeover": takeover, "failover": failover } }))
}

fn most(values: &[f64]) -> f64 {
    percentile(values.to_vec(), 1.0)
}

async fn takeovers(rounds: usize, binary: &Path, chain: &mut Chain, database: &mut Database) -> Result<Vec<f64>> {
    let url = database.create().await?;
    let mut leader = Process::indexer(binary, chain, &chain.ws_url(), &url, &[])?;
    Watch::new(&url).until(chain.head, &mut leader, PATIENCE, |_| ()).await?;
    let mut took = Vec::new();
    for _ in 0..rounds {
        let mut standby = Process::indexer(binary, chain, &chain.ws_url(), &url, &[])?;
        standby.says("stands by", PATIENCE).await?;
        let clock = SystemClock::new();
        let killed = clock.monotonic();
        leader.stop().await?;
        commits_again(chain, &url, &mut standby).await?;
        took.push((clock.monotonic() - killed).as_secs_f64());
        leader = standby;
    }
    leader.stop().await?;
    Ok(took)
}

async fn failovers(
    rounds: usize,
    fault: Fault,
    binary: &Path,
    chain: &mut Chain,
    database: &mut Database,
) -> Result<Vec<f64>> {
    let mut took = Vec::new();
    for _ in 0..rounds {
        let faulty = FaultyRpc::start(&chain.rpc_url(), &chain.ws_url()).await?;
        let url = database.create().await?;
        let others = ["--fallback-rpc-urls".to_owned(), chain.ws_url()];
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let mut indexer = Process::indexer(binary, chain, &faulty.ws_url(), &url, &others)?;
        Watch::new(&url).until(chain.head, &mut indexer, PATIENCE, |_| ()).await?;
        ensure!(faulty.asked("eth_getBlockByNumber") > 0, "the first node is asked first");
        let clock = SystemClock::new();
        faulty.set(fault);
        let began = clock.monotonic();
        commits_again(chain, &url, &mut indexer).await?;
        took.push((clock.monotonic() - began).as_secs_f64());
        indexer.stop().await?;
    }
    Ok(took)
}

/// Mines until the first block mined is committed.
async fn commits_again(chain: &mut Chain, url: &str, process: &mut Process) -> Result<()> {
    let mut watch = Watch::new(url);
    let mut every = interval(BLOCK);
    let first = chain.head + 1;
    let committed = async {
        loop {
            every.tick().await;
            chain.send(Call::beat(0)).await?;
            chain.mine_one().await?;
            process.check()?;
            let looked = async {
                loop {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    if watch.checkpoint().await?.is_some_and(|checkpoint| checkpoint.head.number >= first) {
                        return anyhow::Ok(());
                    }
                }
            };
            if let Ok(done) = timeout(BLOCK, looked).await {
                return done;
            }
        }
    };
    timeout(PATIENCE, committed).await.context("nothing was committed again in time")?
}
