//! What a read takes of a gateway, beside a bare axum server of the same bytes, nginx and etcd.

mod etcd;
mod load;
mod nginx;
pub mod plain;
mod steady;

use std::{fs, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{process::Command, task::JoinSet, time::interval};
use tools::{Tools, free_port};

use self::{
    load::{Load, measure, measure_h2},
    steady::steady,
};
use crate::{
    filled::{Filled, ready},
    numbers::{median, percentile},
    world::{Build, Database, Process},
};

/// The arguments.
#[derive(clap::Args)]
pub struct Args {
    /// How many services, each with ten instances
    #[arg(long, default_value_t = 10_000)]
    services: u32,
    /// How many times to measure each
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// For how many seconds each time
    #[arg(long, default_value_t = 3)]
    seconds: u32,
    /// Requests a second for latencies
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// Which build
    #[command(flatten)]
    build: Build,
}

const PER_SERVICE: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(120);

/// Nobody here is to be told to wait.
const RATE: &str = "1000000";

/// What is measured of a gateway.
struct Case {
    name: &'static str,
    load: Load,
}

/// Figures, all but the latencies of requests per second of CPU of the server: `ratio_axum_*` to a bare axum server of the
/// same bytes, measured right before and after, `ratio_etcd` to its gRPC serializable range of the same ten instances; `p99_ms` at a fixed rate,
/// from when a request was to be sent, and `p99_ratio_nginx` to nginx that serves the same bytes as a file. Medians of the rounds.
pub async fn run(args: Args) -> Result<Value> {
    ensure!(
        args.services >= 10 && args.rounds > 0 && args.seconds > 0 && args.rate > 0,
        "there must be something to measure"
    );
    let binary = args.build.find()?;
    let programs = load::Programs::find()?;
    let tools = Tools::ensure()?;
    let folder = tempfile::Builder::new().prefix("rollcall-bench-").tempdir()?;
    let mut database = Database::start(&tools).await?;
    let database_url = database.create().await?;
    eprintln!("{} services of {PER_SERVICE} instances", args.services);
    let filled = Filled::new(&database_url, args.services, PER_SERVICE).await?;
    // A chain that stands still has a mode of its own.
    let mut chain = JoinSet::new();
    chain.spawn(mine(filled, args.services - 1));

    let (mut open, open_url) = gateway(&binary, &database_url, &[]).await?;
    let key = key_file(&binary, &folder).await?;
    let keys = folder.path().join("keys.toml").display().to_string();
    let full = ["--keys", &keys, "--rate", RATE, "--burst", RATE, "--log-level", "warn"];
    let (mut guarded, guarded_url) = gateway(&binary, &database_url, &full).await?;

    let path = path(0);
    // As wrk asks: for what is not compressed.
    let request = reqwest::Client::new().get(format!("{open_url}{path}")).header("accept-encoding", "identity");
    let answer = request.send().await?.error_for_status()?;
    let tag = answer.headers().get("etag").context("an answer without a tag")?.to_str()?.to_owned();
    let body = answer.bytes().await?;
    println!("{} bytes of {PER_SERVICE} instances", body.len());
    let (mut axum, axum_url) = plain::start(&folder, &path, &body).await?;
    let (mut nginx, nginx_url) = nginx::start(&programs.nginx, &folder, &path, &body).await?;
    let mut etcd = etcd::Etcd::start(&programs.etcd, &folder, args.services, &body).await?;

    let bearer = format!("Authorization: Bearer {key}");
    let cases = [
        Case { name: "one_key", load: Load::one(&open_url, &path) },
        Case { name: "10k", load: Load::random(&open_url, (0..args.services).map(self::path).collect()) },
        Case { name: "full_stack", load: Load::one(&guarded_url, &path).with(&bearer) },
        Case { name: "304", load: Load::one(&open_url, &path).with(&format!("If-None-Match: {tag}")).status(304) },
    ];
    let plain_load = Load::one(&axum_url, &path);
    // Each answer is made when somebody asks for it first.
    let client = reqwest::Client::new();
    for n in 0..args.services {
        client.get(format!("{open_url}{}", self::path(n))).send().await?.error_for_status()?.bytes().await?;
    }
    let mut ratios: Vec<Vec<f64>> = vec![Vec::new(); cases.len()];
    let (mut ratio_etcd, mut ours_ms, mut nginx_ms) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        if let Some(ended) = chain.try_join_next() {
            ended?.context("no more blocks")?;
        }
        for (case, ratios) in cases.iter().zip(&mut ratios) {
            let before = measure(&programs, &plain_load, args.seconds, &mut axum).await?;
            let server = if case.name == "full_stack" { &mut guarded } else { &mut open };
            let ours = measure(&programs, &case.load, args.seconds, server).await?;
            let after = measure(&programs, &plain_load, args.seconds, &mut axum).await?;
            let bare = f64::midpoint(before, after);
            println!("{}: {ours:.0} of axum's {bare:.0} requests per CPU second", case.name);
            ratios.push(ours / bare);
        }
        let before = measure(&programs, &cases[0].load, args.seconds, &mut open).await?;
        let theirs = etcd.measure(&programs, args.seconds).await?;
        let after = measure(&programs, &cases[0].load, args.seconds, &mut open).await?;
        let ours = f64::midpoint(before, after);
        let h2 = measure_h2(&programs, &format!("{open_url}{path}"), None, args.seconds, &mut open).await?;
        println!("etcd: {theirs:.0} ranges per CPU second, ours beside it {ours:.0}; over HTTP/2 as well: {h2:.0}");
        ratio_etcd.push(ours / theirs);
        // In turns, so that what disturbs one disturbs the other.
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..args.seconds {
            theirs.extend(steady(&format!("{nginx_url}{path}"), args.rate, 1).await?);
            ours.extend(steady(&format!("{open_url}{path}"), args.rate, 1).await?);
        }
        nginx.check()?;
        let [theirs, ours] = [theirs, ours].map(|all| percentile(all, 0.99));
        println!("at {} requests/s: p99 {ours:.3} ms, nginx {theirs:.3} ms", args.rate);
        ours_ms.push(ours);
        nginx_ms.push(theirs);
    }
    chain.shutdown().await;
    for process in [open, guarded, axum, nginx, etcd.process] {
        process.stop().await?;
    }
    database.stop().await?;
    let mut figures = serde_json::Map::new();
    for (case, ratios) in cases.iter().zip(ratios) {
        figures.insert(format!("ratio_axum_{}", case.name), median(ratios).into());
    }
    let p99_ratio = ours_ms.iter().zip(&nginx_ms).map(|(ours, theirs)| ours / theirs).collect();
    figures.insert("ratio_etcd".into(), median(ratio_etcd).into());
    figures.insert("p99_ms".into(), median(ours_ms).into());
    figures.insert("p99_ratio_nginx".into(), median(p99_ratio).into());
    Ok(json!({ "bench": "read", "figures": figures }))
}

