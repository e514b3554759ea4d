use std::{fs::File, os::unix::fs::FileExt, path::Path, process::Stdio};

use crate::Error;

/// How much of a log an error shows.
const TAIL: u64 = 4096;

/// Where a child writes: a file, not a pipe, so that it needs no reader and works on when we are gone.
pub(crate) struct Log {
    file: File,
    /// Length at open: what comes after it is of this run.
    start: u64,
}

impl Log {
    /// Appends to `path`; without one, writes to a nameless temporary file that goes with its last user.
    pub(crate) fn open(path: Option<&Path>) -> Result<Log, Error> {
        let file = match path {
            Some(path) => {
                if let Some(parent) = path.parent() {
                    std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
                }
                File::options().create(true).append(true).read(true).open(path).map_err(Error::io("open", path))?
            }
            None => tempfile::tempfile().map_err(Error::io("create a file in", std::env::temp_dir()))?,
        };
        let start = file.metadata().map_err(Error::io("look at", "a log"))?.len();
        Ok(Log { file, start })
    }

    /// A handle for the stdout or stderr of a child.
    pub(crate) fn stdio(&self) -> Result<Stdio, Error> {
        Ok(self.file.try_clone().map_err(Error::io("copy", "the handle of a log"))?.into())
    }

    /// What this run has written: its beginning, as much as a start writes.
    pub(crate) fn head(&self) -> String {
        self.read(self.start, 64 * 1024)
    }

    /// The end of what this run has written.
    pub(crate) fn tail(&self) -> String {
        let len = self.file.metadata().map_or(0, |m| m.len());
        let text = self.read(len.saturating_sub(TAIL).max(self.start), TAIL);
        if text.trim().is_empty() { "(empty)".into() } else { text.trim_end().into() }
    }

    fn read(&self, from: u64, limit: u64) -> String {
        let len = self.file.metadata().map_or(0, |m| m.len()).saturating_sub(from).min(limit);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let read = self.file.read_at(&mut bytes, from).unwrap_or(0);
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }
}
