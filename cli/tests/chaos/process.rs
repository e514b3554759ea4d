//! `rollcall indexer` as a process.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use tokio::process::{Child, Command};

/// Where all of them log, in the folder of the world.
pub const LOG: &str = "indexer.log";

/// How a database is indexed.
#[derive(Debug, Clone)]
pub struct Target {
    pub rpc_url: String,
    pub contract: String,
    pub endorsements: String,
    pub database_url: String,
}

impl Target {
    /// `rollcall` in an empty environment.
    fn command(&self, folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollcall"));
        command.env_clear().current_dir(folder).kill_on_drop(true).args(words);
        command.args(["--rpc-url", &self.rpc_url, "--contract", &self.contract]);
        command.args(["--endorsements", &self.endorsements, "--database-url", &self.database_url]);
        command
    }

    /// Compares all of the index with the chain, as an operator would.
    pub async fn check(&self, folder: &Path) -> Result<()> {
        let output = self.command(folder, &["indexer", "check"]).output().await?;
        let said = [output.stdout, output.stderr].concat();
        ensure!(output.status.code() == Some(0), "{}: {}", output.status, String::from_utf8_lossy(&said));
        Ok(())
    }
}

/// One that runs.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub fn start(target: &Target, folder: &Path, more: &[String]) -> Result<Self> {
        let log = folder.join(LOG);
        let file = File::options().create(true).append(true).open(&log)?;
        let mut command = target.command(folder, &["indexer", "--poll-interval", "20ms", "--listen", "none"]);
        command.args(more).stdout(file.try_clone()?).stderr(file);
        Ok(Self { child: command.spawn().context("starting rollcall")?, log })
    }

    /// By SIGKILL. It must have been running: nothing that happens here is a reason to end.
    pub async fn kill(mut self) -> Result<()> {
        self.is_well()?;
        Ok(self.child.kill().await?)
    }

    /// It has not ended by itself.
    pub fn is_well(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("the indexer ended by itself: {status}\n{}", self.tail()),
        }
    }

    /// What it said last.
    pub fn tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}
