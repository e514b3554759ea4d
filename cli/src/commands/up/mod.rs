//! `rollcall up`: a whole world on this machine.
//!
//! - `folder`: what it keeps; `accounts`: Anvil's development keys; `ports`
//! - `stages`: progress
//! - `chain`: Anvil and the registry; `index`: Postgres, indexer, gateway; `demo`: the companies
//! - `table`: what it says when it is ready

mod accounts;
mod chain;
mod demo;
mod folder;
mod index;
mod ports;
mod stages;
mod table;

use std::{path::PathBuf, time::Duration};

use alloy::primitives::Address;
use anyhow::{Context, Result};
use client::{Gateway, SecretUrl, discover};
use tools::Tools;

use self::{
    chain::LocalChain,
    demo::Demo,
    folder::{Folder, KEYSTORE, Memory, PASSWORD_FILE},
    index::{Database, Part},
    stages::Stages,
};
use crate::{
    config::{self, DATABASE_URL, DatabaseUrl, Settings},
    exit::{Exit, Interrupted},
    out,
    signals::Signals,
};

const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Start a chain, the contracts, Postgres, indexer, gateway and a demo on this machine
///
/// For development. All that it keeps is in one folder, and the next start continues where this one was. Ctrl-C or
/// SIGTERM stops all of it in order; a second one at once.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "--json, one line when all is ready: {ready, seconds, stages, rpc_url, chain_id, contract, endorsements, deploy_block, database_url, gateway_url, indexer_url, config, keys, account, demo: [{service, label, version, pid}]}"
)]
pub struct Args {
    /// Where it keeps the chain, the index and the keys
    #[arg(long, default_value = ".rollcall", value_name = "FOLDER")]
    pub dir: PathBuf,
    /// Begin anew: forget chain, index and keys of this folder
    #[arg(long)]
    pub fresh: bool,
    /// Without the demo's companies
    #[arg(long)]
    pub no_demo: bool,
    /// Port of the chain's node; 0 takes a free one
    #[arg(long, default_value_t = 8545, value_name = "PORT")]
    pub rpc_port: u16,
    /// Port of the gateway; 0 takes a free one
    #[arg(long, default_value_t = 8080, value_name = "PORT")]
    pub gateway_port: u16,
    /// Port of the indexer's probes and metrics; 0 takes a free one
    #[arg(long, default_value_t = 9465, value_name = "PORT")]
    pub indexer_port: u16,
    /// A Postgres server to use instead of one of its own: it makes a database there for each chain, named rollcall_…
    /// [env: ROLLCALL_DATABASE_URL, DATABASE_URL]
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// Print one line of JSON when all is ready, instead of the table
    #[arg(long)]
    pub json: bool,
}

/// All that runs.
pub struct World {
    folder: Folder,
    chain: LocalChain,
    database: Database,
    database_url: SecretUrl,
    indexer: Part,
    gateway: Part,
    gateway_url: SecretUrl,
    indexer_url: String,
    demo: Option<Demo>,
    own_account: Address,
}

/// Runs it.
pub async fn run(args: Args) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let stages = Stages::new();
    // Not of the file: that is what `up` itself wrote.
    let given: Option<DatabaseUrl> = Settings::default().get(&DATABASE_URL, args.database_url.as_deref())?;
    let folder = Folder::open(&args.dir).await?;
    ports::check(args.rpc_port, args.gateway_port, args.indexer_port)?;
    if args.fresh {
        folder.clear()?;
    }
    let started = World::start(&args, folder, given.map(|DatabaseUrl(url)| url), &stages);
    let mut world = tokio::select! {
        world = started => world?,
        () = signals.next() => return Err(Interrupted.into()),
    };
    if args.json {
        out::json(&table::json(&world, &stages), false)?;
    } else {
        out::text(&table::words(&world, &stages))?;
    }
    let why = tokio::select! {
        () = signals.next() => None,
        error = world.ended() => Some(error),
    };
    stages.say(if why.is_some() { "a part ended; stopping the others ..." } else { "stopping ..." });
    tokio::select! {
        () = world.stop() => {}
        () = signals.next() => return Err(Interrupted.into()),
    }
    why.map_or(Ok(Exit::Ok), Err)
}