/// Of a service, where a gateway has its instances.
fn path(n: u32) -> String {
    format!("/v1/namespaces/bench/services/s{n}/instances")
}

/// A block in each second, with heartbeats of one service.
async fn mine(mut filled: Filled, service: u32) -> Result<()> {
    let mut every = interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        filled.beat([service]).await?;
    }
}

async fn gateway(binary: &Path, database_url: &str, more: &[&str]) -> Result<(Process, String)> {
    let listen = format!("127.0.0.1:{}", free_port()?);
    let mut args = vec!["gateway", "--database-url", database_url, "--listen", &listen, "--admin-listen", "none"];
    args.extend(more);
    let mut process = Process::spawn(binary, &args)?;
    let url = format!("http://{listen}");
    ready(&mut process, &url, PATIENCE).await?;
    Ok((process, url))
}

/// Makes an API key for all that is measured.
async fn key_file(binary: &Path, folder: &TempDir) -> Result<String> {
    let keys = folder.path().join("keys.toml");
    let mut command = Command::new(binary);
    command.args(["gateway", "key", "create", "--name", "bench", "--rate", &format!("{RATE}/s"), "--keys"]).arg(keys);
    let output = command.env_clear().output().await?;
    ensure!(output.status.success(), "no key: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let key = text.split_whitespace().find(|word| word.starts_with("rck_")).context("no key in the output")?;
    Ok(key.trim_matches('"').to_owned())
}

/// A file in the folder of this run.
fn file(folder: &TempDir, name: &str, text: &[u8]) -> Result<std::path::PathBuf> {
    let path = folder.path().join(name);
    fs::write(&path, text)?;
    Ok(path)
}
