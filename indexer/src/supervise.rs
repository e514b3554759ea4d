//! Start, trouble, start again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use domain::Clock;
use store::{
    StoreError,
    ingest::{self, Writer, leader::Candidate},
    rows::Checkpoint,
    schema::{self, PgPool},
};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    Config, IndexerError, Phase, Progress, Verify, Vitals, check, error::plain, follow::follow, guard, index::Index,
    log::Contracts, metrics, nodes::Nodes, scout::Scout, source::Source, upkeep,
};

/// The first and the longest wait before a new start.
const WAIT: Duration = Duration::from_millis(250);
const WAIT_MOST: Duration = Duration::from_secs(5);

/// Between two looks whether the one that works has ended.
const STANDBY: Duration = Duration::from_millis(200);

/// After so many attempts in a row, all of which no node answers, another indexer may try.
const ALONE: u32 = 4;

/// How long the same trouble is not said again.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// How long a note in the database may take: it may be what is in trouble.
const NOTE_TIMEOUT: Duration = Duration::from_secs(1);

/// Mirrors the contract into the database until `shutdown`, then returns `Ok`. What is under way is dropped then: a
/// transaction that is not committed never was.
///
/// # Errors
/// Only what waiting cannot mend ([`IndexerError::is_fatal`]). All else is waited out: the node or Postgres not being
/// there (yet), or not making sense.
pub async fn run(config: Config, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Result<(), IndexerError> {
    run_with_progress(config, clock, shutdown, watch::Sender::default()).await
}

/// As [`run`]; `progress` always says how far it is.
///
/// # Errors
/// As [`run`].
pub async fn run_with_progress(
    config: Config,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    progress: watch::Sender<Progress>,
) -> Result<(), IndexerError> {
    run_with_vitals(config, shutdown, Vitals::with_progress(clock, progress)).await
}

/// As [`run`], by the clock of `vitals`, which always say how it feels.
///
/// # Errors
/// As [`run`].
pub async fn run_with_vitals(config: Config, shutdown: CancellationToken, vitals: Vitals) -> Result<(), IndexerError> {
    vitals.begin(&config);
    let nodes = Nodes::new(&config.rpc_urls, config.max_range);
    let (clock, progress) = (vitals.clock().clone(), vitals.progress_sender().clone());
    let trouble = Trouble::default();
    let (pool, candidate, writer) = (None, None, None);
    // On a task of its own: it must not hold up the loop.
    let mut beside = JoinSet::new();
    let (watched, to_watch) = (config.clone(), vitals.clone());
    beside.spawn(vitals.record(async move { check::watch(&watched, &to_watch).await }));
    let mut supervisor =
        Supervisor { config, clock, progress, vitals: vitals.clone(), pool, candidate, writer, nodes, trouble };
    tokio::select! {
        () = shutdown.cancelled() => {
            tracing::info!("indexer: told to stop");
            Ok(())
        }
        Err(error) = vitals.record(supervisor.supervise()) => {
            tracing::error!(%error, "indexer: stops");
            Err(error)
        }
        () = vitals.upkeep() => Ok(()),
        // It never ends by itself. An index that nobody checks unnoticed would be worse than none.
        Some(Err(error)) = beside.join_next() => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Ok(()),
        },
    }
}

struct Supervisor {
    config: Config,
    clock: Arc<dyn Clock>,
    progress: watch::Sender<Progress>,
    vitals: Vitals,
    pool: Option<PgPool>,
    candidate: Option<Candidate>,
    writer: Option<Writer>,
    nodes: Nodes,
    trouble: Trouble,
}

impl Supervisor {
    async fn supervise(&mut self) -> Result<Infallible, IndexerError> {
        loop {
            self.vitals.tick();
            let Err(error) = self.session().await;
            metrics::trouble(&error);
            self.vitals.trouble(&error);
            let mut wait = self.trouble.take(&error, &*self.clock);
            let other = self.blame(&error);
            let is_fatal = error.is_fatal() && (error.node().is_none() || self.nodes.all_lied());
            // One failed question is no news; the second one in a row is.
            if is_fatal || self.trouble.attempts > 1 || matches!(error, IndexerError::BadLog { .. }) {
                self.note(&error).await;
            }
            if matches!(error, IndexerError::Store(_)) {
                // The database may have lost what we wrote last: gateways must not take what comes for its continuation.
                self.writer = None;
            }
            let is_silent = matches!(error, IndexerError::Store(StoreError::Silent(_)));
            if let Some(pool) = self.pool.take_if(|pool| is_silent || pool.is_closed()) {
                // Connections that nothing comes out of would hang in whoever uses them next.
                drop(pool.close());
            }
            if is_fatal {
                return Err(error);
            }
            if other {
                wait = Duration::ZERO;
            } else if matches!(error, IndexerError::Rpc { .. }) && self.trouble.attempts > ALONE {
                // One that stands by may reach a node that we do not. It looks more often than we do now.
                self.candidate = None;
            }
            self.vitals.rests(wait);
            tokio::time::sleep(wait).await;
        }
    }

