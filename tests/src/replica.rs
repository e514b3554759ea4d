//! A Postgres, and another one that follows it as a streaming replica.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;
use tools::{Postgres, PostgresConfig};

use crate::database;

/// The two of them. Dropping it ends both.
pub struct Replicated {
    replica: Postgres,
    primary: Postgres,
    _folder: TempDir,
}

impl Replicated {
    /// Starts both.
    pub async fn start() -> Result<Self> {
        let tools = database::tools()?;
        let folder = tempfile::Builder::new().prefix("rollcall-replica-").tempdir()?;
        // The servers may run as another user, who has to get through to its data.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
        let config = |name: &str| PostgresConfig {
            fsync: false,
            settings: vec![("wal_level".into(), "replica".into()), ("shared_buffers".into(), "32MB".into())],
            ..PostgresConfig::new(folder.path().join(name))
        };
        // A server that does not run is copied as files are.
        Postgres::start(tools, config("primary")).await?.stop().await?;
        copy(&folder.path().join("primary"), &folder.path().join("replica")).await?;
        let primary = Postgres::start(tools, config("primary")).await?;
        let mut follower = config("replica");
        let url = primary.url("postgres");
        follower.settings.push(("primary_conninfo".into(), url));
        let replica = Postgres::start(tools, follower).await?;
        Ok(Self { replica, primary, _folder: folder })
    }

    /// A database of the one that is written to.
    pub fn primary_url(&self, database: &str) -> String {
        self.primary.url(database)
    }

    /// The same of the one that follows.
    pub fn replica_url(&self, database: &str) -> String {
        self.replica.url(database)
    }

    /// Stops both.
    pub async fn stop(self) -> Result<()> {
        self.replica.stop().await?;
        Ok(self.primary.stop().await?)
    }
}

/// Copies the folder of a server, as that of one that follows.
async fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut copy = Command::new("cp");
    let copied = copy.arg("-a").args([from, to]).stdin(Stdio::null()).status().await.context("cp")?;
    ensure!(copied.success(), "cp: {copied}");
    let signal = to.join("standby.signal");
    fs::write(&signal, "")?;
    let owner = from.metadata()?;
    Ok(chown(&signal, Some(owner.uid()), Some(owner.gid()))?)
}
