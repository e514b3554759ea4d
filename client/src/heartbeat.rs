//! Keeps leases alive until told to stop.

use std::time::Duration;

use domain::{B256, InstanceId};
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::{
    error::ChainError,
    publish::{Done, MAX_BATCH, Publisher},
    refusal::Refusal,
    send::jitter,
};

/// The shortest pause between two heartbeats, and the first one after a failure.
const SHORTEST: Duration = Duration::from_secs(1);
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// A heartbeat that is in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// The transaction.
    pub tx: B256,
    /// The number of its block.
    pub block: u64,
    /// How many leases it renewed.
    pub renewed: usize,
    /// How many it could not renew: gone, or of an owner who does not let this account.
    pub skipped: usize,
}

/// How often by default: three times in the shortest ttl, so that one lost heartbeat costs nothing.
///
/// # Errors
/// [`Refusal::NotListed`] for an instance that is not listed; other [`ChainError`]s.
pub async fn default_pause(publisher: &Publisher, ids: &[InstanceId]) -> Result<Duration, ChainError> {
    let mut shortest = u32::MAX;
    for &id in ids {
        let lease = publisher.registry().lease(id).await?;
        let status = lease.map(|lease| lease.status);
        match lease.filter(|lease| lease.status.is_listed()) {
            Some(lease) => shortest = shortest.min(lease.ttl),
            None => return Err(Refusal::NotListed { id, status }.into()),
        }
    }
    Ok(SHORTEST.max(Duration::from_secs(u64::from(shortest)) / 3))
}

/// Renews the leases at once, in batches if there are several.
///
/// # Errors
/// As [`Publisher::heartbeat`] and [`Publisher::heartbeat_batch`].
pub async fn beat(publisher: &Publisher, ids: &[InstanceId]) -> Result<Beat, ChainError> {
    if let [id] = ids {
        let Done { tx, block } = publisher.heartbeat(*id).await?;
        return Ok(Beat { tx, block: block.number, renewed: 1, skipped: 0 });
    }
    let mut all: Option<Beat> = None;
    for batch in ids.chunks(MAX_BATCH) {
        let renewed = publisher.heartbeat_batch(batch).await?;
        for id in &renewed.skipped {
            tracing::warn!(%id, "not renewed: the instance is gone, or belongs to an owner who does not let this account");
        }
        let before = all.map_or((0, 0), |beat| (beat.renewed, beat.skipped));
        all = Some(Beat {
            tx: renewed.done.tx,
            block: renewed.done.block.number,
            renewed: before.0 + batch.len() - renewed.skipped.len(),
            skipped: before.1 + renewed.skipped.len(),
        });
    }
    all.ok_or_else(|| crate::service::InputError::NoInstances.into())
}

/// Renews the leases now and every `pause` until `stop` is cancelled; then returns `Ok`. What may go well a little
/// later, such as a node that does not answer, is tried again with growing pauses. `seen` hears of each heartbeat.
///
/// # Errors
/// What does not pass by itself: an instance that is gone or another's, a key that cannot sign.
pub async fn run(
    publisher: &Publisher,
    ids: &[InstanceId],
    pause: Duration,
    stop: &CancellationToken,
    mut seen: impl FnMut(&Beat),
) -> Result<(), ChainError> {
    let mut every = time::interval(pause.max(Duration::from_millis(1)));
    every.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut failures = 0;
    loop {
        let step = async {
            every.tick().await;
            beat(publisher, ids).await
        };
        match stop.run_until_cancelled(step).await {
            None => return Ok(()),
            Some(Ok(beat)) => {
                failures = 0;
                tracing::debug!(tx = %beat.tx, block = beat.block, renewed = beat.renewed, "heartbeat");
                seen(&beat);
            }
            Some(Err(error)) if error.is_transient() => {
                failures += 1;
                let wait = retry_after(failures, pause);
                tracing::warn!(%error, failures, retry_ms = wait.as_millis(), "no heartbeat");
                if stop.run_until_cancelled(time::sleep(wait)).await.is_none() {
                    return Ok(());
                }
                every.reset_immediately();
            }
            Some(Err(error)) => return Err(error),
        }
    }
}

/// Doubles with each failure, up to the pause between heartbeats; a little different for everyone.
fn retry_after(failures: u32, pause: Duration) -> Duration {
    let grown = FIRST_RETRY.saturating_mul(1 << failures.saturating_sub(1).min(8));
    grown.min(pause) + jitter(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_grow_up_to_the_pause() {
        let pause = Duration::from_secs(5);
        assert!(retry_after(1, pause) < Duration::from_millis(400));
        assert!(retry_after(3, pause) >= Duration::from_secs(1));
        for failures in [6, 40, u32::MAX] {
            let wait = retry_after(failures, pause);
            assert!(wait >= pause && wait < pause + Duration::from_millis(100), "{wait:?}");
        }
    }
}
