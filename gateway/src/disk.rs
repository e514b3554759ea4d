//! What the gateway knows, on disk: for a start while the database is away.
//!
//! Once a minute, and when the gateway stops, a snapshot is read from the database and written to a file: by a
//! connection of its own, so that it costs the memory that is served from nothing but a short while, and no reader
//! waits. When the database cannot be read at start, what is in the file is served in mode `stale`, as old as it is,
//! until the database can be read; its truth then takes the file's place, whatever it is.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use api::Mode;
use store::{StoreError, query::Reader};
use tokio::{task::spawn_blocking, time::timeout};
use tokio_util::sync::CancellationToken;

use self::file::{FileError, Kept};
use crate::AppState;

mod file;

/// How long the database has at start before the file is read.
const DATABASE_FIRST: Duration = Duration::from_secs(1);

/// The longest that reading everything may take.
const READ_WITHIN: Duration = Duration::from_secs(120);

/// A snapshot on disk.
#[derive(Debug)]
pub(crate) struct Disk {
    state: AppState,
    database_url: String,
    path: Arc<Path>,
    every: Duration,
    /// What went wrong last time: the same again and again is told once.
    told: String,
}

/// Why there is no new file.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the database did not answer within {} s", READ_WITHIN.as_secs())]
    Silent,
    #[error("the indexer still fills the index")]
    Filling,
    #[error("the writer ended")]
    Ended,
}

/// Whether a file can be in the folder of this one.
pub(crate) fn has_folder(path: &Path) -> bool {
    file::folder(path).is_dir() && path.file_name().is_some()
}

impl Disk {
    pub(crate) fn new(state: AppState, database_url: String, path: PathBuf, every: Duration) -> Self {
        Self { state, database_url, path: path.into(), every, told: String::new() }
    }

    /// Serves what is in the file if need be, and writes it anew until `shutdown`, then once more.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let mut stopped = timeout(DATABASE_FIRST, shutdown.cancelled()).await.is_ok();
        if !stopped && self.state.at().is_none() {
            self.restore().await;
        }
        while !stopped {
            self.save().await;
            stopped = timeout(self.every, shutdown.cancelled()).await.is_ok();
        }
        // Nobody waits for a database that was away a moment ago.
        if self.state.at().is_some_and(|at| at.mode != Mode::Stale) {
            self.save().await;
        }
    }

    /// Serves what is in the file, unless the database was faster.
    pub(crate) async fn restore(&self) {
        let path = Arc::clone(&self.path);
        let kept = match spawn_blocking(move || file::read(&path)).await {
            Ok(Ok(Some(kept))) => kept,
            Ok(Ok(None)) => {
                tracing::info!(file = %self.path.display(), "there is no snapshot on disk yet");
                return;
            }
            Ok(Err(error)) => {
                let file = self.path.display();
                tracing::warn!(%file, %error, "the snapshot on disk is of no use: ignored");
                return;
            }
            Err(_) => return,
        };
        // By the wall clock, which is only shown: no lease is compared with it.
        let since = self.state.clock().wall().saturating_sub(kept.saved_at);
        let (head, head_age) = (kept.snapshot.checkpoint.head, kept.head_age.saturating_add(since));
        if self.state.restore(kept.snapshot, head_age) {
            let file = self.path.display();
            tracing::warn!(%file, block = %head, ?head_age, "serving what is on disk until the database can be read");
        }
    }

    async fn save(&mut self) {
        let saved = self.try_save().await;
        self.state.telemetry().saved(saved.is_ok());
        match saved {
            Ok(()) => self.told.clear(),
            Err(error) => {
                let text = error.to_string();
                if text != self.told {
                    tracing::warn!(file = %self.path.display(), error = ?text, "no new snapshot on disk");
                }
                self.told = text;
            }
        }
    }

    async fn try_save(&self) -> Result<(), SaveError> {
        let read = async { Reader::connect(&self.database_url).await?.snapshot().await };
        let Ok(snapshot) = timeout(READ_WITHIN, read).await else { return Err(SaveError::Silent) };
        let snapshot = snapshot?;
        // An index that has just begun never replaces a full one.
        if snapshot.checkpoint.confirmations == 0 {
            return Err(SaveError::Filling);
        }
        let head_age = self.state.at().map(|at| at.head_age).unwrap_or_default();
        let kept = Kept { saved_at: self.state.clock().wall(), head_age, snapshot };
        let path = Arc::clone(&self.path);
        spawn_blocking(move || file::write(&path, &kept)).await.map_err(|_| SaveError::Ended)??;
        tracing::debug!(file = %self.path.display(), "a new snapshot is on disk");
        Ok(())
    }
}
