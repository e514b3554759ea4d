//! How soon all who wait for a service are told that it changed, and that nobody is told of others.

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use domain::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::{interval, sleep, timeout},
};
use tools::{Tools, free_port};

use crate::{
    filled::{Filled, ready},
    numbers::percentile,
    world::{Build, Database, Process},
};

/// The arguments.
#[derive(clap::Args)]
pub struct Args {
    /// How many wait at once
    #[arg(long, default_value_t = 1_000)]
    watchers: usize,
    /// How many changes of the service that they wait for
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
    /// How many other services there are
    #[arg(long, default_value_t = 1_000)]
    others: u32,
    /// For how many seconds only the others change
    #[arg(long, default_value_t = 60)]
    quiet: u64,
    /// Which build
    #[command(flatten)]
    build: Build,
}

const PER_SERVICE: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(60);

/// How long after a change somebody who was not told has missed it.
const MISSED: Duration = Duration::from_secs(5);

/// Who was told.
type Told = (usize, Duration);

/// How somebody waits.
#[derive(Debug, Clone, Copy)]
enum Kind {
    LongPoll,
    Events,
}

/// Figures for `longpoll` and `sse`: `last_ms`, the 99th percentile of the times from the commit of a change until the last
/// one was told, and `last_p50_ms`; `missed`, how many times somebody was not; `spurious_per_min`, how many times one was told
/// in a minute in which only other services changed.
pub async fn run(args: Args) -> Result<Value> {
    ensure!(args.watchers > 0 && args.changes > 0 && args.quiet > 0, "there must be something to measure");
    let binary = args.build.find()?;
    let tools = Tools::ensure()?;
    let mut database = Database::start(&tools).await?;
    let url = database.create().await?;
    let mut filled = Filled::new(&url, args.others + 1, PER_SERVICE).await?;
    let listen = format!("127.0.0.1:{}", free_port()?);
    let arguments = ["gateway", "--database-url", &url, "--listen", &listen, "--admin-listen", "none"];
    let mut gateway = Process::spawn(&binary, &arguments)?;
    let url = format!("http://{listen}");
    ready(&mut gateway, &url, PATIENCE).await?;
    let mut figures = serde_json::Map::new();
    for (name, kind) in [("longpoll", Kind::LongPoll), ("sse", Kind::Events)] {
        eprintln!("{name}: {} wait", args.watchers);
        figures.insert(name.to_owned(), measure(&args, kind, &url, &mut filled, &mut gateway).await?);
    }
    println!("{:.0} MB of the gateway at most", gateway.peak_mb()?);
    gateway.stop().await?;
    database.stop().await?;
    Ok(json!({ "bench": "watch", "figures": figures }))
}

