//! Postgres → memory: reads the index, then what changes, and never gives up.
//!
//! The writer's bell says when to read, and so does a poll, because a bell can be missed and a read replica has none.
//! When the database fails, what is known stays, and the feed tries again, ever less often.

use std::{convert::Infallible, future::Future, time::Duration};

use store::{
    StoreError,
    query::{Doorbell, Reader, Update},
    rows::Checkpoint,
};
use tokio::time::{sleep, timeout};

use crate::AppState;

/// The shortest and the longest wait between two attempts to reach the database.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// The longest that reading changes may take.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// The longest that reading everything may take.
const SNAPSHOT_WITHIN: Duration = Duration::from_secs(120);

/// How often to try to listen again where it was not possible: a replica may have become a primary.
const LISTEN_EVERY: Duration = Duration::from_secs(30);

/// Why the feed cannot go on just now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// The database said no, or nothing that makes sense.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database said nothing.
    #[error("the database did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// An index that is filled anew is no reason to forget a full one.
    #[error("the indexer fills the index anew, from the chain's past")]
    Refilling,
}

/// Keeps `state` up to date until it is dropped.
pub(crate) async fn run(state: AppState, database_url: String, poll_interval: Duration) -> Infallible {
    let mut backoff = BACKOFF.0;
    let mut told = String::new();
    loop {
        state.tick();
        let error = match within(READ_WITHIN, Reader::connect(&database_url)).await {
            Ok(reader) => {
                let Err(error) = follow(&state, &reader, poll_interval, &mut backoff).await;
                error
            }
            Err(error) => error,
        };
        state.fault(&error);
        state.telemetry().feed_failed();
        // The same again and again is told once.
        let text = error.to_string();
        if backoff == BACKOFF.0 || text != told {
            tracing::warn!(error = ?text, "cannot read the database; serving what is known, and trying again");
        }
        told = text;
        sleep(backoff).await;
        backoff = (backoff * 2).min(BACKOFF.1);
    }
}

/// Reads everything, then the changes, until the database fails.
async fn follow(
    state: &AppState,
    reader: &Reader,
    poll_interval: Duration,
    backoff: &mut Duration,
) -> Result<Infallible, FeedError> {
    // Listens first: what changes between the first read and the bell would else wait for the poll.
    let mut bell = listen(reader).await;
    let mut listened = state.clock().monotonic();
    let mut known: Option<Checkpoint> = None;
    loop {
        state.tick();
        state.telemetry().upkeep();
        let began = state.clock().monotonic();
        let patience = if known.is_some() { READ_WITHIN } else { SNAPSHOT_WITHIN };
        let update = within(patience, reader.read(known.as_ref())).await?;
        let (kind, checkpoint) = match &update {
            Update::Snapshot(snapshot) => ("snapshot", &snapshot.checkpoint),
            Update::Delta(delta) => ("delta", &delta.checkpoint),
        };
        if kind == "snapshot" {
            let origin = &checkpoint.origin;
            tracing::info!(block = %checkpoint.head, contract = %origin.contract, "read the whole index");
        }
        known = Some(checkpoint.clone());
        if !state.update(update) {
            return Err(FeedError::Refilling);
        }
        *backoff = BACKOFF.0;
        state.telemetry().fed(kind, state.clock().monotonic().saturating_sub(began));

        if bell.is_none() && state.clock().monotonic().saturating_sub(listened) > LISTEN_EVERY {
            bell = listen(reader).await;
            listened = state.clock().monotonic();
        }
        tokio::select! {
            () = sleep(poll_interval) => {}
            lost = ring(&mut bell) => if lost { bell = None },
        }
    }
}

/// The bell, or none where there is none: then the poll does it alone.
async fn listen(reader: &Reader) -> Option<Doorbell> {
    match within(READ_WITHIN, reader.listen()).await {
        Ok(bell) => Some(bell),
        Err(error) => {
            tracing::info!(%error, "cannot listen for changes; polling alone");
            None
        }
    }
}

/// Waits for the bell; true if it is lost. Without one, waits for ever.
async fn ring(bell: &mut Option<Doorbell>) -> bool {
    match bell {
        Some(bell) => bell.ring().await.is_err(),
        None => std::future::pending().await,
    }
}

/// A database that neither answers nor fails is one that failed.
async fn within<T>(patience: Duration, answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, FeedError> {
    match timeout(patience, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(FeedError::Silent(patience)),
    }
}
