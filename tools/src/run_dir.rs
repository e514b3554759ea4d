use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{Error, pid_file::PidFile};

/// The folder of one running `rollcall up`, held by an exclusive lock that dies with the process.
///
/// [`Anvil`](crate::Anvil) and [`Postgres`](crate::Postgres) guard themselves as well: each has a locked pid file,
/// and stops at its start what an earlier owner of that file left running. So one that a living process owns is
/// never stopped, with or without a `RunDir`.
pub struct RunDir {
    path: PathBuf,
    _lock: PidFile,
}

impl RunDir {
    /// Creates the folder if need be, and takes it.
    ///
    /// # Errors
    /// [`Error::InUse`] with the process that has it.
    pub fn open(path: impl AsRef<Path>) -> Result<RunDir, Error> {
        let path = std::path::absolute(&path).map_err(Error::io("resolve", &path))?;
        let mut lock = PidFile::open(&path.join("lock"))?;
        lock.own()?;
        Ok(RunDir { path, _lock: lock })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a server in this folder is recorded: `<name>.pid`, for [`AnvilConfig`](crate::AnvilConfig).
    pub fn pid_file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.pid"))
    }

    /// Stops every server recorded in this folder (`*.pid`) whose owner is gone; says which.
    ///
    /// Needed only before something is done with the folder itself, such as its removal.
    ///
    /// # Errors
    /// [`Error::Leftover`] when one cannot be stopped.
    pub async fn stop_leftovers(&self) -> Result<Vec<String>, Error> {
        let mut stopped = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(Error::io("list", &self.path))? {
            let path = entry.map_err(Error::io("list", &self.path))?.path();
            if path.extension().is_none_or(|extension| extension != "pid") {
                continue;
            }
            let mut file = match PidFile::open(&path) {
                // Owned by this process: it holds the folder.
                Err(Error::InUse { .. }) => continue,
                file => file?,
            };
            if let Some(pid) = file.stop_leftover().await? {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                stopped.push(format!("{name} (process {pid})"));
            }
        }
        Ok(stopped)
    }
}
