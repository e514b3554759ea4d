//! Postgres, the indexer and the gateway.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use client::SecretUrl;
use domain::Clock;
use indexer::{Phase, Vitals, probes::Probes};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use tools::{Postgres, PostgresConfig, Tools};

use super::{chain::LocalChain, folder::Folder};

/// The role that the gateway reads with.
const READER: &str = "rollcall_gateway";

const START_LIMIT: Duration = Duration::from_secs(30);

/// The server that the index is on.
pub enum Database {
    /// Our own, in the folder.
    Own(Postgres),
    /// The user's.
    Given(SecretUrl),
}

impl Database {
    /// Starts our own server, on the port of last time if that is free.
    pub async fn start(tools: &Tools, folder: &Folder, port: Option<u16>) -> Result<Self> {
        let config = PostgresConfig {
            port: port.filter(|port| super::ports::is_free(*port)),
            log: Some(folder.log("postgres")?),
            settings: vec![("synchronous_commit".into(), "off".into())],
            ..PostgresConfig::new(folder.path("postgres"))
        };
        Ok(Self::Own(Postgres::start(tools, config).await.context("starting Postgres")?))
    }

    /// The port of our own server.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Own(postgres) => Some(postgres.port()),
            Self::Given(_) => None,
        }
    }

    /// Makes the database for this chain, if it is not there. Answers the writer's URL and the reader's.
    pub async fn prepare(&self, chain: &LocalChain) -> Result<(SecretUrl, SecretUrl)> {
        let name = chain.database_name();
        let url: SecretUrl = match self {
            Self::Own(postgres) => postgres.url(&name).parse()?,
            Self::Given(url) => {
                let mut own = url.url().clone();
                own.set_path(&name);
                own.as_str().parse()?
            }
        };
        let doing = || format!("making the database {name} on {url}");
        store::schema::ensure_database(url.expose()).await.with_context(doing)?;
        let Self::Own(postgres) = self else {
            // A role without a password cannot log in at a server that asks for one; the gateway's connections are
            // read-only in any case.
            return Ok((url.clone(), url));
        };
        let pool = store::schema::connect(url.expose()).await.with_context(doing)?;
        store::schema::ensure_reader(&pool, READER).await.context("making the role that can only read")?;
        pool.close().await;
        let reader = format!("postgres://{READER}@127.0.0.1:{}/{name}", postgres.port());
        Ok((url, reader.parse()?))
    }
}

/// A part that runs in this process.
pub struct Part {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl Part {
    /// The indexer of this chain; answers where its probes are, too. It is at work when this returns: a gateway finds an
    /// index.
    pub async fn indexer(
        port: u16,
        chain: &LocalChain,
        database_url: &SecretUrl,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, String)> {
        let contract = chain.deployed.contract;
        let config = indexer::Config {
            endorsements: Some(chain.endorsements),
            deploy_block: Some(chain.deployed.block),
            poll_interval: Duration::from_millis(100),
            ..indexer::Config::new(chain.rpc_url.expose(), database_url.expose(), contract)
        };
        let vitals = Vitals::new(clock);
        let mut seen = vitals.progress();
        let probes = Probes::bind(SocketAddr::from(([127, 0, 0, 1], port)), vitals.clone()).await?;
        let url = format!("http://{}", probes.local_addr());
        let run = |stop: CancellationToken| async move {
            let answering = tokio::spawn(probes.serve(stop.clone()));
            let ended = indexer::run_with_vitals(config, stop, vitals).await;
            answering.abort();
            Ok(ended?)
        };
        let mut part = Self::spawn("the indexer", run);
        let at_work =
            timeout(START_LIMIT, seen.wait_for(|progress| matches!(progress.phase, Phase::Backfill | Phase::Follow)));
        tokio::select! {
            biased;
            error = part.ended() => return Err(error),
            at_work = at_work => drop(at_work.context("the indexer does not start")?),
        }
        Ok((part, url))
    }

    /// A gateway on this index, for everybody and for operators; answers both URLs, too.
    pub async fn gateway(
        (port, admin_port): (u16, u16),
        database_url: &SecretUrl,
        snapshot: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, SecretUrl, String)> {
        let config = gateway::Config {
            listen: SocketAddr::from(([127, 0, 0, 1], port)),
            admin_listen: Some(SocketAddr::from(([127, 0, 0, 1], admin_port))),
            database_url: database_url.expose().to_owned(),
            poll_interval: Duration::from_millis(250),
            snapshot: Some(snapshot),
            shutdown_timeout: Duration::from_secs(2),
            ..gateway::Config::default()
        };
        let gateway = gateway::Gateway::bind(config, clock).await?;
        let url = format!("http://{}", gateway.local_addr()).parse()?;
        let admin_url = gateway.admin_addr().map(|address| format!("http://{address}")).unwrap_or_default();
        let part = Self::spawn("the gateway", |stop| async move { Ok(gateway.serve(stop).await?) });
        Ok((part, url, admin_url))
    }

    fn spawn<F>(name: &'static str, run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(stop.clone()));
        Self { name, stop, task }
    }

    /// Waits until it ends by itself, which it should not. Safe to cancel.
    pub async fn ended(&mut self) -> anyhow::Error {
        match (&mut self.task).await {
            Ok(Ok(())) => anyhow::anyhow!("{} ended", self.name),
            Ok(Err(error)) => error.context(format!("{} ended", self.name)),
            Err(error) => anyhow::Error::new(error).context(format!("{} ended", self.name)),
        }
    }

    /// Stops it in order, within a bound.
    pub async fn stop(mut self, limit: Duration) {
        self.stop.cancel();
        if self.task.is_finished() {
            return;
        }
        if timeout(limit, &mut self.task).await.is_err() {
            tracing::warn!("{} does not stop; leaving it", self.name);
            self.task.abort();
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.task.abort();
    }
}
