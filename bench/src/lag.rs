//! How long after a block is mined it is in the database, and in a gateway's answer.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use domain::{Clock, SystemClock};
use serde_json::{Value, json};
use store::query::Reader;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tools::{Tools, free_port};

use crate::{
    chains::{Call, Chain},
    numbers::percentile,
    world::{Build, Database, Process, Watch},
};

/// The arguments.
#[derive(clap::Args)]
pub struct Args {
    /// How many blocks, each with one heartbeat
    #[arg(long, default_value_t = 400)]
    samples: usize,
    /// How many blocks in a second
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// Which build
    #[command(flatten)]
    build: Build,
}

/// `--poll-interval` of `rollcall indexer`, unless it is given.
const POLL_INTERVAL_MS: u64 = 500;
const PATIENCE: Duration = Duration::from_secs(30);

/// Figures in milliseconds after Anvil's answer that the block is mined: `row` until the transaction with its rows is
/// committed, `answer` until a gateway's answer has the heartbeat, both with the node over WebSocket; `poll` as `row`,
/// with the node over HTTP and the default interval.
pub async fn run(args: Args) -> Result<Value> {
    ensure!(args.samples > 0 && args.rate > 0, "--samples and --rate must be at least 1");
    let binary = args.build.find()?;
    let tools = Tools::ensure()?;
    let mut database = Database::start(&tools).await?;
    let mut chain = Chain::start(&tools, None).await?;
    chain.mine(std::iter::once(Call::join(0, 50))).await?;
    let url = chain.ws_url();
    let ws = measure(&args, &binary, &mut chain, &url, &mut database).await?;
    let url = chain.rpc_url();
    let poll = measure(&args, &binary, &mut chain, &url, &mut database).await?;
    chain.stop().await?;
    database.stop().await?;
    println!("{:<28} {:>9} {:>9} {:>9}", "ms after the block is mined", "p50", "p99", "most");
    for (what, values) in [
        ("row, WebSocket", &ws.row),
        ("answer, WebSocket", &ws.answer),
        ("row, polling every 500 ms", &poll.row),
        ("answer, polling", &poll.answer),
        ("(mining itself)", &ws.mining),
    ] {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|p| percentile(values.clone(), p));
        println!("{what:<28} {p50:>9.1} {p99:>9.1} {most:>9.1}");
    }
    let both = |values: &Vec<f64>| json!({ "p50_ms": percentile(values.clone(), 0.5), "p99_ms": percentile(values.clone(), 0.99) });
    Ok(json!({
        "bench": "lag",
        "figures": {
            "row": both(&ws.row),
            "answer": both(&ws.answer),
            "poll": { "p99_ms": percentile(poll.row, 0.99), "interval_ms": POLL_INTERVAL_MS },
        },
    }))
}

/// Milliseconds, one for each block.
struct Lags {
    row: Vec<f64>,
    answer: Vec<f64>,
    /// From the question to Anvil's answer: not part of the others.
    mining: Vec<f64>,
}

/// When which block was seen first.
type Seen = Vec<(Duration, u64)>;

