//! As whom PostgreSQL runs: it refuses root, and users without a name.

use std::{
    io,
    os::unix::fs::{MetadataExt, chown},
    path::Path,
    process::Stdio,
};

use rustix::process::geteuid;
use tokio::process::Command;

use crate::{Error, Tools};

/// The user `nobody`.
const NOBODY: u32 = if cfg!(target_os = "macos") { u32::MAX - 1 } else { 65534 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// As ourselves: a normal user.
    Own,
    /// As another user: we are root.
    User { uid: u32, gid: u32 },
    /// As ourselves to the files, as `nobody` to itself: in a user namespace. Linux alone.
    Namespace,
}

impl Identity {
    /// For a cluster to be made in `folder`, which is new and ours: the first way that works here. The folder is
    /// given to that user.
    pub(crate) async fn for_new(tools: &Tools, folder: &Path) -> Result<Identity, Error> {
        let ways = if geteuid().is_root() {
            vec![Identity::User { uid: NOBODY, gid: NOBODY }, Identity::Namespace]
        } else {
            own().await
        };
        Identity::first(&ways, tools, folder).await
    }

    /// For a cluster that is there: the way that made it, told by the owner of the folder.
    pub(crate) async fn for_existing(tools: &Tools, folder: &Path) -> Result<Identity, Error> {
        let owner = folder.metadata().map_err(Error::io("look at", folder))?;
        let ways = match (geteuid().is_root(), owner.uid()) {
            (true, 0) => vec![Identity::Namespace],
            (true, uid) => vec![Identity::User { uid, gid: owner.gid() }],
            (false, _) => own().await,
        };
        Identity::first(&ways, tools, folder).await
    }

    /// A command to run as this user.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command;
        match self {
            Identity::Own => command = Command::new(program),
            Identity::User { uid, gid } => {
                command = Command::new(program);
                command.uid(uid).gid(gid);
            }
            Identity::Namespace => {
                command = Command::new("unshare");
                command.arg("--user");
                command.args([format!("--map-user={NOBODY}"), format!("--map-group={NOBODY}")]);
                command.arg(program);
            }
        }
        command
    }

    fn words(self) -> String {
        match self {
            Identity::Own => "as ourselves".into(),
            Identity::User { uid, .. } => format!("as the user {uid}"),
            Identity::Namespace => "in a user namespace, by unshare".into(),
        }
    }

    async fn first(ways: &[Identity], tools: &Tools, folder: &Path) -> Result<Identity, Error> {
        let mut tried = Vec::new();
        for &way in ways {
            match way.probe(tools, folder).await {
                Ok(()) => return Ok(way),
                Err(error) => tried.push(format!("- {}: {error}", way.words())),
            }
        }
        Err(Error::NoIdentity { tried: tried.join("\n") })
    }

    /// Whether this user reaches both the programs and the folder; gives it the folder before.
    async fn probe(self, tools: &Tools, folder: &Path) -> io::Result<()> {
        match self {
            Identity::User { uid, gid } => chown(folder, Some(uid), Some(gid))?,
            // Back from an earlier way.
            Identity::Namespace if geteuid().is_root() => chown(folder, Some(0), Some(0))?,
            Identity::Own | Identity::Namespace => {}
        }
        let mut command = self.command(&tools.postgres_bin().join("initdb"));
        let output = command.arg("--version").current_dir(folder).stdin(Stdio::null()).output().await?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// The ways of a normal user: directly, unless its number has no name.
async fn own() -> Vec<Identity> {
    let name = Command::new("id").arg("-un").stdin(Stdio::null()).output().await;
    match name {
        Ok(output) if !output.status.success() => vec![Identity::Namespace],
        _ => vec![Identity::Own],
    }
}
