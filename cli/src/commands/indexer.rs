//! `rollcall indexer`

use std::{str::FromStr, time::Duration};

use anyhow::{Context, Result};
use client::{SecretUrl, deploy};
use domain::{Address, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::{
    commands::target::{Contract, RegistryArgs, account, poll_interval},
    config::{CONTRACT, DATABASE_URL, DEPLOY_BLOCK, DatabaseUrl, ENDORSEMENTS, RPC_URL, Settings},
    exit::{Exit, Interrupted},
    signals::Signals,
};

/// Mirror the registry's events into Postgres
///
/// Runs until Ctrl-C or SIGTERM, and goes on where it was. It waits for a node or a database that is not there yet. Of
/// several on one database, the last to start works and the others end.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which registry
    #[command(flatten)]
    pub registry: RegistryArgs,
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
    /// Pause between two looks at the chain
    #[arg(long, value_parser = poll_interval, default_value = "500ms", value_name = "DURATION")]
    pub poll_interval: Duration,
    /// Most blocks in one request for logs
    #[arg(long, default_value_t = 2_000, value_name = "BLOCKS", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_range: u64,
    /// Blocks below the head that are followed one by one
    #[arg(long, default_value_t = 256, value_name = "BLOCKS", value_parser = clap::value_parser!(u64).range(1..))]
    pub window: u64,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let rpc_url: SecretUrl = settings.need(&RPC_URL, args.registry.rpc_url.as_deref())?;
    let Contract(contract) = settings.need(&CONTRACT, args.registry.contract.as_deref())?;
    let DatabaseUrl(database_url) = settings.need(&DATABASE_URL, args.database_url.as_deref())?;
    let deploy_block = settings.get(&DEPLOY_BLOCK, args.deploy_block.as_deref())?;
    let given = settings.get(&ENDORSEMENTS, args.endorsements.as_deref())?;
    let canonical = deploy::canonical::endorsements(contract);
    let endorsements = given.map_or(Some(canonical), |Endorsements(given)| given);
    let mut signals = Signals::listen()?;
    let config = indexer::Config {
        endorsements,
        deploy_block,
        poll_interval: args.poll_interval,
        max_range: args.max_range,
        window: args.window,
        ..indexer::Config::new(rpc_url.expose(), database_url.expose(), contract)
    };
    let stop = CancellationToken::new();
    tracing::info!(%contract, endorsements = ?config.endorsements, node = %rpc_url, database = %database_url, "indexer starts");
    let work = indexer::run(config, SystemClock::new(), stop.clone());
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

/// What the setting says: an address, or `none`.
#[derive(Debug, Clone, Copy)]
struct Endorsements(Option<Address>);

impl FromStr for Endorsements {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" { Ok(Self(None)) } else { account(text).map(|address| Self(Some(address))) }
    }
}