async fn measure(args: &Args, kind: Kind, url: &str, filled: &mut Filled, gateway: &mut Process) -> Result<Value> {
    let clock = SystemClock::new();
    let (tell, mut told) = unbounded_channel::<Told>();
    let mut watchers = JoinSet::new();
    for n in 0..args.watchers {
        watchers.spawn(watch(kind, url.to_owned(), n, clock.clone(), tell.clone()));
    }
    // Everybody says once that it waits.
    let mut begun = HashSet::new();
    let all = async {
        while begun.len() < args.watchers {
            begun.insert(told.recv().await.context("all watchers ended")?.0);
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, all).await.context("not all wait in time")??;
    sleep(Duration::from_millis(500)).await;

    let (mut last, mut missed) = (Vec::with_capacity(args.changes), 0);
    for _ in 0..args.changes {
        while told.try_recv().is_ok() {}
        filled.beat([0]).await?;
        let committed = clock.monotonic();
        let (after, without) = everybody(&mut told, args.watchers, committed).await;
        last.push(after.as_secs_f64() * 1000.0);
        missed += without;
        gateway.check()?;
        if let Some(ended) = watchers.try_join_next() {
            bail!("a watcher ended: {:?}", ended?);
        }
        // Long polls come back.
        sleep(Duration::from_millis(50)).await;
    }
    while told.try_recv().is_ok() {}
    let mut every = interval(Duration::from_millis(100));
    for n in 0..args.quiet * 10 {
        every.tick().await;
        let n = u32::try_from(n)?;
        filled.beat((0..args.others / 10).map(|m| 1 + (n * (args.others / 10) + m) % args.others)).await?;
    }
    let mut spurious = 0.0;
    while told.try_recv().is_ok() {
        spurious += 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let per_minute = spurious * 60.0 / (args.quiet as f64 * args.watchers as f64);
    watchers.shutdown().await;
    Ok(json!({
        "last_ms": percentile(last.clone(), 0.99),
        "last_p50_ms": percentile(last, 0.5),
        "missed": missed,
        "spurious_per_min": per_minute,
    }))
}

/// How long after the change the last one was told, and how many were not.
async fn everybody(told: &mut UnboundedReceiver<Told>, watchers: usize, committed: Duration) -> (Duration, usize) {
    let (mut who, mut last) = (HashSet::new(), Duration::ZERO);
    let all = async {
        while who.len() < watchers {
            let Some((n, when)) = told.recv().await else { return };
            who.insert(n);
            last = last.max(when.saturating_sub(committed));
        }
    };
    let _ = timeout(MISSED, all).await;
    (last, watchers - who.len())
}

/// Says that it waits, and each time that it is told.
async fn watch(
    kind: Kind,
    url: String,
    n: usize,
    clock: std::sync::Arc<SystemClock>,
    tell: UnboundedSender<Told>,
) -> Result<()> {
    let now = || clock.monotonic();
    match kind {
        Kind::LongPoll => {
            let path = "/v1/namespaces/bench/services/s0/instances";
            let mut asker = Asker::connect(&url).await?;
            let mut asked = path.to_owned();
            loop {
                let index = asker.ask(&asked).await?;
                asked = format!("{path}?index={index}&wait=10m");
                tell.send((n, now()))?;
            }
        }
        Kind::Events => {
            let client = reqwest::Client::builder().no_proxy().build()?;
            let mut answer = client.get(format!("{url}/v1/watch?service=bench/s0")).send().await?.error_for_status()?;
            let mut text = Vec::new();
            while let Some(part) = answer.chunk().await? {
                text.extend_from_slice(&part);
                // An event ends with an empty line; one without data is a sign of life.
                while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                    let event: Vec<u8> = text.drain(..end + 2).collect();
                    if event.windows(5).any(|word| word == b"data:") {
                        tell.send((n, now()))?;
                    }
                }
            }
            bail!("the stream ended")
        }
    }
}

/// The barest HTTP client: a thousand of them share the machine with the gateway, and a whole one takes twice what the gateway
/// does.
struct Asker {
    stream: BufReader<TcpStream>,
    host: String,
    line: String,
    body: Vec<u8>,
}

impl Asker {
    async fn connect(url: &str) -> Result<Self> {
        let host = url.strip_prefix("http://").context("no http://")?.to_owned();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host, line: String::new(), body: Vec::new() })
    }

    /// Asks for a path, reads the answer to its end, and returns its index.
    async fn ask(&mut self, path: &str) -> Result<u64> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host);
        self.stream.get_mut().write_all(request.as_bytes()).await?;
        let (mut index, mut length) = (None, None);
        let status = self.line().await?.to_owned();
        ensure!(status.starts_with("HTTP/1.1 200 "), "the gateway answers {status:?}");
        while let Some((name, value)) = self.line().await?.split_once(": ") {
            match name {
                "x-registry-index" => index = Some(value.parse()?),
                "content-length" => length = Some(value.parse()?),
                _ => {}
            }
        }
        self.body.resize(length.context("an answer without a length")?, 0);
        self.stream.read_exact(&mut self.body).await?;
        index.context("an answer without an index")
    }

    async fn line(&mut self) -> Result<&str> {
        self.line.clear();
        ensure!(self.stream.read_line(&mut self.line).await? > 0, "the gateway hung up");
        Ok(self.line.trim_end())
    }
}
