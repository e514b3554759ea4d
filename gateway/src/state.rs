//! What the gateway knows, how fresh it is, and in which mode it serves it.

use std::{
    sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use domain::Clock;
use store::{
    StoreError,
    query::{Delta, Snapshot, Update},
    rows::Checkpoint,
};

use crate::{
    error::{Error, Kind},
    feed::FeedError,
    freshness::{At, Freshness, lag},
    index::{Counts, Index},
    relay::{Desk, Relay},
    telemetry::Telemetry,
};

/// The feed ticks at least this often, or it hangs. Longer than any read of the database may take.
const TICKS_WITHIN: Duration = Duration::from_secs(180);

/// What the gateway knows. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    view: RwLock<View>,
    telemetry: Telemetry,
    desk: OnceLock<Arc<Desk>>,
}

#[derive(Debug)]
struct View {
    loaded: Option<Loaded>,
    /// Why the database could not be read last time, in words for strangers.
    fault: Option<String>,
    /// When the feed last began to read.
    ticked: Duration,
}

/// Index, checkpoint and freshness change together, so that no reader sees half of an update.
#[derive(Debug)]
struct Loaded {
    index: Index,
    checkpoint: Checkpoint,
    freshness: Freshness,
}

/// How the gateway feels, all at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Vitals {
    /// Where the index stands, if one is loaded.
    pub(crate) loaded: Option<(Checkpoint, At)>,
    pub(crate) counts: Counts,
    /// Why not to send requests here; none when ready.
    pub(crate) not_ready: Option<String>,
}

impl AppState {
    /// Knows nothing yet: not ready.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let view = View { loaded: None, fault: None, ticked: clock.monotonic() };
        Self(Arc::new(Inner { clock, view: RwLock::new(view), telemetry: Telemetry::new(), desk: OnceLock::new() }))
    }

    /// Takes in what a read of the database found, in one step. False if it is of no use: an index that the indexer
    /// has just begun to fill never replaces a full one of the same contract.
    pub fn update(&self, update: Update) -> bool {
        match update {
            Update::Snapshot(snapshot) => self.replace(snapshot),
            Update::Delta(delta) => self.change(delta),
        }
    }

    fn replace(&self, snapshot: Snapshot) -> bool {
        let checkpoint = snapshot.checkpoint.clone();
        // Made before the lock is taken, so that nobody waits; what it replaces is dropped after.
        let index = Index::new(snapshot);
        let mut view = self.write();
        let monotonic = self.0.clock.monotonic();
        let same = view.loaded.as_ref().filter(|known| known.checkpoint.origin == checkpoint.origin);
        if checkpoint.confirmations == 0 && same.is_some_and(|known| !known.is_filling()) {
            return false;
        }
        let freshness = match same {
            Some(known) => known.freshness.next(&known.checkpoint, &checkpoint, monotonic),
            None => Freshness::first(&checkpoint, monotonic),
        };
        view.fault = None;
        let old = view.loaded.replace(Loaded { index, checkpoint, freshness });
        drop(view);
        drop(old);
        true
    }

    fn change(&self, delta: Delta) -> bool {
        let mut view = self.write();
        let monotonic = self.0.clock.monotonic();
        view.fault = None;
        let Some(loaded) = &mut view.loaded else { return false };
        loaded.freshness = loaded.freshness.next(&loaded.checkpoint, &delta.checkpoint, monotonic);
        loaded.checkpoint = delta.checkpoint.clone();
        loaded.index.apply(delta);
        true
    }

    /// Takes note that the database could not be read. What is known stays.
    pub(crate) fn fault(&self, error: &FeedError) {
        self.write().fault = Some(public_reason(error));
    }

    /// Takes note that the feed is at work.
    pub(crate) fn tick(&self) {
        let monotonic = self.0.clock.monotonic();
        self.write().ticked = monotonic;
    }

    /// Reads the index under its lock. Nothing else may be waited for in `read`.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Index, &At) -> Result<T, Error>) -> Result<(T, At), Error> {
        let view = self.view();
        let Some(loaded) = view.loaded.as_ref().filter(|loaded| !loaded.is_filling()) else {
            return Err(Error::new(Kind::NotReady, view.why_not_ready(self.0.clock.monotonic()).unwrap_or_default()));
        };
        let at = loaded.freshness.at(&loaded.checkpoint, self.0.clock.monotonic());
        match read(&loaded.index, &at) {
            Ok(answer) => Ok((answer, at)),
            Err(error) => Err(error.at(at)),
        }
    }

    pub(crate) fn vitals(&self) -> Vitals {
        let monotonic = self.0.clock.monotonic();
        let view = self.view();
        let at = view.loaded.as_ref().map(|loaded| (loaded, loaded.freshness.at(&loaded.checkpoint, monotonic)));
        Vitals {
            loaded: at.map(|(loaded, at)| (loaded.checkpoint.clone(), at)),
            counts: at.map(|(loaded, at)| loaded.index.counts(at.now)).unwrap_or_default(),
            not_ready: view.why_not_ready(monotonic),
        }
    }

    /// Whether the feed is at work.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.clock.monotonic().saturating_sub(self.view().ticked) <= TICKS_WITHIN
    }

    /// From now on signed registrations are sent. Only the first call counts.
    pub fn relay_by(&self, relay: &Relay) {
        self.0.desk.get_or_init(|| Arc::new(Desk::new(relay, Arc::clone(&self.0.clock))));
    }

    /// Where signed registrations are handed in, if anybody sends them.
    pub(crate) fn desk(&self) -> Option<&Arc<Desk>> {
        self.0.desk.get()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// A panic while the lock was held leaves the index as a whole update left it, or is repaired by the next
    /// snapshot: better served than not.
    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.0.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, View> {
        self.0.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    /// Whether the indexer has never yet reached the tip: what is missing may just not be indexed yet.
    fn is_filling(&self) -> bool {
        self.checkpoint.confirmations == 0
    }
}

impl View {
    fn why_not_ready(&self, monotonic: Duration) -> Option<String> {
        let Some(loaded) = &self.loaded else {
            let reason = self.fault.as_deref().unwrap_or("the database has not been read yet");
            return Some(format!("the gateway cannot answer yet: {reason}"));
        };
        let at = loaded.freshness.at(&loaded.checkpoint, monotonic);
        if at.mode == api::Mode::Stale {
            let reason = self.fault.as_deref().unwrap_or("the database does not answer");
            return Some(format!("the gateway serves from memory: {reason}"));
        }
        if loaded.checkpoint.problem.is_some() {
            // Which one is not for strangers: it may name hosts and roles, or quote a provider that quotes our key.
            return Some("the indexer reports a problem: its log and the table checkpoint say which".into());
        }
        let (head, behind) = (loaded.checkpoint.head.number, lag(&loaded.checkpoint));
        loaded.is_filling().then(|| {
            format!("the indexer reads the chain for the first time: it is at block {head}, {behind} blocks to go")
        })
    }
}

/// What strangers may know of an error: the log has it all, with names of hosts and roles.
fn public_reason(error: &FeedError) -> String {
    match error {
        FeedError::Store(StoreError::NoIndex | StoreError::Corrupt { .. }) | FeedError::Refilling => error.to_string(),
        FeedError::Store(_) | FeedError::Silent(_) => "the database does not answer".to_owned(),
    }
}
