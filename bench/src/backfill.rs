//! How fast an index is made of a chain that is there already, beside what a bare `eth_getLogs` takes.

use std::{path::Path, time::Duration};

use alloy::{primitives::U64, rpc::types::Log};
use anyhow::{Context, Result, ensure};
use domain::{Clock, SystemClock};
use serde_json::{Map, Value, json};
use tools::Tools;

use crate::{
    chains::{Chain, Shape},
    numbers::{median, rate},
    world::{Build, Database, Process, Watch},
};

/// The arguments.
#[derive(clap::Args)]
pub struct Args {
    /// How many times each; the figures are medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only the chain of 1,000,000 events
    #[arg(long, conflicts_with = "skip_growth")]
    only_growth: bool,
    /// Without that chain
    #[arg(long)]
    skip_growth: bool,
    /// Which build
    #[command(flatten)]
    build: Build,
}

/// Blocks in one request of the bare client, as in those of ours.
const RANGE: u64 = 2_000;
/// At how many events the rates at both ends are taken.
const SLICE: u64 = 100_000;
const PATIENCE: Duration = Duration::from_secs(900);

/// Figures: `events_per_s` and `verified_events_per_s` of `rollcall indexer` from when it has begun its index, `start_s` after
/// its start, to the tip, without proofs and with receipts; `ratio_raw`, its share of the rate of a bare client in the same round; `rss_mb`, the most memory it
/// had in any round. `growth_ratio`: its rate in the last 100,000 finalized of 1,000,000 events over that in the first.
pub async fn run(args: Args) -> Result<Value> {
    ensure!(args.rounds > 0, "--rounds must be at least 1");
    let binary = args.build.find()?;
    let tools = Tools::ensure()?;
    let mut database = Database::start(&tools).await?;
    let clock = SystemClock::new();
    let mut figures = Map::new();
    let shapes = [("dense", Shape::Dense), ("sparse", Shape::Sparse)];
    for (name, shape) in shapes.into_iter().filter(|_| !args.only_growth) {
        let chain = Chain::generate(&tools, shape, None).await?;
        eprintln!("{name}: {} events in {} blocks", chain.events, chain.head);
        let of_shape = Rounds::measure(args.rounds, &binary, &chain, &mut database, &*clock).await?;
        figures.insert(name.to_owned(), of_shape.figures());
        chain.stop().await?;
    }
    if !args.skip_growth {
        let chain = Chain::generate(&tools, Shape::Growth, None).await?;
        eprintln!("growth: {} events in {} blocks", chain.events, chain.head);
        let ratio = growth(&binary, &chain, &mut database, &*clock).await?;
        figures.insert("growth_ratio".to_owned(), json!(ratio));
        chain.stop().await?;
    }
    database.stop().await?;
    Ok(json!({ "bench": "backfill", "figures": figures }))
}

#[derive(Default)]
struct Rounds {
    plain: Vec<f64>,
    verified: Vec<f64>,
    ratio: Vec<f64>,
    start: Vec<f64>,
    rss_mb: f64,
}

impl Rounds {
    async fn measure(
        rounds: usize,
        binary: &Path,
        chain: &Chain,
        database: &mut Database,
        clock: &dyn Clock,
    ) -> Result<Self> {
        let mut all = Self::default();
        for round in 1..=rounds {
            let raw = rate(chain.events, bare(chain, clock).await?);
            let mut of_mode = Vec::new();
            for verify in ["none", "receipts"] {
                let url = database.create().await?;
                let mut seen = Vec::new();
                let (seconds, rss) = index(binary, chain, &url, verify, clock, &mut seen).await?;
                let (begun, head) = *seen.first().context("no checkpoint was seen")?;
                of_mode.push(rate(chain.events - chain.events_up_to(head), seconds - begun));
                all.start.push(begun);
                all.rss_mb = all.rss_mb.max(rss);
            }
            let [plain, verified] = of_mode[..] else { unreachable!("two modes") };
            eprintln!("round {round}: bare {raw} events/s, ours {plain}, with receipts {verified}, {} MB", all.rss_mb);
            all.ratio.push(plain / raw);
            all.plain.push(plain);
            all.verified.push(verified);
        }
        Ok(all)
    }

    fn figures(self) -> Value {
        json!({
            "events_per_s": median(self.plain),
            "ratio_raw": median(self.ratio),
            "verified_events_per_s": median(self.verified),
            "start_s": median(self.start),
            "rss_mb": self.rss_mb,
        })
    }
}