    /// Sets the node aside whose fault it is. Returns whether another one can be asked at once.
    fn blame(&mut self, error: &IndexerError) -> bool {
        let lied = match error.node() {
            Some((node, lied)) => {
                metrics::node_failed(node, error);
                lied
            }
            // If it was not verified, another node may know better.
            None if matches!(error, IndexerError::BadLog { .. }) => false,
            None => return false,
        };
        let other = self.nodes.blame(self.clock.monotonic(), lied);
        if other {
            tracing::warn!(%error, lied, "indexer: asks another node");
        }
        other
    }

    /// From connecting to the first trouble.
    async fn session(&mut self) -> Result<Infallible, IndexerError> {
        let (pool, mut candidate) = self.connect().await?;
        self.lead(&mut candidate).await?;
        let vitals = self.vitals.clone();
        // A connection may be lost alone.
        let stands_still = async {
            let stood = vitals.stands_still().await;
            drop(pool.close());
            Err(StoreError::Silent(stood).into())
        };
        let work = async {
            tokio::select! {
                stood = stands_still => stood,
                ended = self.work(&pool) => ended,
            }
        };
        let Err(error) = candidate.pulse().guard(&pool, work).await;
        self.candidate = Some(candidate).filter(|candidate| !candidate.is_lost());
        Err(error)
    }

    /// From leading to the first trouble.
    async fn work(&mut self, pool: &PgPool) -> Result<Infallible, IndexerError> {
        let contracts = Contracts { registry: self.config.contract, endorsements: self.config.endorsements };
        let several = self.nodes.are_several();
        let no_node = || IndexerError::Config { setting: "rpc_url", reason: "there is none".to_owned() };
        let (url, range) = self.nodes.pick(self.clock.monotonic()).ok_or_else(no_node)?;
        let mut source = Source::connect(url, contracts, several).await?;
        source.verify(self.config.verify.unwrap_or(Verify::Receipts)).await?;
        let mut stored = ingest::checkpoint(pool).await?;
        if stored.is_none() {
            let (origin, start) = guard::found(&source, self.config.deploy_block).await?;
            let heads = source.heads(source.latest().await?.block.number).await?;
            ingest::init(pool, &origin, &start, heads).await?;
            stored = ingest::checkpoint(pool).await?;
        }
        let stored = stored.ok_or(StoreError::NoIndex)?;
        guard::check(&source, &stored.origin).await?;
        guard::headers(&source, &stored)?;
        self.check_deploy_block(&stored)?;
        let (writer, checkpoint) = self.take_over(pool, stored).await?;
        if !checkpoint.headers_hash && source.proves(checkpoint.origin.genesis_hash) {
            writer.note_headers_hash().await?;
        }
        upkeep::date(&source, &writer, &self.vitals).await?;
        let heartbeats_from = writer.upkeep().await?.heartbeats_from;

        self.progress.send_modify(|progress| {
            let first = progress.phase == Phase::Starting && progress.head == 0;
            progress.start = if first { checkpoint.head.number } else { progress.start };
            (progress.head, progress.tip) = (checkpoint.head.number, checkpoint.heads.latest);
        });
        self.vitals.starts_at(checkpoint.head, checkpoint.heads);
        let mut index = Index {
            writer,
            origin: checkpoint.origin,
            head: checkpoint.head,
            head_time: checkpoint.head_time,
            window: self.config.window.max(1),
            keep_heartbeats: self.config.keep_heartbeats,
            heartbeats_from,
            progress: self.progress.clone(),
            vitals: self.vitals.clone(),
        };
        let others = self.nodes.others(self.clock.monotonic());
        let scout = Scout::start(others, contracts, checkpoint.head.number, self.clock.clone());
        follow(&Arc::new(source), &scout, &mut index, (&self.config, range), &*self.clock, &mut self.trouble).await
    }

