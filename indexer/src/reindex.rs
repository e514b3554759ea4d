//! An index built anew beside the one in use, which another indexer may go on with; gateways read that until the new
//! one takes its place.
//!
//! What builds it is an ordinary indexer. Once that is at the tip of the chain, and where readers do not go back, the
//! tables change places in one transaction (`store::reindex`). The indexer in use finds itself fenced, as by one that
//! took over, and goes on with the new tables.

use std::{sync::Arc, time::Duration};

use domain::{BlockRef, Clock};
use store::{
    StoreError,
    pulse::Pulse,
    reindex::{NotYet, Reindex, Swap},
    rows::Checkpoint,
    schema::{self, PgPool, Place},
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Config, IndexerError, Phase, Progress, check, run_with_progress};

pub use store::reindex::OLD;

/// Between two looks whether the new index is fit.
const LOOK: Duration = Duration::from_millis(50);

/// How long to leave alone whoever reads the index in use for long.
const LEAVE_ALONE: Duration = Duration::from_secs(2);

/// An index in use that has come to nothing for so long, while the new one is at the tip, is not worth waiting for.
const STUCK: Duration = Duration::from_secs(10);

/// How long the same reason to wait is not said again.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// What to do besides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Begin at the deploy block, also if a reindex before this one was interrupted.
    pub fresh: bool,
    /// Keep the tables of the index before, in the schema [`OLD`].
    pub keep_old: bool,
}

/// Builds the index of the settings anew and puts it in the place of the one in use. Answers its head at that moment,
/// or none if `shutdown` came first: what is there already is used when it is called again.
///
/// # Errors
/// [`StoreError::Reindexing`], [`StoreError::NoIndex`], [`StoreError::NoSuccessor`], what [`run`](crate::run) ends with;
/// [`StoreError::Database`] if the database does not answer at the start: what goes wrong later is waited out.
pub async fn reindex(
    config: Config,
    options: Options,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    progress: watch::Sender<Progress>,
) -> Result<Option<BlockRef>, IndexerError> {
    let live = schema::connect_to(&config.database_url, Place::Live).await?;
    schema::migrate(&live).await?;
    let mut reindex = Reindex::begin(&live).await?;
    reindex.prepare(options.fresh).await?;
    reindex.check().await?;
    // The check on a schedule looks at the index in use.
    let config = Config { place: Place::Beside, check_every: None, ..config };
    // Off the stack: a whole indexer is in it.
    let work = Box::pin(run_with_progress(config.clone(), clock.clone(), shutdown, progress.clone()));
    let (pulse, reindex, checked, agrees, seen, said) = (None, Some(reindex), false, false, None, None);
    let mut builder = Builder { config, live, pulse, reindex, clock, progress, checked, agrees, seen, said };
    let done = tokio::select! {
        ended = work => {
            ended?;
            None
        }
        done = Box::pin(builder.swapped()) => Some(done?),
    };
    if done.is_some() && !options.keep_old {
        builder.drop_old().await;
    }
    Ok(done)
}

struct Builder {
    config: Config,
    live: PgPool,
    pulse: Option<Pulse>,
    reindex: Option<Reindex>,
    clock: Arc<dyn Clock>,
    progress: watch::Sender<Progress>,
    /// Whether the new index was found to be one of the same contracts.
    checked: bool,
    /// Whether the storage roots of the new index were found to be the chain's, or cannot be compared.
    agrees: bool,
    /// The index in use, as it has been since then.
    seen: Option<(Checkpoint, Duration)>,
    /// What was said last, and when.
    said: Option<(String, Duration)>,
}

