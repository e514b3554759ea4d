//! `rollcall up` in an empty folder, and again in the same folder.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use domain::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::numbers::median;

/// The arguments.
#[derive(clap::Args)]
pub struct Args {
    /// How many times; the figures are medians
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The binary to measure; it must be built already
    #[arg(long, default_value = "target/debug/rollcall")]
    binary: std::path::PathBuf,
}

const PATIENCE: Duration = Duration::from_secs(120);

/// Figures in seconds: `first_run_s` and `next_run_s` from the start of the process to its table, `first_answer_s` from
/// the start of the first run to an answer that lists a live instance.
pub async fn run(args: Args) -> Result<Value> {
    ensure!(args.rounds > 0, "--rounds must be at least 1");
    let binary = args
        .binary
        .canonicalize()
        .with_context(|| format!("{} is not there: run `cargo build` first, or say --binary", args.binary.display()))?;
    tools::Tools::ensure().context("installing the pinned tools")?;
    let clock = SystemClock::new();
    let (mut first, mut next, mut answer) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let home = tempfile::tempdir()?;
        let up = Up::start(&binary, home.path(), &clock).await?;
        first.push(up.ready_s);
        answer.push(up.first_answer().await?);
        up.stop().await?;
        let up = Up::start(&binary, home.path(), &clock).await?;
        next.push(up.ready_s);
        up.stop().await?;
        eprintln!(
            "round {round}: first run {:.2} s, first answer {:.2} s, next run {:.2} s",
            first[round - 1],
            answer[round - 1],
            next[round - 1],
        );
    }
    Ok(json!({
        "bench": "cold-start",
        "figures": {
            "first_run_s": median(first),
            "next_run_s": median(next),
            "first_answer_s": median(answer),
        },
    }))
}

/// A running `rollcall up`.
struct Up {
    child: Child,
    clock: Arc<SystemClock>,
    started: Duration,
    ready_s: f64,
    ready: Value,
}

impl Up {
    async fn start(binary: &Path, home: &Path, clock: &Arc<SystemClock>) -> Result<Self> {
        let started = clock.monotonic();
        let mut child = Command::new(binary)
            .args([
                "up",
                "--json",
                "--rpc-port",
                "0",
                "--gateway-port",
                "0",
                "--gateway-admin-port",
                "0",
                "--indexer-port",
                "0",
            ])
            .current_dir(home)
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting rollcall up")?;
        let stdout = child.stdout.take().context("stdout of rollcall up")?;
        let mut lines = BufReader::new(stdout).lines();
        let Some(line) = timeout(PATIENCE, lines.next_line()).await.context("rollcall up is not ready in time")??
        else {
            bail!("rollcall up ended before it was ready");
        };
        let ready_s = (clock.monotonic() - started).as_secs_f64();
        let ready = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
        Ok(Self { child, clock: clock.clone(), started, ready_s, ready })
    }

    /// Seconds from the start to an answer that lists a live instance.
    async fn first_answer(&self) -> Result<f64> {
        let gateway = self.ready["gateway_url"].as_str().context("no gateway_url in the ready line")?;
        let url = format!("{gateway}/v1/namespaces/acme/services/payments/instances");
        let asked = async {
            let mut every = tokio::time::interval(Duration::from_millis(10));
            loop {
                every.tick().await;
                let Ok(answer) = reqwest::get(&url).await else { continue };
                let Ok(answer) = answer.json::<Value>().await else { continue };
                if answer["instances"].as_array().is_some_and(|list| !list.is_empty()) {
                    return;
                }
            }
        };
        timeout(PATIENCE, asked).await.context("no live instance in time")?;
        Ok((self.clock.monotonic() - self.started).as_secs_f64())
    }

    async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().context("rollcall up is gone")?;
        Command::new("kill").args(["-INT", &pid.to_string()]).status().await?;
        let status = timeout(PATIENCE, self.child.wait()).await.context("rollcall up does not stop")??;
        ensure!(status.success() || status.code() == Some(130), "rollcall up ended with {status}");
        Ok(())
    }
}
