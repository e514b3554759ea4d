//! `rollcall indexer`

use std::{str::FromStr, time::Duration};

use anyhow::{Context, Result};
use client::{SecretUrl, deploy};
use domain::{Address, SystemClock};
use indexer::{Vitals, probes::Probes};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    commands::target::{Contract, OptionalAddress, RegistryArgs, account, duration, poll_interval, seldom},
    config::{
        CONTRACT, DATABASE_URL, DEPLOY_BLOCK, DatabaseUrl, ENDORSEMENTS, FALLBACK_RPC_URLS, INDEXER_LISTEN, RPC_URL,
        Settings,
    },
    exit::{Exit, Interrupted},
    signals::Signals,
};

mod bar;
mod check;
mod reindex;

/// Where it answers probes if nothing says otherwise.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 9465);

/// Mirror the registry's events into Postgres
///
/// Runs until Ctrl-C or SIGTERM, and goes on where it was. It waits for a node or a database that is not there yet. Of
/// several on one database one works; the others stand by, and one of them takes its place when it ends.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to mirror
    #[command(flatten)]
    pub index: IndexArgs,
    /// Pause between two looks at the chain
    #[arg(long, value_parser = poll_interval, default_value = "500ms", value_name = "DURATION")]
    pub poll_interval: Duration,
    /// How it is built
    #[command(flatten)]
    pub build: BuildArgs,
    /// Address and port of /livez, /readyz and /metrics; port 0 takes a free one; none: no probes [default:
    /// 127.0.0.1:9465] [env: ROLLCALL_INDEXER_LISTEN; file: indexer_listen]
    #[arg(long, value_name = "ADDRESS", help_heading = "Operations")]
    pub listen: Option<String>,
    /// How often the storage roots of the index are compared with the chain's; 0: never
    #[arg(long, value_parser = seldom, default_value = "10m", value_name = "DURATION", help_heading = "Operations")]
    pub check_every: Duration,
    /// Only say so when they differ: leave the index as it is
    #[arg(long, help_heading = "Operations")]
    pub no_rebuild: bool,
    /// How long the chain may have no new block before this indexer is not ready [default: as long as it likes]
    #[arg(long, value_parser = duration, value_name = "DURATION", help_heading = "Operations")]
    pub max_head_age: Option<Duration>,
}

/// What else there is to do with an index.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    Check(check::Args),
    Reindex(reindex::Args),
}

/// Which index, of what.
#[derive(Debug, clap::Args)]
pub struct IndexArgs {
    /// Which registry
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Other nodes, with commas between, by HTTP or WebSocket: the next one is asked when a node does not answer, lags
    /// or lies [env: ROLLCALL_FALLBACK_RPC_URLS; file: fallback_rpc_urls]
    #[arg(long, value_name = "URLS", help_heading = "Chain")]
    pub fallback_rpc_urls: Option<String>,
    /// Address of the endorsements of its instances, or none; an index keeps to it [default: the canonical one,
    /// there already or later] [env: ROLLCALL_ENDORSEMENTS; file: endorsements]
    #[arg(long, value_name = "ADDRESS", help_heading = "Chain")]
    pub endorsements: Option<String>,
    /// Postgres, where the role may make tables [env: ROLLCALL_DATABASE_URL, DATABASE_URL; file: database_url]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Block in which the registry was deployed, if the node does not know [env: ROLLCALL_DEPLOY_BLOCK; file:
    /// deploy_block]
    #[arg(long, value_name = "NUMBER")]
    pub deploy_block: Option<String>,
    /// Most blocks in one request for logs
    #[arg(long, default_value_t = 2_000, value_name = "BLOCKS", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_range: u64,
}

/// How an index is built, whether it is the one in use or one beside it.
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    /// What nodes have to prove: receipts (that hash to the block), headers (the bloom at least), none [default: receipts
    /// of blocks at the head, none of ranges of old blocks: indexer check covers those]
    #[arg(long, value_name = "WHAT")]
    pub verify: Option<indexer::Verify>,
    /// Blocks below the head that are followed one by one
    #[arg(long, default_value_t = 256, value_name = "BLOCKS", value_parser = clap::value_parser!(u64).range(1..))]
    pub window: u64,
    /// For how many days heartbeats are kept one by one; 0: for ever. Uptimes per day are kept for ever
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    pub keep_heartbeats: u64,
}

