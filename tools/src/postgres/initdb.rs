use std::{
    ffi::OsString,
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::process::Signal;

use super::identity::Identity;
use crate::{Error, Tools, child::Supervised, guardian::Guardian, log::Log};

const LIMIT: Duration = Duration::from_secs(120);
/// The role that owns everything. There is no password.
pub(super) const USER: &str = "rollcall";

/// Makes the cluster if it is not there, and says as whom to run it.
///
/// It is made in a folder beside and renamed when whole: what a crash leaves is never taken for a cluster.
pub(super) async fn ensure(
    tools: &Tools,
    data: &Path,
    fsync: bool,
    guardian: &Arc<Guardian>,
) -> Result<Identity, Error> {
    if data.join("PG_VERSION").is_file() {
        return Identity::for_existing(tools, data).await;
    }
    if fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::NotADataFolder { path: data.into() });
    }

    let staging = beside(data, ".init");
    if staging.exists() {
        fs::remove_dir_all(&staging).map_err(Error::io("remove", &staging))?;
    }
    fs::DirBuilder::new().mode(0o700).create(&staging).map_err(Error::io("create", &staging))?;
    let identity = Identity::for_new(tools, &staging).await?;

    let mut command = identity.command(&tools.postgres_bin().join("initdb"));
    let locale = if cfg!(target_os = "macos") { "C" } else { "C.UTF-8" };
    command.arg(format!("--locale={locale}")).args(["--encoding=UTF8", "--auth=trust", "--no-instructions"]);
    command.arg(format!("--username={USER}")).arg("-D").arg(&staging);
    if !fsync {
        command.arg("--no-sync");
    }
    command.env("TZ", "UTC").current_dir(&staging);
    let child = Supervised::spawn("initdb", command, Log::open(None)?, Arc::clone(guardian), Signal::KILL)?;
    child.succeed(LIMIT).await?;
    fs::rename(&staging, data).map_err(Error::io("rename the new data folder to", data))?;
    Ok(identity)
}

/// `/a/b` → `/a/b.suffix`
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}