impl Builder {
    /// Waits until the new index has taken the place of the one in use.
    async fn swapped(&mut self) -> Result<BlockRef, IndexerError> {
        loop {
            let wait = match self.look().await {
                Ok(Some(Swap::Done(head))) => return Ok(head),
                Ok(Some(Swap::NotYet(not_yet))) => {
                    self.say(&waits_for(not_yet));
                    if not_yet == NotYet::InUse { LEAVE_ALONE } else { LOOK }
                }
                Ok(None) => LOOK,
                // Right after a broken connection it is our own right that is in our way.
                Err(error) if error.is_permanent() && !matches!(error, StoreError::Reindexing) => {
                    return Err(error.into());
                }
                Err(error) => {
                    self.say(&error.to_string());
                    self.reindex = None;
                    LEAVE_ALONE
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// As long as the database answers.
    async fn look(&mut self) -> Result<Option<Swap>, StoreError> {
        if self.live.is_closed() {
            self.live = schema::connect_to(&self.config.database_url, Place::Live).await?;
            self.pulse = None;
        }
        let live = self.live.clone();
        let mut pulse = match self.pulse.take() {
            Some(pulse) => pulse,
            None => Pulse::connect(&live, self.config.database_patience).await?,
        };
        let looked = pulse.guard(&live, self.try_swap()).await;
        self.pulse = Some(pulse);
        looked
    }

    /// Tries to put the new index in use, if it is at the tip.
    async fn try_swap(&mut self) -> Result<Option<Swap>, StoreError> {
        let phase = self.progress.borrow().phase;
        let again = self.reindex.is_none();
        let reindex = match &mut self.reindex {
            Some(reindex) => reindex,
            None => self.reindex.insert(Reindex::begin(&self.live).await?),
        };
        if matches!(phase, Phase::Starting | Phase::Standby) && !self.checked {
            return Ok(None);
        }
        if !self.checked {
            reindex.check().await?;
            self.checked = true;
        }
        let live = reindex.live().await?;
        if again && reindex.beside().await?.is_none() {
            // The connection broke when we were told that it was done.
            return Ok(Some(Swap::Done(live.head)));
        }
        if phase != Phase::Follow {
            return Ok(None);
        }
        if !self.agrees {
            match check::roots(&self.config).await.map(|found| found.fault()) {
                Ok(Some(fault)) => return Err(StoreError::NoSuccessor(fault)),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "reindex: the roots of the new index cannot be compared"),
            }
            self.agrees = true;
        }
        let now = self.clock.monotonic();
        let since = match &self.seen {
            Some((seen, since)) if seen.is_where(&live) => *since,
            _ => self.seen.insert((live.clone(), now)).1,
        };
        let is_stuck = now.saturating_sub(since) >= STUCK;
        reindex.swap(is_stuck.then_some(&live)).await.map(Some)
    }

    fn say(&mut self, what: &str) {
        let now = self.clock.monotonic();
        let known = self.said.as_ref().is_some_and(|(said, at)| said == what && now.saturating_sub(*at) < SAY_EVERY);
        if !known {
            tracing::info!(reason = what, "reindex: waits");
            self.said = Some((what.to_owned(), now));
        }
    }

    /// The tables before are in nobody's way: if they cannot be dropped now, the next reindex does it.
    async fn drop_old(&mut self) {
        let (Some(reindex), Some(pulse)) = (&mut self.reindex, &mut self.pulse) else { return };
        let dropped: Result<(), StoreError> = pulse.guard(&self.live, reindex.drop_old()).await;
        if let Err(error) = dropped {
            tracing::warn!(%error, schema = OLD, "reindex: the tables of the old index stay for now");
        }
    }
}

fn waits_for(not_yet: NotYet) -> String {
    match not_yet {
        NotYet::Filling => "the new index has not reached the tip of the chain".to_owned(),
        NotYet::Troubled => "the new index is in trouble".to_owned(),
        NotYet::Days => "the new index rolls up the uptimes of days gone by".to_owned(),
        NotYet::Behind { .. } => "the index in use is further".to_owned(),
        NotYet::OtherBranch { .. } => "the index in use is on another branch of the chain".to_owned(),
        NotYet::InUse => "somebody reads the index in use for long".to_owned(),
    }
}