impl BuildArgs {
    fn of(&self, config: indexer::Config) -> indexer::Config {
        let Self { verify, window, keep_heartbeats } = *self;
        indexer::Config { verify, window, keep_heartbeats, ..config }
    }
}

impl IndexArgs {
    fn config(&self, settings: &Settings) -> Result<indexer::Config> {
        let rpc_url: SecretUrl = settings.need(&RPC_URL, self.registry.rpc_url.as_deref())?;
        let fallbacks = settings.get(&FALLBACK_RPC_URLS, self.fallback_rpc_urls.as_deref())?;
        let RpcUrls(fallbacks) = fallbacks.unwrap_or_default();
        let Contract(contract) = settings.need(&CONTRACT, self.registry.contract.as_deref())?;
        let DatabaseUrl(database_url) = settings.need(&DATABASE_URL, self.database_url.as_deref())?;
        let deploy_block = settings.get(&DEPLOY_BLOCK, self.deploy_block.as_deref())?;
        let given = settings.get(&ENDORSEMENTS, self.endorsements.as_deref())?;
        let canonical = deploy::canonical::endorsements(contract);
        let endorsements = given.map_or(Some(canonical), |Endorsements(given)| given);
        let urls: Vec<&SecretUrl> = std::iter::once(&rpc_url).chain(&fallbacks).collect();
        let nodes: Vec<String> = urls.iter().map(ToString::to_string).collect();
        tracing::info!(%contract, ?endorsements, ?nodes, database = %database_url, "the index");
        Ok(indexer::Config {
            rpc_urls: urls.iter().map(|url| url.expose().to_owned()).collect(),
            endorsements,
            deploy_block,
            max_range: self.max_range,
            ..indexer::Config::new(rpc_url.expose(), database_url.expose(), contract)
        })
    }
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    match args.command {
        Some(Command::Check(args)) => return check::run(settings, args).await,
        Some(Command::Reindex(args)) => return reindex::run(settings, args).await,
        None => {}
    }
    let config = indexer::Config {
        poll_interval: args.poll_interval,
        check_every: Some(args.check_every).filter(|every| !every.is_zero()),
        rebuild: !args.no_rebuild,
        max_head_age: args.max_head_age,
        ..args.build.of(args.index.config(settings)?)
    };
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let clock = SystemClock::new();
    let vitals = Vitals::new(clock.clone());
    let listen = settings.get(&INDEXER_LISTEN, args.listen.as_deref())?;
    let OptionalAddress(listen) = listen.unwrap_or(OptionalAddress(Some(LISTEN.into())));
    // Answers until the work has ended: "told to stop" is a state, too.
    let mut beside = JoinSet::new();
    if let Some(listen) = listen {
        let probes = Probes::bind(listen, vitals.clone()).await.context("indexer")?;
        tracing::info!(address = %probes.local_addr(), "probes and metrics");
        beside.spawn(probes.serve(CancellationToken::new()));
    }
    beside.spawn(bar::draw(vitals.progress(), clock));
    let work = indexer::run_with_vitals(config, stop.clone(), vitals);
    tokio::pin!(work);
    tokio::select! {
        result = &mut work => result.context("indexer")?,
        () = signals.next() => {
            stop.cancel();
            tokio::select! {
                result = &mut work => result.context("indexer")?,
                () = signals.next() => return Err(Interrupted.into()),
            }
        }
    }
    Ok(Exit::Ok)
}

/// URLs with commas between.
#[derive(Debug, Clone, Default)]
struct RpcUrls(Vec<SecretUrl>);

impl FromStr for RpcUrls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let urls = text.split(',').map(str::trim).filter(|url| !url.is_empty());
        let urls = urls.map(|url| url.parse::<SecretUrl>().map_err(|error| error.to_string()));
        urls.collect::<Result<_, _>>().map(Self)
    }
}

/// What the setting says: an address, or `none`.
#[derive(Debug, Clone, Copy)]
struct Endorsements(Option<Address>);

impl FromStr for Endorsements {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(Self(None)) } else { account(text).map(|address| Self(Some(address))) }
    }
}
