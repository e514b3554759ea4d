//! How the indexer feels: its loop says so here, whoever asks reads it here ([`probes`](crate::probes)).
//!
//! - `signs`: what is known, and what follows from it (pure)
//! - `recorded`: a task whose figures are those of this indexer, and not of the process

use std::{
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{BlockRef, Clock, Heads};
use metrics_exporter_prometheus::PrometheusRecorder;
use store::StoreError;
use tokio::sync::watch;

use self::{recorded::Recorded, signs::Signs};
use crate::{Config, IndexerError, Progress, check::Found, error::plain, metrics};

mod recorded;
mod signs;

pub(crate) use signs::{Condition, Health};

/// Between two looks at what of the figures can be forgotten: without it, and without anybody who reads them, they grow.
const UPKEEP: Duration = Duration::from_secs(5);

/// Between two looks at the loop.
const LOOK: Duration = Duration::from_secs(1);

/// How an indexer feels. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Vitals(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    recorder: Arc<PrometheusRecorder>,
    progress: watch::Sender<Progress>,
    signs: Mutex<Signs>,
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vitals").field(&*self.signs()).finish()
    }
}

impl Vitals {
    /// Of an indexer that has not begun yet, by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_progress(clock, watch::Sender::default())
    }

    pub(crate) fn with_progress(clock: Arc<dyn Clock>, progress: watch::Sender<Progress>) -> Self {
        let signs = Mutex::new(Signs { ticked: clock.monotonic(), ..Signs::default() });
        Self(Arc::new(Inner { clock, recorder: Arc::new(metrics::recorder()), progress, signs }))
    }

    /// How far the indexer is.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.0.progress.subscribe()
    }

    pub(crate) fn progress_sender(&self) -> &watch::Sender<Progress> {
        &self.0.progress
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// What is healthy is a matter of the settings.
    pub(crate) fn begin(&self, config: &Config) {
        let now = self.now();
        let mut signs = self.signs();
        signs.limits.patience = signs::PATIENCE.max(config.poll_interval.saturating_mul(3));
        signs.limits.head_age = config.max_head_age;
        signs.ticked = now;
    }

    /// The loop is at work.
    pub(crate) fn tick(&self) {
        self.signs().ticked = self.now();
    }

    /// The loop is at work on one thing that takes its time, as long as this is waited for.
    pub(crate) async fn ticks(&self) -> Infallible {
        loop {
            self.tick();
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the loop has stood still for longer than any step of it takes, and answers for how long.
    pub(crate) async fn stands_still(&self) -> Duration {
        let mut before = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let (ticked, now) = (self.signs().ticked, self.now());
            let stood = now.saturating_sub(ticked);
            // Seen twice: after a leap of the clock, such as when the machine was asleep, the loop has its chance.
            if stood > signs::STANDSTILL && before == Some(ticked) {
                return stood;
            }
            before = Some(ticked);
        }
    }

    /// The loop is at rest on purpose, for so long.
    pub(crate) fn rests(&self, wait: Duration) {
        self.signs().ticked = self.now() + wait;
    }

    /// Another indexer works, and the database says so.
    pub(crate) fn stands_by(&self) {
        let now = self.now();
        let mut signs = self.signs();
        (signs.ticked, signs.standby, signs.database) = (now, true, None);
    }

    /// This indexer works.
    pub(crate) fn leads(&self) {
        self.signs().standby = false;
    }

    /// Where the index stands, shown by a node or by the database at the start.
    pub(crate) fn starts_at(&self, head: BlockRef, heads: Heads) {
        let now = self.now();
        self.signs().stands(head, heads, now);
    }

    /// The answers of a node moved the index, or confirmed that it is at the tip.
    pub(crate) fn proceeds(&self, head: BlockRef, heads: Heads) {
        let now = self.now();
        self.signs().proceeds(head, heads, now);
    }

    /// Something went wrong.
    pub(crate) fn trouble(&self, error: &IndexerError) {
        let text = plain(error);
        let mut signs = self.signs();
        match error {
            IndexerError::Store(_) => signs.database = Some(text),
            IndexerError::BadLog { .. } => signs.bad_log = Some(text),
            _ => signs.trouble = Some(text),
        }
    }

    /// A write: how long it takes, whether it hangs, and that the database takes it.
    pub(crate) async fn write<T>(
        &self,
        kind: &'static str,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = self.now();
        self.signs().writes = Some(began);
        let writing = Writing(self);
        let result = write.await;
        drop(writing);
        if result.is_ok() {
            let mut signs = self.signs();
            (signs.wrote, signs.database) = (true, None);
            drop(signs);
            metrics::wrote(kind, self.now().saturating_sub(began));
        }
        result
    }

    /// What a comparison of the roots found.
    pub(crate) fn checked(&self, found: Found) {
        self.signs().check = Some(found);
    }

    /// What the last comparison found wrong.
    pub(crate) fn wrong(&self) -> Option<Found> {
        self.signs().check.clone().filter(|found| !found.agrees())
    }

    /// The state is to be made anew.
    pub(crate) fn order_rebuild(&self) {
        self.signs().rebuild = true;
    }

    /// Whether it is, once.
    pub(crate) fn takes_rebuild(&self) -> bool {
        std::mem::take(&mut self.signs().rebuild)
    }

    /// All of it at one moment.
    pub(crate) fn health(&self) -> Health {
        let (progress, now) = (*self.0.progress.borrow(), self.now());
        self.signs().health(progress, now)
    }

    /// All figures as text.
    pub(crate) fn render(&self) -> String {
        let health = self.health();
        ::metrics::with_local_recorder(&*self.0.recorder, || metrics::gauges(&health));
        self.0.recorder.handle().render()
    }

    /// Whatever this task counts is counted here.
    pub(crate) fn record<F: Future>(&self, task: F) -> Recorded<F> {
        Recorded::new(self.0.recorder.clone(), task)
    }

    /// Forgets what the figures do not need, for ever.
    pub(crate) async fn upkeep(&self) {
        let handle = self.0.recorder.handle();
        loop {
            tokio::time::sleep(UPKEEP).await;
            handle.run_upkeep();
        }
    }

    fn now(&self) -> Duration {
        self.0.clock.monotonic()
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        self.0.signs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A write that is under way, or was dropped on it.
struct Writing<'a>(&'a Vitals);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.signs().writes = None;
    }
}
