//! `rollcall gateway`

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, Result};
use domain::SystemClock;
use tokio_util::sync::CancellationToken;

use crate::{
    commands::target::poll_interval,
    config::{DATABASE_URL, DatabaseUrl, LISTEN, Settings},
    exit::{Exit, Interrupted},
    relayer::RelayArgs,
    signals::Signals,
};

/// Answer who is alive, over HTTP
///
/// Holds the whole index in memory and needs no node and no key. Runs until Ctrl-C or SIGTERM; start as many as you
/// like, on the indexer's database or on a replica of it.
///
/// With a relayer's key it also sends registrations that others signed, at the cost of that key's account.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Postgres with the index; a role that may only read is enough [env: ROLLCALL_DATABASE_URL, DATABASE_URL; file:
    /// database_url]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080] [env: ROLLCALL_LISTEN; file:
    /// listen]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Pause between two looks at the index when nobody rings
    #[arg(long, value_parser = poll_interval, default_value = "1s", value_name = "DURATION")]
    pub poll_interval: Duration,
    /// Whether to relay
    #[command(flatten)]
    pub relay: RelayArgs,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let DatabaseUrl(database_url) = settings.need(&DATABASE_URL, args.database_url.as_deref())?;
    let default = gateway::Config::default();
    let listen: SocketAddr = settings.get(&LISTEN, args.listen.as_deref())?.unwrap_or(default.listen);
    let database = database_url.expose().to_owned();
    let relay = args.relay.relay(settings).await?;
    let config =
        gateway::Config { relay, listen, database_url: database, poll_interval: args.poll_interval, ..default };
    let mut signals = Signals::listen()?;
    let stop = CancellationToken::new();
    let server = gateway::Gateway::bind(config, SystemClock::new()).await.context("gateway")?;
    tracing::info!(address = %server.local_addr(), database = %database_url, "gateway starts");
    let work = server.serve(stop.clone());
    tokio::pin!(work);
    tokio::select! {
        result = &mut work => result.context("gateway")?,
        () = signals.next() => {
            stop.cancel();
            tokio::select! {
                result = &mut work => result.context("gateway")?,
                () = signals.next() => return Err(Interrupted.into()),
            }
        }
    }
    Ok(Exit::Ok)
}