impl World {
    /// Starts what does not wait for each other side by side.
    async fn start(args: &Args, folder: Folder, given: Option<SecretUrl>, stages: &Stages) -> Result<Self> {
        let tools = stages
            .run("tools", async |note| {
                let ensured = tokio::task::spawn_blocking(move || Tools::ensure_with(|text| note.say(text)));
                Ok((ensured.await??, "Anvil and PostgreSQL are installed".to_owned()))
            })
            .await?;
        let mut memory = folder.memory();
        let chain = async {
            let (anvil, node) = stages
                .run("chain", async |_| {
                    let (anvil, node) = LocalChain::start(&tools, &folder, args.rpc_port).await?;
                    let words = format!("Anvil answers at {}", node.url());
                    Ok(((anvil, node), words))
                })
                .await?;
            stages
                .run("registry", async |_| {
                    let (chain, there) = LocalChain::deploy(anvil, node, memory.deployment).await?;
                    let how = if there { "was there, at" } else { "deployed at" };
                    let words = format!("{how} {}", chain.deployed.contract);
                    Ok((chain, words))
                })
                .await
        };
        let database = stages.run("database", async |_| {
            let database = match given {
                Some(url) => Database::Given(url),
                None => Database::start(&tools, &folder, memory.postgres_port).await?,
            };
            let words = match &database {
                Database::Own(postgres) => format!("Postgres runs on port {}", postgres.port()),
                Database::Given(url) => format!("yours, {url}"),
            };
            Ok((database, words))
        });
        let own_key = async {
            folder.write_keys()?;
            // Slow on purpose, and blocking.
            let own_key = folder.own_key()?;
            tokio::task::spawn_blocking(own_key).await?
        };
        let (chain, database, own_key) = futures::try_join!(chain, database, own_key)?;
        chain.fund(own_key.account()).await?;
        memory = Memory { postgres_port: database.port().or(memory.postgres_port), deployment: Some(chain.deployed) };
        folder.remember(&memory)?;

        let serve = stages.run("index", async |_| {
            let clock = stages.clock();
            let (writer, reader) = database.prepare(&chain).await?;
            let (indexer, indexer_url) = Part::indexer(args.indexer_port, &chain, &writer, clock.clone()).await?;
            let (gateway, url) = Part::gateway(args.gateway_port, &reader, clock).await?;
            let words = format!("indexer and gateway run; {url}");
            Ok(((writer, indexer, indexer_url, gateway, url), words))
        });
        let publish = async {
            if args.no_demo {
                return Ok(());
            }
            let publish = async |_| Ok(((), format!("{} instances are registered", demo::publish(&chain).await?)));
            stages.run("demo", publish).await
        };
        let ((database_url, indexer, indexer_url, gateway, gateway_url), ()) = futures::try_join!(serve, publish)?;
        chain.mine_by_time().await?;
        folder.write_config(&config::File {
            rpc_url: Some(chain.rpc_url.expose().to_owned()),
            fallback_rpc_urls: None,
            contract: Some(chain.deployed.contract.to_string()),
            endorsements: Some(chain.endorsements.to_string()),
            deploy_block: Some(chain.deployed.block),
            database_url: Some(database_url.expose().to_owned()),
            gateway_url: Some(gateway_url.expose().to_owned()),
            listen: None,
            indexer_listen: None,
            keystore: Some(KEYSTORE.to_owned()),
            password_file: Some(PASSWORD_FILE.to_owned()),
            relay_keystore: None,
            relay_password_file: None,
        })?;
        let own_account = own_key.account();
        let mut world = Self {
            folder,
            chain,
            database,
            database_url,
            indexer,
            indexer_url,
            gateway,
            gateway_url,
            demo: None,
            own_account,
        };
        if !args.no_demo {
            world.demo = Some(world.show(stages).await?);
        }
        Ok(world)
    }

    /// Starts the demo's processes and waits until the gateway shows their instances.
    async fn show(&mut self, stages: &Stages) -> Result<Demo> {
        let demo = Demo::start(&self.chain, &self.folder, stages)?;
        let gateway = Gateway::new(&self.gateway_url, discover::PATIENCE)?;
        let count = demo.running.len();
        let visible = async |_| {
            Demo::visible(&gateway).await?;
            Ok(((), format!("the gateway answers {count} live instances")))
        };
        tokio::select! {
            shown = stages.run("answers", visible) => shown?,
            error = self.ended() => return Err(error),
        }
        Ok(demo)
    }

    /// Waits until a part ends by itself, which none should. Safe to cancel.
    async fn ended(&mut self) -> anyhow::Error {
        let postgres = async {
            match &mut self.database {
                Database::Own(postgres) => postgres.exited().await,
                Database::Given(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            status = self.chain.anvil.exited() => gone("Anvil (the chain)", status),
            status = postgres => gone("Postgres", status),
            error = self.indexer.ended() => error,
            error = self.gateway.ended() => error,
        }
    }

    /// Stops all in order: who uses goes before who is used. Each step has a bound.
    async fn stop(self) {
        let Self { demo, gateway, indexer, database, chain, folder, .. } = self;
        if let Some(demo) = demo {
            demo.stop().await;
        }
        gateway.stop(STOP_LIMIT).await;
        indexer.stop(STOP_LIMIT).await;
        let postgres = async {
            if let Database::Own(postgres) = database
                && let Err(error) = postgres.stop().await
            {
                tracing::warn!("stopping Postgres: {error}");
            }
        };
        let anvil = async {
            if let Err(error) = chain.anvil.stop().await {
                tracing::warn!("stopping Anvil: {error}");
            }
        };
        futures::join!(postgres, anvil);
        drop(folder);
    }
}

fn gone(what: &str, status: Result<std::process::ExitStatus, tools::Error>) -> anyhow::Error {
    match status.with_context(|| format!("{what} ended")) {
        Ok(status) => anyhow::anyhow!("{what} ended ({status})"),
        Err(error) => error,
    }
}
