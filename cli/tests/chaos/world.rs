//! A chain, a Postgres that can be killed, and databases on it.

use std::{path::Path, time::Duration};

use anvil_fixtures::{Chain, GENESIS_TIME, Scenario};
use anyhow::{Context, Result};
use domain::BlockRef;
use store::{
    ingest,
    rows::Checkpoint,
    schema::{self, PgPool},
};
use tempfile::TempDir;
use tools::{Anvil, AnvilConfig, TestPostgres, Tools};

use crate::{
    process::{Process, Target},
    whole::Whole,
};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at a database.
const LOOK: Duration = Duration::from_millis(3);

pub struct World {
    pub chain: Chain,
    pub postgres: TestPostgres,
    pub folder: TempDir,
    node: Anvil,
    databases: u32,
    /// Whether a commit that was acknowledged outlives the server's processes.
    pub durable: bool,
}

impl World {
    /// A chain on which every kind of event has happened, and a Postgres without a database.
    ///
    /// Not durable is the worse of two bad days: with its processes Postgres then loses what it committed last, and the
    /// indexer that goes on finds the index, and its own epoch, further back than it left them.
    pub async fn new(durable: bool) -> Result<Self> {
        let tools = tokio::task::spawn_blocking(Tools::ensure).await??;
        let config = AnvilConfig { timestamp: Some(GENESIS_TIME), ..AnvilConfig::default() };
        let node = Anvil::spawn(&tools, config).await?;
        let chain = Chain::connect(&node.rpc_url())?;
        Scenario::Governance.play(&chain).await?;
        let postgres = TestPostgres::start(&tools).await?;
        Ok(Self { chain, postgres, folder: tempfile::tempdir()?, node, databases: 0, durable })
    }

    /// An empty database.
    pub async fn database(&mut self) -> Result<Database> {
        self.databases += 1;
        let url = self.postgres.url(&format!("chaos_{}", self.databases));
        schema::ensure_database(&url).await?;
        let commits = if self.durable { "?options[synchronous_commit]=on" } else { "" };
        let target = Target {
            rpc_url: self.node.rpc_url(),
            contract: self.chain.registry().to_string(),
            endorsements: self.chain.endorsements().to_string(),
            database_url: url + commits,
        };
        Ok(Database { pool: schema::connect(&target.database_url).await?, target })
    }

    /// What an index says that is made now, and that nobody disturbs.
    pub async fn undisturbed(&mut self) -> Result<Whole> {
        let database = self.database().await?;
        database.finish(&self.chain, self.folder.path(), None).await
    }
}

pub struct Database {
    pub target: Target,
    pool: PgPool,
}

impl Database {
    /// What the index says of itself, if there is one and Postgres answers.
    pub async fn checkpoint(&self) -> Option<Checkpoint> {
        ingest::checkpoint(&self.pool).await.ok()?
    }

    /// Whether the index stands at this block.
    pub async fn is_at(&self, head: BlockRef) -> bool {
        self.checkpoint().await.is_some_and(|checkpoint| checkpoint.head == head)
    }

    /// Waits until so many commits were seen; where they come fast, not all are. An indexer at the chain's head goes on
    /// to commit, if only that it is there.
    pub async fn commits(&self, commits: u64) -> Result<()> {
        let (mut seen, mut last) = (0, None);
        let committed = async {
            while seen < commits {
                if let Some(now) = self.checkpoint().await {
                    let now = (now.writer_epoch, now.head, now.change_seq, now.confirmations);
                    seen += u64::from(last.is_some_and(|last| last != now));
                    last = Some(now);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, committed).await.with_context(|| format!("it commits no more: {last:?}"))
    }

    /// Lets the indexer, or a new one, go on to the chain's head, kills it there, and reads all. `check` agrees.
    pub async fn finish(&self, chain: &Chain, folder: &Path, process: Option<Process>) -> Result<Whole> {
        let mut process = match process {
            Some(process) => process,
            None => Process::start(&self.target, folder, &[])?,
        };
        let head = chain.head().await?;
        let arrives = async {
            while !self.checkpoint().await.is_some_and(|now| now.head == head && now.problem.is_none()) {
                process.is_well()?;
                tokio::time::sleep(LOOK).await;
            }
            anyhow::Ok(())
        };
        let arrived = tokio::time::timeout(PATIENCE, arrives).await;
        arrived.with_context(|| format!("it does not get to {head}:\n{}", process.tail()))??;
        process.kill().await?;
        self.target.check(folder).await?;
        Whole::read(&self.target.database_url).await
    }
}