async fn measure(
    args: &Args,
    binary: &Path,
    chain: &mut Chain,
    rpc_url: &str,
    database: &mut Database,
) -> Result<Lags> {
    let clock = SystemClock::new();
    let database_url = database.create().await?;
    let mut indexer = Process::indexer(binary, chain, rpc_url, &database_url, &[])?;
    Watch::new(&database_url).until(chain.head, &mut indexer, PATIENCE, |_| ()).await?;
    let listen = format!("127.0.0.1:{}", free_port()?);
    let mut gateway = Process::spawn(
        binary,
        &["gateway", "--database-url", &database_url, "--listen", &listen, "--admin-listen", "none"],
    )?;
    let instance = format!("http://{listen}/v1/instances/{}", chain.instance(0).await?);
    timeout(PATIENCE, async {
        while ask(&reqwest::Client::new(), &instance).await.is_err() {
            gateway.check()?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    })
    .await
    .context("the gateway does not answer in time")??;

    let (row_seen, row) = watch::channel(chain.head);
    let (answer_seen, answer) = watch::channel(chain.head);
    let row_task = tokio::spawn(rows(database_url.clone(), clock.clone(), row_seen));
    let answer_task = tokio::spawn(answers(instance, clock.clone(), answer_seen));

    let mut mined = Vec::with_capacity(args.samples);
    let mut mining = Vec::with_capacity(args.samples);
    let mut tick = interval(Duration::from_secs(1) / args.rate);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..args.samples {
        tick.tick().await;
        chain.send(Call::beat(0)).await?;
        let asked = clock.monotonic();
        chain.mine_one().await?;
        let now = clock.monotonic();
        mined.push((now, chain.head));
        mining.push((now - asked).as_secs_f64() * 1000.0);
        indexer.check()?;
        gateway.check()?;
    }
    let row = finish(row, row_task, chain.head).await.context("rows")?;
    let answer = finish(answer, answer_task, chain.head).await.context("answers")?;
    indexer.stop().await?;
    gateway.stop().await?;
    Ok(Lags { row: lags(&mined, &row)?, answer: lags(&mined, &answer)?, mining })
}

/// Notes what is committed: woken by the doorbell of the gateways, which rings at commit, and by a clock in case it
/// missed a ring.
async fn rows(database_url: String, clock: Arc<SystemClock>, seen: watch::Sender<u64>) -> Result<Seen> {
    let mut doorbell = Reader::connect(&database_url).await?.listen().await?;
    let mut watch = Watch::new(&database_url);
    let mut heads = Seen::new();
    while !seen.is_closed() {
        if let Ok(rung) = timeout(Duration::from_millis(20), doorbell.ring()).await {
            rung?;
        }
        let head = watch.checkpoint().await?.context("the index is gone")?.head.number;
        if seen.send_if_modified(|last| std::mem::replace(last, head) != head) {
            heads.push((clock.monotonic(), head));
        }
    }
    Ok(heads)
}

/// Notes what a gateway answers, asking all the time. Each block has a heartbeat of the instance, so its lease has to be
/// of the block that the answer is of.
async fn answers(instance: String, clock: Arc<SystemClock>, seen: watch::Sender<u64>) -> Result<Seen> {
    let client = reqwest::Client::new();
    let mut blocks = Seen::new();
    let mut every = interval(Duration::from_millis(1));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = *seen.borrow();
    while !seen.is_closed() {
        every.tick().await;
        let answer = ask(&client, &instance).await?;
        let now = clock.monotonic();
        let block = answer["block"]["number"].as_u64().context("an answer without a block")?;
        let (last, time) = (&answer["instance"]["last_heartbeat"], &answer["block"]["time"]);
        ensure!(block == first || last == time, "block {block} is of {time}, the heartbeat in it of {last}");
        if seen.send_if_modified(|last| std::mem::replace(last, block) != block) {
            blocks.push((now, block));
        }
    }
    Ok(blocks)
}

async fn ask(client: &reqwest::Client, url: &str) -> Result<Value> {
    Ok(client.get(url).send().await?.error_for_status()?.json().await?)
}

/// Waits until the last block was seen, then lets the one who looks end.
async fn finish(mut seen: watch::Receiver<u64>, task: JoinHandle<Result<Seen>>, head: u64) -> Result<Seen> {
    let arrived = timeout(PATIENCE, seen.wait_for(|block| *block >= head)).await.map(|seen| seen.is_ok());
    drop(seen);
    let noted = task.await??;
    ensure!(arrived == Ok(true), "block {head} was not seen in time");
    Ok(noted)
}

/// From when each block was mined to when it, or one after it, was seen; 0 if that was before Anvil's answer came.
fn lags(mined: &[(Duration, u64)], seen: &[(Duration, u64)]) -> Result<Vec<f64>> {
    let lag = |&(at, block): &(Duration, u64)| {
        let first = seen.iter().find(|(_, head)| *head >= block);
        let (when, _) = first.with_context(|| format!("block {block} was never seen"))?;
        Ok(when.saturating_sub(at).as_secs_f64() * 1000.0)
    };
    mined.iter().map(lag).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::lags;

    #[test]
    fn a_block_is_seen_with_the_first_head_that_is_not_below_it() {
        let at = Duration::from_millis;
        let mined = [(at(10), 1), (at(20), 2), (at(30), 3)];
        assert_eq!(lags(&mined, &[(at(9), 1), (at(35), 3)]).unwrap(), [0.0, 15.0, 5.0]);
        assert!(lags(&mined, &[(at(9), 1), (at(35), 2)]).is_err());
    }
}