/// Seconds that a client takes that does nothing but fetch and decode all logs, a range after the other.
async fn bare(chain: &Chain, clock: &dyn Clock) -> Result<f64> {
    let started = clock.monotonic();
    let mut events = 0;
    for from in (chain.deploy_block..=chain.head).step_by(RANGE as usize) {
        let to = chain.head.min(from + RANGE - 1);
        let filter = json!({ "address": chain.registry, "fromBlock": U64::from(from), "toBlock": U64::from(to) });
        let logs: Vec<Log> = chain.rpc.ask("eth_getLogs", json!([filter])).await?;
        events += logs.len() as u64;
    }
    ensure!(events == chain.events, "the node gave {events} logs of {}", chain.events);
    Ok((clock.monotonic() - started).as_secs_f64())
}

/// Seconds from the start of an indexer on an empty database to the tip, and the most memory it had in MB. `seen` gets
/// when each new head was seen.
async fn index(
    binary: &Path,
    chain: &Chain,
    database_url: &str,
    verify: &str,
    clock: &dyn Clock,
    seen: &mut Vec<(f64, u64)>,
) -> Result<(f64, f64)> {
    let mut watch = Watch::new(database_url);
    // So that the connection is there when the process starts.
    ensure!(watch.checkpoint().await?.is_none(), "the database of a round is not empty");
    let started = clock.monotonic();
    let elapsed = || (clock.monotonic() - started).as_secs_f64();
    let mut process =
        Process::indexer(binary, chain, &chain.rpc_url(), database_url, &["--verify", verify, "--log-level", "info"])?;
    let note = |checkpoint: &store::rows::Checkpoint| {
        if seen.last().is_none_or(|(_, head)| *head != checkpoint.head.number) {
            seen.push((elapsed(), checkpoint.head.number));
        }
    };
    watch.until(chain.head, &mut process, PATIENCE, note).await?;
    let (seconds, rss) = (elapsed(), process.peak_mb()?);
    process.stop().await?;
    Ok((seconds, rss))
}

async fn growth(binary: &Path, chain: &Chain, database: &mut Database, clock: &dyn Clock) -> Result<f64> {
    let url = database.create().await?;
    let mut seen = Vec::new();
    let (seconds, rss) = index(binary, chain, &url, "none", clock, &mut seen).await?;
    // What is not final goes block by block, which is another thing.
    let finalized: U64 = {
        let block: Value = chain.rpc.ask("eth_getBlockByNumber", json!(["finalized", false])).await?;
        serde_json::from_value(block["number"].clone())?
    };
    let points: Vec<(f64, u64)> = seen.into_iter().map(|(at, head)| (at, chain.events_up_to(head))).collect();
    let last = chain.events_up_to(finalized.to());
    let took = |from, to| at_event(&points, to) - at_event(&points, from);
    let (head, tail) = (took(0, SLICE), took(last - SLICE, last));
    eprintln!(
        "growth: {} events/s of all, {} of the first {SLICE}, {} of the last, {rss} MB",
        rate(chain.events, seconds),
        rate(SLICE, head),
        rate(SLICE, tail)
    );
    Ok(median(vec![head / tail]))
}

/// When the index had so many events, by the checkpoints before and after.
#[expect(clippy::cast_precision_loss, reason = "events are far below 2^52")]
fn at_event(points: &[(f64, u64)], events: u64) -> f64 {
    let after = points.iter().position(|(_, had)| *had >= events).unwrap_or(points.len().saturating_sub(1));
    let (Some(&(t1, n1)), Some(&(t0, n0))) = (points.get(after), points.get(after.saturating_sub(1))) else {
        return f64::NAN;
    };
    if n1 == n0 { t1 } else { t0 + (t1 - t0) * (events - n0) as f64 / (n1 - n0) as f64 }
}

#[cfg(test)]
mod tests {
    use super::at_event;

    #[test]
    fn time_between_checkpoints_goes_with_the_events() {
        let points = [(1.0, 0), (2.0, 100), (4.0, 200)];
        assert_eq!(at_event(&points, 0), 1.0);
        assert_eq!(at_event(&points, 50), 1.5);
        assert_eq!(at_event(&points, 150), 3.0);
        assert_eq!(at_event(&points, 200), 4.0);
    }
}
