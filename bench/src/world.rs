//! Postgres and the processes that are measured.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use store::{
    ingest,
    rows::Checkpoint,
    schema::{self, PgPool},
};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tools::{Postgres, PostgresConfig, Tools};

use crate::chains::Chain;

/// Which `rollcall` is measured.
#[derive(clap::Args)]
pub struct Build {
    /// The binary to measure; it must be built already
    #[arg(long, default_value = "target/release/rollcall")]
    binary: PathBuf,
    /// Measure although it, or the bench itself, is a debug build: the figures say nothing then
    #[arg(long)]
    debug_build: bool,
}

impl Build {
    /// Finds it, and says what it is.
    pub fn find(&self) -> Result<PathBuf> {
        let binary = self.binary.canonicalize().with_context(|| {
            format!("{} is not there: run `cargo build --release -p cli` first, or say --binary", self.binary.display())
        })?;
        let is_debug = binary.components().any(|part| part.as_os_str() == "debug");
        ensure!(self.debug_build || !is_debug, "{} is a debug build", binary.display());
        ensure!(
            self.debug_build || !cfg!(debug_assertions),
            "the bench itself is a debug build, and so its client is slow: cargo run --release -p bench"
        );
        eprintln!("measures {}{}", binary.display(), if is_debug { ", a DEBUG build" } else { "" });
        Ok(binary)
    }
}

/// A server set as that of `rollcall up`: durable, `synchronous_commit=off`.
pub struct Database {
    server: Postgres,
    folder: TempDir,
    made: u32,
}

impl Database {
    pub async fn start(tools: &Tools) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("rollcall-bench-").tempdir()?;
        // The server may run as another user, who has to get through to its data.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711))?;
        let config = PostgresConfig {
            settings: vec![("synchronous_commit".into(), "off".into())],
            ..PostgresConfig::new(folder.path().join("data"))
        };
        let server = Postgres::start(tools, config).await.context("starting Postgres")?;
        Ok(Self { server, folder, made: 0 })
    }

    /// The URL of a database of this server.
    pub fn url(&self, name: &str) -> String {
        self.server.url(name)
    }

    /// A new, empty database.
    pub async fn create(&mut self) -> Result<String> {
        self.made += 1;
        let url = self.url(&format!("bench_{}", self.made));
        schema::ensure_database(&url).await?;
        Ok(url)
    }

    pub async fn stop(self) -> Result<()> {
        self.server.stop().await?;
        Ok(self.folder.close()?)
    }
}

/// A running `rollcall indexer` or `rollcall gateway`, or what it is measured beside.
pub struct Process {
    child: Child,
    what: String,
    log: tempfile::NamedTempFile,
}

impl Process {
    /// An indexer of the chain on this database. It is told where the contract was deployed.
    pub fn indexer(binary: &Path, chain: &Chain, rpc_url: &str, database_url: &str, more: &[&str]) -> Result<Self> {
        let contract = chain.registry.to_string();
        let deploy_block = chain.deploy_block.to_string();
        let mut args = vec!["indexer", "--rpc-url", rpc_url, "--database-url", database_url];
        args.extend(["--contract", &contract, "--deploy-block", &deploy_block, "--endorsements", "none"]);
        args.extend(["--listen", "none"]);
        args.extend(more);
        Self::spawn(binary, &args)
    }

    /// Starts it in an empty environment, with its log in a file.
    pub fn spawn(binary: &Path, args: &[&str]) -> Result<Self> {
        let log = tempfile::NamedTempFile::new()?;
        let name = binary.file_name().unwrap_or_default().to_string_lossy();
        let what = format!("{name} {}", args.first().unwrap_or(&""));
        let mut command = Command::new(binary);
        command.args(args).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(log.path())?);
        let child = command.kill_on_drop(true).spawn().with_context(|| format!("starting {what}"))?;
        Ok(Self { child, what, log })
    }

    /// Fails with the log's end if it has ended.
    pub fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let log = fs::read_to_string(self.log.path())?;
        let end: Vec<&str> = log.lines().rev().take(5).collect();
        bail!("{} ended with {status}; its log, newest first:\n{}", self.what, end.join("\n"))
    }

    /// Waits until its log has these words.
    pub async fn says(&mut self, words: &str, limit: Duration) -> Result<()> {
        let said = async {
            while !fs::read_to_string(self.log.path())?.contains(words) {
                self.check()?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(limit, said).await.with_context(|| format!("it does not say {words:?} in time"))?
    }

    /// The most memory that it has had, in MB. Linux alone knows.
    #[expect(clippy::cast_precision_loss, reason = "kilobytes are far below 2^52")]
    pub fn peak_mb(&self) -> Result<f64> {
        let pid = self.child.id().context("the process is gone")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).context("reading /proc")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM in /proc")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok((kilobytes as f64 / 1024.0).round())
    }

    /// How many seconds of CPU it has taken, all threads together. Linux alone knows.
    #[expect(clippy::cast_precision_loss, reason = "hundredths of seconds are far below 2^52")]
    pub fn cpu(&self) -> Result<f64> {
        let pid = self.child.id().context("the process is gone")?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("reading /proc")?;
        // After the name, which may have spaces, the 12th and 13th are user and system time in hundredths of a second.
        let (_, fields) = stat.rsplit_once(')').context("no name in /proc")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(ticks as f64 / 100.0)
    }

    pub async fn stop(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}

/// Looks at an index from outside.
pub struct Watch {
    url: String,
    pool: Option<PgPool>,
}

impl Watch {
    pub fn new(database_url: &str) -> Self {
        Self { url: database_url.to_owned(), pool: None }
    }

    /// The checkpoint, or none as long as there is no index.
    pub async fn checkpoint(&mut self) -> Result<Option<Checkpoint>> {
        let pool = match self.pool.take() {
            Some(pool) => pool,
            None => schema::connect_read_only(&self.url).await?,
        };
        let pool = self.pool.insert(pool);
        // The schema comes with the indexer's first steps.
        Ok(ingest::checkpoint(pool).await.unwrap_or(None))
    }

    /// Waits until the index stands at `head`, looking every 5 ms; `seen` is told of each checkpoint.
    pub async fn until(
        &mut self,
        head: u64,
        process: &mut Process,
        limit: Duration,
        mut seen: impl FnMut(&Checkpoint),
    ) -> Result<()> {
        let watch = async {
            let mut every = tokio::time::interval(Duration::from_millis(5));
            loop {
                every.tick().await;
                process.check()?;
                let Some(checkpoint) = self.checkpoint().await? else { continue };
                seen(&checkpoint);
                if checkpoint.head.number >= head {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(limit, watch).await.with_context(|| format!("the index is not at block {head} in time"))?
    }
}
