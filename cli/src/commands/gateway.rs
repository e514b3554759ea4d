//! `rollcall gateway`

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use domain::SystemClock;
use gateway::{AccessRules, TokenRules};
use tokio_util::sync::CancellationToken;

use crate::{
    commands::target::poll_interval,
    config::{DATABASE_URL, DatabaseUrl, JWKS, JWT_AUDIENCE, JWT_ISSUER, KEYS, LISTEN, PUBLIC, SNAPSHOT, Settings},
    exit::{Exit, Interrupted, usage},
    relayer::RelayArgs,
    signals::Signals,
};

mod key;
mod serving;

/// Answer who is alive, over HTTP
///
/// Holds the whole index in memory and needs no node and no key. Runs until Ctrl-C or SIGTERM; start as many as you
/// like, on the indexer's database or on a replica of it. On an address that strangers reach it does not start until
/// somebody says who may ask.
///
/// With a relayer's key it also sends registrations that others signed, at the cost of that key's account.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Postgres with the index; a role that may only read is enough [env: ROLLCALL_DATABASE_URL, DATABASE_URL; file:
    /// database_url]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080] [env: ROLLCALL_LISTEN; file:
    /// listen]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// File for what the gateway knows, written every minute: served, and marked stale, when it starts while the database
    /// is away. One file for each gateway; without, nothing is written [env: ROLLCALL_SNAPSHOT; file: snapshot]
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<String>,
    /// Pause between two looks at the index when nobody rings
    #[arg(long, value_parser = poll_interval, default_value = "1s", value_name = "DURATION")]
    pub poll_interval: Duration,
    /// Whether to relay
    #[command(flatten)]
    pub relay: RelayArgs,
    /// How it serves
    #[command(flatten)]
    pub serving: serving::ServingArgs,
    /// Who may ask
    #[command(flatten)]
    pub access: AccessArgs,
}

/// What else there is to do with a gateway.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    #[command(subcommand)]
    Key(key::Command),
}

/// Who may ask.
#[derive(Debug, clap::Args)]
pub struct AccessArgs {
    /// Where the keys are
    #[command(flatten)]
    pub keys: KeysArgs,
    /// File with the keys that sign JWTs, a JSON Web Key Set: who has one of these may ask; read again when it changes
    /// [env: ROLLCALL_JWKS; file: jwks]
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    pub jwks: Option<String>,
    /// Whom a JWT must be for, its aud; needed with --jwks [env: ROLLCALL_JWT_AUDIENCE; file: jwt_audience]
    #[arg(long, value_name = "AUDIENCE", help_heading = "Access")]
    pub jwt_audience: Option<String>,
    /// Who must have made a JWT, its iss [default: anybody] [env: ROLLCALL_JWT_ISSUER; file: jwt_issuer]
    #[arg(long, value_name = "ISSUER", help_heading = "Access")]
    pub jwt_issuer: Option<String>,
    /// Everybody may read everything, on whatever address [env: ROLLCALL_PUBLIC; file: public]
    #[arg(long, help_heading = "Access")]
    pub public: bool,
}

/// Where API keys and client certificates are.
#[derive(Debug, clap::Args)]
pub struct KeysArgs {
    /// File with the API keys, as hashes, and the client certificates of those who may ask; read again when it changes
    /// [env: ROLLCALL_KEYS; file: keys]
    #[arg(long, value_name = "FILE", help_heading = "Access")]
    pub keys: Option<String>,
}

impl KeysArgs {
    fn find(&self, settings: &Settings) -> Result<Option<PathBuf>> {
        settings.path(&KEYS, self.keys.as_deref())
    }

    /// The file, which must be named.
    fn need(&self, settings: &Settings) -> Result<PathBuf> {
        // It is a path: nothing about it can be wrong but that it is missing.
        let _: String = settings.need(&KEYS, self.keys.as_deref())?;
        Ok(self.find(settings)?.unwrap_or_default())
    }
}

impl AccessArgs {
    fn rules(&self, settings: &Settings) -> Result<AccessRules> {
        let public = settings.get(&PUBLIC, self.public.then_some("true"))?.unwrap_or_default();
        let tokens = match settings.path(&JWKS, self.jwks.as_deref())? {
            Some(jwks) => Some(TokenRules {
                jwks,
                audience: settings.need(&JWT_AUDIENCE, self.jwt_audience.as_deref())?,
                issuer: settings.get(&JWT_ISSUER, self.jwt_issuer.as_deref())?,
            }),
            None if self.jwt_audience.is_some() || self.jwt_issuer.is_some() => {
                return Err(usage("--jwt-audience and --jwt-issuer say nothing without --jwks"));
            }
            None => None,
        };
        Ok(AccessRules { public, keys: self.keys.find(settings)?, tokens })
    }
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    if let Some(Command::Key(command)) = args.command {
        return key::run(settings, command);
    }
    let DatabaseUrl(database_url) = settings.need(&DATABASE_URL, args.database_url.as_deref())?;
    let default = gateway::Config::default();
    let listen: SocketAddr = settings.get(&LISTEN, args.listen.as_deref())?.unwrap_or(default.listen);
    let database = database_url.expose().to_owned();
    let access = args.access.rules(settings)?;
    let snapshot = settings.path(&SNAPSHOT, args.snapshot.as_deref())?;
    let (relay, poll_interval) = (args.relay.relay(settings).await?, args.poll_interval);
    let config = gateway::Config { listen, database_url: database, poll_interval, access, snapshot, relay, ..default };
    let config = args.serving.apply(settings, listen, config)?;
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