    async fn connect(&mut self) -> Result<(PgPool, Candidate), IndexerError> {
        let (pool, is_new) = match &self.pool {
            Some(pool) => (pool.clone(), false),
            None => (schema::connect_to(&self.config.database_url, self.config.place).await?, true),
        };
        let mut candidate = match self.candidate.take() {
            Some(candidate) => candidate,
            None => Candidate::connect(&pool, self.config.database_patience).await?,
        };
        if is_new {
            // It may take long: to move large tables takes its time.
            let migrated = candidate.pulse().guard(&pool, schema::migrate(&pool));
            tokio::select! {
                never = self.vitals.ticks() => match never {},
                migrated = migrated => migrated?,
            }
            self.pool = Some(pool.clone());
        }
        Ok((pool, candidate))
    }

    /// Waits until no other indexer works on the database.
    async fn lead(&mut self, candidate: &mut Candidate) -> Result<(), IndexerError> {
        while !candidate.leads().await? {
            let news = self
                .progress
                .send_if_modified(|progress| std::mem::replace(&mut progress.phase, Phase::Standby) != Phase::Standby);
            self.vitals.stands_by();
            if news {
                tracing::info!("indexer: stands by, for another one works on this database");
            }
            tokio::time::sleep(STANDBY).await;
        }
        self.vitals.leads();
        Ok(())
    }

    fn check_deploy_block(&self, stored: &Checkpoint) -> Result<(), IndexerError> {
        let ours = stored.origin.deploy_block.number;
        match self.config.deploy_block {
            Some(given) if given != ours => Err(IndexerError::WrongOrigin {
                of: "contract",
                what: "deploy block",
                stored: ours.to_string(),
                found: given.to_string(),
                by: "the settings say".to_owned(),
                setting: "deploy_block",
            }),
            _ => Ok(()),
        }
    }

    /// Becomes the writer, unless it is that still: who leads fences whoever wrote before.
    async fn take_over(&mut self, pool: &PgPool, stored: Checkpoint) -> Result<(Writer, Checkpoint), IndexerError> {
        if let Some(writer) = self.writer.as_ref().filter(|writer| writer.epoch() == stored.writer_epoch) {
            return Ok((writer.clone(), stored));
        }
        let (writer, checkpoint) = Writer::take_over(pool).await?;
        tracing::info!(
            contract = %checkpoint.origin.contract, chain_id = checkpoint.origin.chain_id,
            head = %checkpoint.head, epoch = checkpoint.writer_epoch,
            "indexer: goes on after this head"
        );
        self.writer = Some(writer.clone());
        Ok((writer, checkpoint))
    }

    /// Says in the database that we are not well, if it can be said.
    async fn note(&self, error: &IndexerError) {
        if let Some(writer) = &self.writer {
            let text = plain(error);
            // An error here is the database's own trouble, and is reported as such.
            let _ = tokio::time::timeout(NOTE_TIMEOUT, writer.set_problem(Some(&text))).await;
        }
    }
}

/// What goes wrong, for how long, and what was said about it.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    attempts: u32,
    said: Option<(&'static str, Duration)>,
}

impl Trouble {
    /// Takes note of an error and says it, unless it was said just now. Returns how long to wait.
    fn take(&mut self, error: &IndexerError, clock: &dyn Clock) -> Duration {
        let (kind, now) = (error.kind(), clock.monotonic());
        let known = self.said.is_some_and(|(said, at)| said == kind && now.saturating_sub(at) < SAY_EVERY);
        if !known && !error.is_fatal() {
            tracing::warn!(%error, "indexer: in trouble, tries again until it works");
            self.said = Some((kind, now));
        }
        let wait = WAIT.saturating_mul(1 << self.attempts.min(8)).min(WAIT_MOST);
        self.attempts = self.attempts.saturating_add(1);
        wait
    }

    /// Called when something worked. Returns whether there had been trouble.
    pub(crate) fn is_over(&mut self) -> bool {
        let was = self.attempts > 0;
        if was {
            tracing::info!("indexer: works again");
        }
        *self = Self::default();
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_bounded_and_start_anew() {
        let clock = domain::ManualClock::new();
        let error = || IndexerError::Behind { node: String::new(), head: 1, deploy_block: 2 };
        let mut trouble = Trouble::default();
        assert_eq!(trouble.take(&error(), &*clock), WAIT);
        assert_eq!(trouble.take(&error(), &*clock), WAIT * 2);
        for _ in 0..100 {
            assert!(trouble.take(&error(), &*clock) <= WAIT_MOST);
        }
        assert!(trouble.is_over());
        assert!(!trouble.is_over());
        assert_eq!(trouble.take(&error(), &*clock), WAIT);
    }
}
